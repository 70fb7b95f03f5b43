//! `cargo xtask sim`: many histories on all cores, or one again.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use passalong_sim::{Mode, many, run};

const USAGE: &str = "cargo xtask sim [--histories N] [--from N] [--seed N] [--beyond]

  --histories N   lives through so many histories (default 1000)
  --from N        the first seed (default 1)
  --seed N        lives through one history again and says what went wrong
  --beyond        with a store that is later than the design assumes";

fn main() -> ExitCode {
    let (mut histories, mut from, mut seed, mut mode) = (1_000_u64, 1_u64, None, Mode::Inside);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--beyond" {
            mode = Mode::Beyond;
            continue;
        }
        let number = arguments.next().and_then(|text| text.parse().ok());
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
    seed.map_or_else(|| all(from, histories, mode), |seed| one(seed, mode))
}

fn one(seed: u64, mode: Mode) -> ExitCode {
    let outcome = run(seed, mode);
    let (steps, reports, events) = (outcome.steps, outcome.reports, outcome.events);
    println!("seed {seed}: {steps} steps, {reports} reports, {events} events");
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
