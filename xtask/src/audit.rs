//! What others have found out about what we use: known weaknesses, licences, sources. The parts that ask
//! the network are skipped with a word where it does not answer; the licences of the crates are a unit
//! test besides, so that they are checked on every machine.

use crate::command::{read_log, say, wait_logged, why};
use crate::project::{Project, find_program};
use crate::test::Count;
use anyhow::{Result, anyhow};
use std::process::Command;

/// What a tool says where its data cannot be fetched; anything else is a finding.
const OUT_OF_REACH: [&str; 2] =
    ["failed to fetch advisory database", "audit endpoint returned an error"];

pub fn audit(project: &Project) -> Result<Count> {
    let mut count = Count::default();
    if find_program("cargo-deny").is_some() {
        let mut rules = project.cargo();
        rules.args(["deny", "--offline", "check", "licenses", "bans", "sources"]);
        count += check(project, "cargo deny: licences, bans, sources", "deny", &mut rules)?;
        let mut advisories = project.cargo();
        advisories.args(["deny", "check", "advisories"]);
        count += check(project, "cargo deny: advisories", "advisories", &mut advisories)?;
    } else {
        say("  skipped: cargo-deny is not installed (cargo install --locked cargo-deny)");
    }
    let mut npm = project.command("npm");
    npm.args(["audit", "--omit=dev", "--loglevel=error", "--fetch-retries=0"]);
    count += check(project, "npm audit", "npm-audit", &mut npm)?;
    Ok(count)
}

/// Runs one check: passed, failed, or neither where it could not learn anything.
fn check(project: &Project, what: &str, log: &str, command: &mut Command) -> Result<Count> {
    let log = project.log(log);
    let status = wait_logged(command, what, &log)?;
    let text = read_log(&log);
    if !status.success() && is_out_of_reach(&text) {
        say(format!("  skipped: {what}: {}", why(&text)));
        return Ok(Count::default());
    }
    if !status.success() {
        eprintln!("{text}");
        crate::command::fail(&anyhow!("{what}: {status} (all of its output: {})", log.display()));
    }
    say(format!("  {what}: {}", if status.success() { "nothing found" } else { "findings" }));
    Ok(Count::one(status.success()))
}

fn is_out_of_reach(output: &str) -> bool {
    OUT_OF_REACH.iter().any(|sign| output.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::fs;

    /// Whether an SPDX expression can be met with these licences alone.
    fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        any_of(&mut rest, allowed) && rest.is_empty()
    }

    fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
        let mut met = all_of(rest, allowed);
        while let ["OR", after @ ..] = *rest {
            *rest = after;
            met |= all_of(rest, allowed);
        }
        met
    }

    fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
        let mut met = one(rest, allowed);
        while let ["AND", after @ ..] = *rest {
            *rest = after;
            met &= one(rest, allowed);
        }
        met
    }

    fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
        match *rest {
            ["(", after @ ..] => {
                *rest = after;
                let met = any_of(rest, allowed);
                if let [")", after @ ..] = *rest {
                    *rest = after;
                    return met;
                }
                false
            }
            // An exception is a licence of its own here.
            [name, "WITH", exception, after @ ..] => {
                *rest = after;
                allowed.contains(&format!("{name} WITH {exception}"))
            }
            [name, after @ ..] => {
                *rest = after;
                allowed.contains(*name)
            }
            [] => false,
        }
    }

    fn allowed(project: &Project) -> BTreeSet<String> {
        let text = fs::read_to_string(project.path("deny.toml")).unwrap();
        let list = text.lines().find_map(|line| line.strip_prefix("allow = [")).unwrap();
        list.trim_end_matches(']')
            .split(", ")
            .map(|name| name.trim_matches('"').to_owned())
            .collect()
    }

    #[test]
    fn every_crate_has_a_licence_that_is_allowed() {
        let project = Project::here().unwrap();
        let allowed = allowed(&project);
        assert!(allowed.contains("MIT") && allowed.contains("Apache-2.0"));
        let mut cargo = project.cargo();
        let output = cargo
            .args(["metadata", "--format-version=1", "--all-features", "--locked"])
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 50, "{} crates", packages.len());
        for package in packages {
            let licence = package["license"].as_str().unwrap_or("none");
            assert!(is_met(licence, &allowed), "{}: {licence}", package["name"]);
        }
    }

    #[test]
    fn a_licence_is_met_by_one_of_its_choices_in_full() {
        let allowed = BTreeSet::from(["MIT".to_owned(), "BSD-3-Clause".to_owned()]);
        for (expression, met) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND BSD-3-Clause", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
            ("(GPL-3.0-only OR MIT) AND BSD-3-Clause", true),
            ("MIT WITH Some-exception", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("none", false),
            ("", false),
        ] {
            assert_eq!(is_met(expression, &allowed), met, "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_no_finding_and_a_finding_is_no_silence() {
        for text in [
            "[ERROR] failed to fetch advisory database https://x with cli: Could not resolve host",
            "npm error audit endpoint returned an error",
        ] {
            assert!(is_out_of_reach(text), "{text}");
        }
        for text in ["error[vulnerability]: Double free", "found 3 vulnerabilities", ""] {
            assert!(!is_out_of_reach(text), "{text}");
        }
    }
}
