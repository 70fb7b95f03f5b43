//! A short run of every parser. `cargo xtask fuzz --inputs N` runs on.

use passalong_fuzz::{Parser, parsers, run};

/// Some seconds in all; what goes through all of the Worker takes longer.
fn count(parser: &Parser) -> u64 {
    match parser.name {
        "requests" | "identity token" | "template token" | "facts" | "shopify" | "woocommerce"
        | "shopware" => 4_000,
        _ => 10_000,
    }
}

#[test]
fn no_parser_panics_and_each_holds_what_it_must() {
    for mut parser in parsers::all() {
        let inputs = count(&parser);
        let outcome = run(&mut parser, 1, inputs).unwrap_or_else(|what| panic!("{what}"));
        // A parser that refuses everything was not tested, and one that takes everything refuses nothing.
        assert!(outcome.taken > inputs / 500, "{}: {} taken", parser.name, outcome.taken);
    }
}

#[test]
fn every_seed_of_the_corpus_is_of_use_to_some_parser() {
    let mut parsers = parsers::all();
    let corpora: std::collections::BTreeSet<&str> =
        parsers.iter().map(|parser| parser.corpus).collect();
    for corpus in corpora {
        for seed in corpus.lines() {
            let input = seed.replace("\\n", "\n").into_bytes();
            let taken = parsers.iter_mut().filter(|parser| parser.corpus == corpus).any(|parser| {
                (parser.check)(&input).unwrap_or_else(|what| panic!("{what}: {seed}"))
            });
            assert!(taken, "no parser takes {seed}");
        }
    }
}

#[test]
fn a_parser_that_panics_or_breaks_its_promise_is_found_with_the_input() {
    let broken = |check: fn(&[u8]) -> Result<bool, String>| {
        let mut parser = Parser { name: "broken", corpus: "seed", check: Box::new(check) };
        run(&mut parser, 1, 1_000)
    };
    assert!(broken(|_| Ok(true)).is_ok_and(|outcome| outcome.taken == 1_000));
    let found = broken(|input| if input.len() > 9 { Err("too long".to_owned()) } else { Ok(true) });
    assert!(found.unwrap_err().starts_with("broken: too long\ninput: b\""));
    let found = broken(|input| Ok(input.len() < 10 || [true][input.len()]));
    assert!(found.unwrap_err().starts_with("broken: it panicked\ninput: b\""));
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let inputs = |seed| {
        let mut inputs = passalong_fuzz::input::Inputs::new("{\"a\":1}\nb", seed);
        (0..200).map(|_| inputs.next()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
}
