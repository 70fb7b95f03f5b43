//! The project's own commands, `cargo xtask …`. This file owns what they are called; each has a file of
//! its own that says what it does. They run on Linux and macOS (on Windows: inside WSL).

#[cfg(not(unix))]
compile_error!("cargo xtask runs on Linux and macOS; on Windows, use WSL");

mod audit;
mod bench;
mod build;
mod chromium;
mod command;
mod demo;
mod fuzz;
mod group;
mod http;
mod languages;
#[cfg(test)]
mod layering;
mod project;
mod secrets;
mod size;
mod stamp;
mod test;
mod tools;

use anyhow::Result;
use project::Project;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  demo [--worker-port N] [--shop-port N]   the Worker, a demo shop and the cron on this machine
  test [STAGE…] [-- FILTER]                all tests, or some: fmt clippy unit sim audit build size e2e
  sim [--histories N] [--seed N] [--fresh N]
                                           histories against a model of the store at its worst
  build [worker] [widget]                  the Worker (edge/build) and the files beside it (www/dist)
  size [--json]                            bytes of the widget, by part
  bench [NAME…] [--json]                   speed beside what a merchant would otherwise write, or some
                                           of it: viral spread forged me conversions cold, widget
  fuzz [--inputs N] [--seed N] [PARSER…]   random input for every parser, or some
  secrets [FILE]                           new secrets for a deployment, as JSON
  secrets --operator-generation N FILE     the operator key of that generation, from kept secrets
  setup                                    the tools all of these need

Each does the set-up it needs. Tools are kept in $PASSALONG_CACHE (default ~/.cache/passalong).";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            command::fail(&error);
            // As a shell reports a program that Ctrl-C ended.
            if group::is_interrupted() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        println!("{USAGE}");
        return Ok(ExitCode::FAILURE);
    };
    let project = Project::here()?;
    group::notice_signals()?;
    match name.as_str() {
        "setup" => tools::set_up(&project).map(drop)?,
        "build" => build::some(&project, &tools::set_up(&project)?, rest)?,
        "demo" => return demo::demo(&project, rest),
        "test" => return test::test(&project, rest),
        "size" => size::size(&project, rest)?,
        "sim" => return test::sim(&project, rest),
        "bench" => bench::bench(&project, rest)?,
        "fuzz" => fuzz::fuzz(&project, rest)?,
        "secrets" => secrets::secrets(&project, rest)?,
        "help" | "--help" | "-h" => println!("{USAGE}"),
        other => {
            return Err(command::mend(format!("there is no command {other}"), "cargo xtask help"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
