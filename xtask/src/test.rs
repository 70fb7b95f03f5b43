//! All tests, stage by stage. A runner that counts is believed (`cargo test`, `node --test`); a check that
//! does not (formatting, clippy, build, size) counts as one. Later stages run although an earlier one
//! failed, as far as what they need is there. The last line says it all.

use crate::command::{mend, output_of, read_log, say};
use crate::group::Group;
use crate::project::Project;
use crate::tools::{self, set_up};
use crate::{audit, build, chromium, languages, size};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;

const STAGES: [&str; 8] = ["fmt", "clippy", "unit", "sim", "audit", "build", "size", "e2e"];
/// Built by itself: its deliberate faults belong into nothing else.
const SIMULATOR: &str = "passalong-sim";

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    pub fn one(passed: bool) -> Self {
        Self { passed: passed.into(), failed: (!passed).into() }
    }

    /// What a runner counted; one failure more if it ended badly without having counted one, or counted
    /// nothing at all.
    fn of_runner(counted: Self, status: ExitStatus) -> Self {
        let is_silent = counted == Self::default() || (!status.success() && counted.failed == 0);
        Self { failed: counted.failed + u64::from(is_silent), ..counted }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

pub fn test(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    let (stages, filters) = chosen(arguments)?;
    let has = |stage: &str| stages.contains(&stage);
    let tools = set_up(project)?;
    if has("fmt") || has("clippy") {
        tools::rust_checks(project)?;
    }
    let wants_panic = has("e2e");
    if has("e2e") {
        languages::languages(project)?;
    }
    let browser = if has("e2e") { Some(chromium::chromium(project)?) } else { None };

    let mut total = Count::default();
    let mut is_built = true;
    for stage in stages {
        say(format!("{stage} …"));
        let count = match stage {
            "fmt" => formatting(project)?,
            "clippy" => clippy(project)?,
            "unit" => unit(project, filters)?,
            "sim" => simulation(project, filters)?,
            "audit" => audit::audit(project)?,
            "build" => {
                let mut built = build::build(project, &tools);
                if wants_panic && built.is_ok() {
                    built = build::panicking_worker(project, &tools);
                }
                let count = checked(&built);
                is_built = count.failed == 0;
                count
            }
            _ if !is_built => {
                say(format!("{stage}: cannot run without a build"));
                Count::one(false)
            }
            "size" => checked(&size::check(project).map(say)),
            _ => end_to_end(project, browser.as_deref(), filters)?,
        };
        say(format!("{stage}: {} passed, {} failed", count.passed, count.failed));
        total += count;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The stages to run, in their order, and what comes after `--`: parts of test names or file names.
fn chosen(arguments: &[String]) -> Result<(Vec<&'static str>, &[String])> {
    let end = arguments.iter().position(|argument| argument == "--");
    let (names, filters) = arguments.split_at(end.unwrap_or(arguments.len()));
    let filters = filters.get(1..).unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !STAGES.contains(&name.as_str())) {
        return Err(mend(
            format!("there is no stage {unknown}"),
            format!("cargo xtask test [{}]", STAGES.join(" ")),
        ));
    }
    let is_named = |stage: &str| names.is_empty() || names.iter().any(|name| name == stage);
    let needs_build = is_named("e2e") || is_named("size");
    let stages = STAGES.into_iter();
    Ok((
        stages.filter(|stage| is_named(stage) || (*stage == "build" && needs_build)).collect(),
        filters,
    ))
}

fn checked(result: &Result<()>) -> Count {
    if let Err(error) = result {
        crate::command::fail(error);
    }
    Count::one(result.is_ok())
}

fn formatting(project: &Project) -> Result<Count> {
    let mut cargo = project.cargo();
    Ok(Count::one(shown(cargo.args(["fmt", "--all", "--check"]), "cargo fmt")?.success()))
}

/// On the host everything; for wasm what runs there, which the host does not see.
fn clippy(project: &Project) -> Result<Count> {
    let wasm = ["--target", "wasm32-unknown-unknown", "--lib"];
    let mut count = Count::default();
    for (what, selection) in [
        ("the workspace on this machine", &["--workspace", "--all-targets", "--all-features"][..]),
        ("edge on wasm32", &["--package", "passalong-edge"]),
        ("widget on wasm32", &["--package", "passalong-widget"]),
    ] {
        say(format!("  clippy: {what}"));
        let mut cargo = project.cargo();
        cargo.arg("clippy").arg("--quiet").args(selection);
        if selection.first() == Some(&"--package") {
            cargo.args(wasm);
        }
        cargo.args(["--", "--deny", "warnings"]);
        count += Count::one(shown(&mut cargo, "cargo clippy")?.success());
    }
    Ok(count)
}

fn unit(project: &Project, filters: &[String]) -> Result<Count> {
    let whole = ["--workspace", "--exclude", SIMULATOR];
    let (counted, status) = cargo_test(project, &whole, filters)?;
    if counted != Count::default() || status.success() {
        return Ok(Count::of_runner(counted, status));
    }
    // Something does not compile: what does is tested all the same.
    let mut count = Count::default();
    for package in packages(project)?.into_iter().filter(|package| package != SIMULATOR) {
        say(format!("  unit: {package} by itself"));
        let (counted, status) = cargo_test(project, &["--package", &package], filters)?;
        count += Count::of_runner(counted, status);
    }
    Ok(count)
}

/// Fixed histories against a model of the store at its worst, with optimisation.
fn simulation(project: &Project, filters: &[String]) -> Result<Count> {
    let selection = ["--profile", "sim", "--package", SIMULATOR];
    let (counted, status) = cargo_test(project, &selection, filters)?;
    Ok(Count::of_runner(counted, status))
}

/// `cargo xtask sim`: as many histories as one likes.
pub fn sim(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = project.cargo();
    cargo.args(["run", "--quiet", "--profile", "sim", "--package", SIMULATOR, "--"]);
    let status = shown(cargo.args(arguments), "the simulator")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo_test(
    project: &Project,
    selection: &[&str],
    filters: &[String],
) -> Result<(Count, ExitStatus)> {
    let mut cargo = project.cargo();
    cargo.args(["test", "--no-fail-fast", "--quiet"]).args(selection).arg("--").args(filters);
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut group = Group::start(&mut cargo, "cargo test")?;
    let stdout = BufReader::new(group.take_stdout().context("no output")?);
    let reader = thread::spawn(move || {
        let lines = stdout.lines().map_while(Result::ok);
        harness_counts(lines.inspect(|line| println!("{line}")))
    });
    let status = group.wait(|| ())?;
    Ok((reader.join().unwrap_or_default(), status))
}

fn packages(project: &Project) -> Result<Vec<String>> {
    let mut cargo = project.cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&output_of(&mut cargo).context("cargo metadata")?)?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    Ok(packages.filter_map(|package| Some(package.get("name")?.as_str()?.to_owned())).collect())
}

/// What the test programs counted. One that began and never said its result is a failure: a test may have
/// ended the process, even as if all were well.
fn harness_counts(lines: impl Iterator<Item = String>) -> Count {
    let mut sum = Count::default();
    let mut open = 0;
    for line in lines {
        if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            open += 1;
        }
        if let Some(count) = harness_count(&line) {
            sum += count;
            open -= 1;
        }
    }
    Count { failed: sum.failed + u64::try_from(open).unwrap_or_default(), ..sum }
}

/// `test result: ok. 12 passed; 0 failed; …`
fn harness_count(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = counts.split(';').find_map(|part| part.trim().strip_suffix(word))?;
        part.trim().parse().ok()
    };
    Some(Count { passed: number("passed")?, failed: number("failed")? })
}

/// The tests against the built Worker in workerd, and those in Chromium.
fn end_to_end(project: &Project, browser: Option<&Path>, filters: &[String]) -> Result<Count> {
    let mut files: Vec<_> = fs::read_dir(project.path("tests/e2e"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_meant = filters.is_empty() || filters.iter().any(|part| name.contains(part));
            name.ends_with(".test.mjs") && is_meant
        })
        .collect();
    files.sort();
    // Without a file, node would look for some by itself.
    ensure!(!files.is_empty(), "no file in tests/e2e has a name with {}", filters.join(" or "));
    let report = project.log("e2e");
    let mut node = project.node();
    // One file more than there are processors would save seconds and cost patience in every test.
    let processors = thread::available_parallelism().map_or(2, usize::from);
    node.arg("--test").arg(format!("--test-concurrency={}", processors.min(8)));
    node.args(["--test-timeout=300000", "--test-force-exit"]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    node.arg("--test-reporter=tap")
        .arg(format!("--test-reporter-destination={}", report.display()));
    node.args(files);
    if let Some(browser) = browser {
        node.env("PASSALONG_CHROMIUM", browser);
    }
    fs::remove_file(&report).ok();
    let status = shown(&mut node, "node --test")?;
    Ok(Count::of_runner(tap_count(&read_log(&report)), status))
}

/// The totals at the end of a TAP report. A cancelled test has not passed.
fn tap_count(report: &str) -> Count {
    let number = |word: &str| -> u64 {
        let prefix = format!("# {word} ");
        let line = report.lines().rev().find_map(|line| line.strip_prefix(&prefix));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    };
    Count { passed: number("pass"), failed: number("fail") + number("cancelled") }
}

/// Runs a command whose output belongs on the screen.
fn shown(command: &mut Command, what: &str) -> Result<ExitStatus> {
    Group::start(command.stdin(Stdio::null()), what)?.wait(|| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn count(passed: u64, failed: u64) -> Count {
        Count { passed, failed }
    }

    #[test]
    fn the_counts_of_cargo_test_are_read() {
        for (line, expected) in [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                Some(count(12, 0)),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                Some(count(3, 2)),
            ),
            ("test result: ok.", None),
            ("test a::result ... ok", None),
            ("", None),
        ] {
            assert_eq!(harness_count(line), expected, "{line}");
        }
    }

    #[test]
    fn a_test_program_that_never_says_its_result_is_a_failure() {
        let counts = |text: &str| harness_counts(text.lines().map(str::to_owned));
        let good = "running 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert_eq!(counts(good), count(2, 0));
        assert_eq!(counts(&format!("{good}running 1 test\n")), count(2, 1));
        assert_eq!(counts(&format!("running 1 test\n{good}{good}")), count(4, 1));
        assert_eq!(counts("running late\n"), count(0, 0));
    }

    #[test]
    fn the_counts_of_node_are_read_at_the_end_and_cancelled_is_failed() {
        let report = "# pass 99\n    # pass 7\n# tests 9\n# suites 0\n# pass 5\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 0\n";
        assert_eq!(tap_count(report), count(5, 3));
        assert_eq!(tap_count("TAP version 13\n"), count(0, 0));
    }

    #[test]
    fn a_runner_that_ends_badly_or_counts_nothing_is_a_failure() {
        let (good, bad) = (ExitStatus::from_raw(0), ExitStatus::from_raw(256));
        for (counted, status, expected) in [
            (count(3, 0), good, count(3, 0)),
            (count(3, 2), bad, count(3, 2)),
            (count(3, 0), bad, count(3, 1)),
            (count(0, 0), bad, count(0, 1)),
            (count(0, 0), good, count(0, 1)),
        ] {
            assert_eq!(Count::of_runner(counted, status), expected);
        }
    }

    #[test]
    fn stages_run_in_their_order_and_bring_the_build_they_need() {
        let named =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(&[]).unwrap().0, STAGES);
        assert_eq!(chosen(&named(&["size", "fmt"])).unwrap().0, ["fmt", "build", "size"]);
        let arguments = named(&["e2e", "--", "story"]);
        let (stages, filters) = chosen(&arguments).unwrap();
        assert_eq!((stages, filters), (vec!["build", "e2e"], &named(&["story"])[..]));
        assert!(chosen(&named(&["lint"])).is_err());
    }
}
