//! How commands are run and how the person before the terminal learns of it: progress with the time since
//! the start, a log for what only matters when it fails, and one line with the command that mends it.

use crate::group::Group;
use anyhow::{Context, Error, Result, anyhow};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static STARTED: OnceLock<Instant> = OnceLock::new();

/// Progress goes to stderr: stdout belongs to results.
pub fn say(line: impl AsRef<str>) {
    let elapsed = STARTED.get_or_init(Instant::now).elapsed().as_secs_f32();
    eprintln!("{elapsed:7.1}s  {}", line.as_ref());
}

/// What is wrong in one line, and the command that mends it.
pub fn mend(wrong: impl AsRef<str>, command: impl AsRef<str>) -> Error {
    anyhow!("{}\n  mend: {}", wrong.as_ref(), command.as_ref())
}

pub fn fail(error: &Error) {
    // A closed terminal is no reason to hide the exit code.
    let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
}

/// Runs a command whose output only matters when it fails: it goes to `log`. While it runs, its last line
/// is repeated from time to time.
pub fn run_logged(command: &mut Command, what: &str, log: &Path) -> Result<()> {
    let status = wait_logged(command, what, log)?;
    if status.success() {
        return Ok(());
    }
    let text = read_log(log);
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(120)) {
        eprintln!("    {line}");
    }
    Err(anyhow!("{what}: {status} (all of its output: {})", log.display()))
}

/// The same without a word on failure, for callers who know better what it means.
pub fn wait_logged(command: &mut Command, what: &str, log: &Path) -> Result<ExitStatus> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let started = Instant::now();
    let mut told = Duration::ZERO;
    Group::start(command, what)?.wait(|| {
        let elapsed = started.elapsed();
        if elapsed.saturating_sub(told) >= Duration::from_secs(10) {
            told = elapsed;
            let text = read_log(log);
            let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let last = last.map(|line| format!(": {}", cut(line, 90))).unwrap_or_default();
            say(format!("  {what}, for {} s{last}", elapsed.as_secs()));
        }
    })
}

/// The output of a short command, or nothing if it could not run or did not succeed.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

pub fn read_log(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

/// Why a command that needed the network failed, in one line, from its log.
pub fn why(log: &str) -> String {
    const NO_NETWORK: [&str; 8] = [
        "could not resolve",
        "could not connect",
        "temporary failure resolving",
        "enotfound",
        "econnrefused",
        "econnreset",
        "etimedout",
        "eai_again",
    ];
    let find = |signs: &[&str]| {
        log.lines().map(str::trim).find(|line| {
            let line = line.to_lowercase();
            signs.iter().any(|sign| line.contains(sign))
        })
    };
    if let Some(line) = find(&NO_NETWORK) {
        return format!("no network ({})", cut(line, 120));
    }
    let last = || log.lines().rev().map(str::trim).find(|line| !line.is_empty());
    cut(find(&["error"]).or_else(last).unwrap_or("it said nothing"), 160)
}

fn cut(line: &str, characters: usize) -> String {
    line.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_an_error_and_its_output_is_kept() {
        let log = std::env::temp_dir().join(format!("passalong-xtask-{}.log", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo kept; exit 3"]);
        let error = run_logged(&mut command, "the step", &log).unwrap_err().to_string();
        assert!(error.contains("the step") && error.contains('3'), "{error}");
        assert_eq!(read_log(&log), "kept\n");
        fs::remove_file(&log).unwrap();
    }

    #[test]
    fn the_reason_is_the_network_if_it_is() {
        let log =
            "Updating index\nerror: something\nwarning: Could not resolve host: example\nlast";
        assert_eq!(why(log), "no network (warning: Could not resolve host: example)");
        assert_eq!(why("a\nnpm error code X\nlast\n"), "npm error code X");
        assert_eq!(why("only this\n\n"), "only this");
        assert_eq!(why(""), "it said nothing");
    }
}
