//! `passalong-fuzz [--inputs N] [--seed N] [PARSER…]`: feeds every parser, or those whose names begin
//! so, N inputs each.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use passalong_fuzz::{PATIENCE, UNDER_WAY, parsers, run, shown};

fn main() -> ExitCode {
    let mut inputs = 1_000_000;
    let mut seed = 1;
    let mut names = Vec::new();
    let mut arguments: VecDeque<String> = std::env::args().skip(1).collect();
    while let Some(argument) = arguments.pop_front() {
        let number = match argument.as_str() {
            "--inputs" => &mut inputs,
            "--seed" => &mut seed,
            _ => {
                names.push(argument);
                continue;
            }
        };
        let Some(given) = arguments.pop_front().and_then(|text| text.parse().ok()) else {
            eprintln!("{argument} takes a number");
            return ExitCode::FAILURE;
        };
        *number = given;
    }
    thread::spawn(watch);
    let mut failed = false;
    let mut count = 0;
    for mut parser in parsers::all() {
        if !names.is_empty() && !names.iter().any(|name| parser.name.starts_with(name.as_str())) {
            continue;
        }
        count += 1;
        let began = Instant::now();
        match run(&mut parser, seed, inputs) {
            Ok(outcome) => println!(
                "{:22} {:>11} inputs, {:>10} taken, {:>6.1} s",
                parser.name,
                outcome.inputs,
                outcome.taken,
                began.elapsed().as_secs_f64()
            ),
            Err(what) => {
                failed = true;
                eprintln!("{what}\n(seed {seed})");
            }
        }
    }
    if count == 0 {
        eprintln!("there is no such parser");
    }
    if failed || count == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Ends the run over an input that is not read to its end.
fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let Ok(under_way) = UNDER_WAY.lock() else { continue };
        if let Some((name, since, input)) = under_way.as_ref()
            && since.elapsed() > PATIENCE
        {
            eprintln!("{name}: it does not end\n{}", shown(input));
            std::process::exit(1);
        }
    }
}
