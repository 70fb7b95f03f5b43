//! `cargo xtask sim`: many histories on all cores, or one again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use passalong_sim::{Mode, Mutation, Outcome, Script, many, replay, run, shrink, tape};

const USAGE: &str =
    "cargo xtask sim [--histories N] [--from N] [--fresh N] [--seed N] [--beyond] [--decided]
                [--seed N --record FILE --expect TEXT] [--replay FILE]
                [--broken NAME]

  --histories N   lives through so many histories (default 1000)
  --from N        the first seed (default 1)
  --fresh N       lives through so many histories that only this commit has: the first seed comes
                  from its hash
  --seed N        lives through one history again and says what went wrong
  --record FILE   writes that history down, as short as it gets while TEXT goes wrong
  --replay FILE   lives through a history that was written down
  --decided       says in the end what was decided, and how often
  --broken NAME   with a deliberate fault, up to the first history that goes wrong
  --beyond        with a store that is later than the design assumes";

/// What is asked for.
struct Options {
    histories: u64,
    from: u64,
    seed: Option<u64>,
    mode: Mode,
    record: Option<String>,
    expect: String,
    replay: Option<String>,
    decided: bool,
    broken: Option<Mutation>,
}

/// None where the arguments cannot be read.
fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        histories: 1_000,
        from: 1,
        seed: None,
        mode: Mode::Inside,
        record: None,
        expect: String::new(),
        replay: None,
        decided: false,
        broken: None,
    };
    while let Some(argument) = arguments.next() {
        if argument == "--beyond" {
            options.mode = Mode::Beyond;
            continue;
        }
        if argument == "--decided" {
            options.decided = true;
            continue;
        }
        let value = arguments.next()?;
        match argument.as_str() {
            "--broken" => {
                let is_it = |one: &Mutation| format!("{one:?}") == value;
                options.broken = Some(Mutation::ALL.into_iter().find(is_it)?);
            }
            "--record" => options.record = Some(value),
            "--expect" => options.expect = value,
            "--replay" => options.replay = Some(value),
            "--histories" => options.histories = value.parse().ok()?,
            "--from" => options.from = value.parse().ok()?,
            "--seed" => options.seed = Some(value.parse().ok()?),
            "--fresh" => {
                options.histories = value.parse().ok()?;
                options.from = first_of_commit()?;
            }
            _ => return None,
        }
    }
    Some(options)
}

/// Commits are far apart: no range of seeds is likely to be another's.
const APART: u64 = 2_000_000_011;

/// The first seed that belongs to the commit that is checked out.
fn first_of_commit() -> Option<u64> {
    let git = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    let hash = String::from_utf8(git.stdout).ok()?;
    let start = u64::from_str_radix(hash.get(..8)?, 16).ok()?;
    Some(start * APART)
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    if let Some(file) = options.replay {
        return again(&file);
    }
    match (options.seed, &options.record) {
        (Some(seed), Some(file)) => write_down((seed, options.mode), file, &options.expect),
        (Some(seed), None) => one(seed, options.mode),
        _ => all(&options),
    }
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
    if expect.is_empty() {
        return match std::fs::write(file, script.to_text()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
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
fn all(options: &Options) -> ExitCode {
    let Options { from, histories, mode, broken, .. } = *options;
    let decided: Mutex<BTreeMap<String, u32>> = Mutex::default();
    let zero = || AtomicU64::new(0);
    let (lived, failed, steps, breached) = (zero(), zero(), zero(), zero());
    let digest = zero();
    let failures = Mutex::new(Vec::new());
    let began = Instant::now();
    println!("seeds {from} to {}", from + histories - 1);
    many(from..=from + histories - 1, mode, broken, |outcome| {
        steps.fetch_add(outcome.steps.into(), Ordering::Relaxed);
        digest.fetch_xor(outcome.digest, Ordering::Relaxed);
        breached.fetch_add(u64::from(outcome.breaches > 0), Ordering::Relaxed);
        if let Ok(mut decided) = decided.lock() {
            for (what, count) in outcome.decided {
                *decided.entry(what).or_default() += count;
            }
        }
        if let Some(first) = outcome.violations.first() {
            failed.fetch_add(1, Ordering::Relaxed);
            println!("seed {}: {first}", outcome.seed);
            if let Ok(mut failures) = failures.lock() {
                failures.push(outcome.seed);
            }
        }
        let so_far = lived.fetch_add(1, Ordering::Relaxed) + 1;
        if so_far % 1_000 == 0 {
            eprintln!("  {so_far} of {histories}, {} s", began.elapsed().as_secs());
        }
        if broken.is_some() && !outcome.violations.is_empty() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let seconds = began.elapsed().as_secs();
    let (failed, steps) = (failed.into_inner(), steps.into_inner());
    println!(
        "{histories} histories, {steps} steps, {failed} failed, {seconds} s, digest {:016x}",
        digest.into_inner()
    );
    let decided = decided.into_inner().unwrap_or_default();
    for (what, count) in decided.iter().filter(|_| options.decided) {
        println!("  {what}: {count}");
    }
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort_unstable();
    for seed in failures {
        let beyond = if mode == Mode::Beyond { " --beyond" } else { "" };
        println!("  cargo xtask sim --seed {seed}{beyond}");
    }
    if mode == Mode::Beyond {
        println!("{} with a breach that was reported", breached.into_inner());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
