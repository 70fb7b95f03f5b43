//! `cargo xtask sim`: many histories on all cores, or one again.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use passalong_sim::{Mode, Outcome, Script, many, replay, run, shrink, tape};

const USAGE: &str = "cargo xtask sim [--histories N] [--from N] [--seed N] [--beyond]
                [--seed N --record FILE --expect TEXT] [--replay FILE]

  --histories N   lives through so many histories (default 1000)
  --from N        the first seed (default 1)
  --seed N        lives through one history again and says what went wrong
  --record FILE   writes that history down, as short as it gets while TEXT goes wrong
  --replay FILE   lives through a history that was written down
  --beyond        with a store that is later than the design assumes";

fn main() -> ExitCode {
    let (mut histories, mut from, mut seed, mut mode) = (1_000_u64, 1_u64, None, Mode::Inside);
    let (mut record, mut expect) = (None, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--beyond" {
            mode = Mode::Beyond;
            continue;
        }
        let Some(value) = arguments.next() else {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        };
        match argument.as_str() {
            "--record" => {
                record = Some(value);
                continue;
            }
            "--expect" => {
                expect = value;
                continue;
            }
            "--replay" => return again(&value),
            _ => {}
        }
        let number = value.parse().ok();
        match (argument.as_str(), number) {
            ("--histories", Some(number)) => histories = number,
            ("--from", Some(number)) => from = number,
            ("--seed", Some(number)) => seed = Some(number),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    if let (Some(seed), Some(file)) = (seed, record) {
        return write_down((seed, mode), &file, &expect);
    }
    seed.map_or_else(|| all(from, histories, mode), |seed| one(seed, mode))
}

fn one(seed: u64, mode: Mode) -> ExitCode {
    tell(&format!("seed {seed}"), &run(seed, mode))
}

fn again(file: &str) -> ExitCode {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(script) => tell(file, &replay(&script)),
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_down((seed, mode): (u64, Mode), file: &str, expect: &str) -> ExitCode {
    let mut script: Script = tape(seed, mode);
    expect.clone_into(&mut script.violation);
    let Some(short) = shrink(script) else {
        eprintln!("{expect} does not go wrong in it once it is written down");
        return ExitCode::FAILURE;
    };
    let text = short.to_text();
    match std::fs::write(file, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(name: &str, outcome: &Outcome) -> ExitCode {
    let (steps, reports, events) = (outcome.steps, outcome.reports, outcome.events);
    println!(
        "{name}: {steps} steps, {reports} reports, {events} events, digest {:016x}",
        outcome.digest
    );
    for violation in &outcome.violations {
        println!("  {violation}");
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says now and then how far it has come, and of every history that went wrong what did first.
fn all(from: u64, histories: u64, mode: Mode) -> ExitCode {
    let zero = || AtomicU64::new(0);
    let (lived, failed, steps, breached) = (zero(), zero(), zero(), zero());
    let began = Instant::now();
    many(from..=from + histories - 1, mode, None, |outcome| {
        steps.fetch_add(outcome.steps.into(), Ordering::Relaxed);
        breached.fetch_add(u64::from(outcome.breaches > 0), Ordering::Relaxed);
        if let Some(first) = outcome.violations.first() {
            failed.fetch_add(1, Ordering::Relaxed);
            println!("seed {}: {first}", outcome.seed);
        }
        let so_far = lived.fetch_add(1, Ordering::Relaxed) + 1;
        if so_far % 1_000 == 0 {
            eprintln!("  {so_far} of {histories}, {} s", began.elapsed().as_secs());
        }
        ControlFlow::Continue(())
    });
    let seconds = began.elapsed().as_secs();
    let (failed, steps) = (failed.into_inner(), steps.into_inner());
    println!("{histories} histories, {steps} steps, {failed} failed, {seconds} s");
    if mode == Mode::Beyond {
        println!("{} with a breach that was reported", breached.into_inner());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
