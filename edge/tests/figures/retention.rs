//! The table of what is kept, and for how long, names every kind of key there is.

use std::collections::BTreeSet;

/// The prefixes that `keys.rs` declares: `key!( … Name "prefix" { … } )`.
fn declared() -> BTreeSet<&'static str> {
    let source = include_str!("../../src/keys.rs");
    let blocks = source.split("key!(\n").skip(1);
    let prefix = |block: &'static str| {
        let line = block.lines().map(str::trim).find(|line| !line.starts_with("///"))?;
        line.split('"').nth(1)
    };
    blocks.filter_map(prefix).collect()
}

/// The rows of the table, by the first part of their key, and whether all their cells say something.
fn rows() -> Vec<(&'static str, bool)> {
    let table = include_str!("../../../docs/retention.md");
    let row = |line: &'static str| {
        let prefix = line.strip_prefix("| `")?.split(['/', '`']).next()?;
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        Some((prefix, cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty())))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn every_kind_of_key_has_its_row_in_the_table_of_retention() {
    let declared = declared();
    assert!(declared.len() >= 16 && declared.contains("ledger"), "{declared:?}");
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().map(|(prefix, _)| *prefix).collect();
    let unnamed: Vec<_> = declared.difference(&named).collect();
    assert!(unnamed.is_empty(), "no row says how long these are kept: {unnamed:?}");
    let unknown: Vec<_> = named.iter().filter(|name| !declared.contains(*name)).collect();
    assert_eq!(unknown, [&"clock"], "rows of keys that keys.rs does not declare");
    for (prefix, is_whole) in rows {
        assert!(is_whole, "the row of {prefix} has five cells, each with something in it");
    }
}
