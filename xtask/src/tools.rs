//! Set-up: everything the other commands need, fetched once. The versions come from Cargo.lock and
//! package-lock.json; what is there already is left alone. Chromium, which only tests need, is in
//! `chromium.rs`.

use crate::command::{mend, output_of, read_log, run_logged, say, wait_logged, why};
use crate::group::is_interrupted;
use crate::project::{Project, find_program, is_executable};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

const WASM_TARGET: &str = "wasm32-unknown-unknown";
const NPM_PROGRAMS: [&str; 5] = ["wrangler", "node", "esbuild", "wasm-opt", "wasm-metadce"];

/// The programs that Cargo and npm do not find by themselves.
pub struct Tools {
    pub wasm_bindgen: PathBuf,
    pub worker_build: PathBuf,
}

pub fn set_up(project: &Project) -> Result<Tools> {
    let _turn = take_turn(project)?;
    let lock = fs::read_to_string(project.path("Cargo.lock")).context("Cargo.lock")?;
    let bindgen = locked_version(&lock, "wasm-bindgen").context("wasm-bindgen is not locked")?;
    let worker = locked_version(&lock, "worker").context("worker is not locked")?;
    wasm_target(project)?;
    npm_packages(project)?;
    let wasm_bindgen = cargo_tool(project, "wasm-bindgen-cli", "wasm-bindgen", &bindgen)?;
    let worker_build = cargo_tool(project, "worker-build", "worker-build", &worker)?;
    // Both were compiled here, to share what they have in common; nothing needs it afterwards.
    fs::remove_dir_all(project.cache.join("build")).ok();
    Ok(Tools { wasm_bindgen, worker_build })
}

/// Two runs in one clone take turns: held as long as something is installed or built.
pub fn take_turn(project: &Project) -> Result<File> {
    fs::create_dir_all(project.path("target/xtask"))?;
    let turn = File::create(project.path("target/xtask/turn"))?;
    if turn.try_lock().is_err() {
        say("another cargo xtask is at work in this clone: waiting for it");
        while turn.try_lock().is_err() {
            ensure!(!is_interrupted(), "interrupted");
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(turn)
}

/// The version of a package in Cargo.lock.
pub fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

fn wasm_target(project: &Project) -> Result<()> {
    let mut rustc = project.command("rustc");
    rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]);
    if output_of(&mut rustc).is_some_and(|directory| Path::new(&directory).exists()) {
        return Ok(());
    }
    component(project, &["target", "add", WASM_TARGET], &format!("the Rust target {WASM_TARGET}"))
}

/// What only the tests need of Rust.
pub fn rust_checks(project: &Project) -> Result<()> {
    for (name, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        let mut cargo = project.command(program);
        if output_of(cargo.arg("--version")).is_none() {
            component(project, &["component", "add", name], name)?;
        }
    }
    Ok(())
}

fn component(project: &Project, arguments: &[&str], what: &str) -> Result<()> {
    let command = format!("rustup {}", arguments.join(" "));
    if find_program("rustup").is_none() {
        return Err(mend(
            format!("{what} is missing, and there is no rustup to add it"),
            format!("install rustup (https://rustup.rs), then: {command}"),
        ));
    }
    say(format!("{command} …"));
    let log = project.log("rustup");
    let status = wait_logged(project.command("rustup").args(arguments), &command, &log)?;
    if !status.success() {
        let reason = why(&read_log(&log));
        return Err(mend(format!("{what} could not be added: {reason}"), command));
    }
    Ok(())
}

/// Installs a tool in its exact version, outside the clone and outside the person's own `~/.cargo/bin`.
fn cargo_tool(project: &Project, package: &str, program: &str, version: &str) -> Result<PathBuf> {
    let root = project.cache.join("tools").join(format!("{package}-{version}"));
    let path = root.join("bin").join(program);
    let is_there = || {
        output_of(Command::new(&path).arg("--version")).is_some_and(|text| text.contains(version))
    };
    if is_executable(&path) && is_there() {
        return Ok(path);
    }
    say(format!("{package} {version}: compiling it, once (some minutes) …"));
    let install = |locked: bool| {
        let mut cargo = project.cargo();
        cargo.arg("install").args(locked.then_some("--locked")).arg("--root").arg(&root);
        cargo.args(["--bin", program]).arg(format!("{package}@{version}"));
        cargo.env("CARGO_TARGET_DIR", project.cache.join("build"));
        // A tool that runs for a second need not be compiled for minutes.
        for (setting, value) in [("OPT_LEVEL", "1"), ("LTO", "off"), ("CODEGEN_UNITS", "16")] {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
        }
        cargo
    };
    let log = project.log(package);
    let mut status = wait_logged(&mut install(true), package, &log)?;
    if !status.success() && read_log(&log).contains("(locked to ") {
        // Registry mirrors may lag behind, or a locked dependency may have been withdrawn.
        say(format!("  {package}: a dependency it is locked to is not there; taking what fits"));
        status = wait_logged(&mut install(false), package, &log)?;
    }
    if !status.success() || !is_there() {
        let reason = why(&read_log(&log));
        return Err(mend(
            format!("{package} {version} could not be installed: {reason}"),
            format!("cargo install --locked --root {} {package}@{version}", root.display()),
        ));
    }
    Ok(path)
}

fn npm_packages(project: &Project) -> Result<()> {
    if find_program("node").is_none() || find_program("npm").is_none() {
        return Err(mend("Node.js with npm is missing", node_advice()));
    }
    let wanted = read_json(&project.path("package-lock.json"))?;
    if !is_installed(project, &wanted) {
        say("npm ci: wrangler, its Node, esbuild, wasm-opt, playwright-core …");
        let mut npm = project.command("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=2"]);
        npm.args(["--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=8000"]);
        let log = project.log("npm");
        if !wait_logged(&mut npm, "npm ci", &log)?.success() {
            let reason = why(&read_log(&log));
            return Err(mend(
                format!("the npm packages could not be installed: {reason}"),
                "npm ci",
            ));
        }
    }
    if output_of(project.node().arg("--version")).is_none() {
        return Err(mend(
            "npm did not run the install scripts of its packages, so Node 24 is missing",
            "npm ci --ignore-scripts=false",
        ));
    }
    Ok(())
}

/// Compares with what npm itself notes down, so that a person's own `npm ci` counts as well, and no run
/// replaces `node_modules` under a wrangler that started it.
fn is_installed(project: &Project, wanted: &Value) -> bool {
    let Ok(found) = read_json(&project.path("node_modules/.package-lock.json")) else {
        return false;
    };
    let has_programs = NPM_PROGRAMS.iter().all(|name| is_executable(&project.npm_bin(name)));
    has_programs && missing_packages(wanted, &found).is_empty()
}

/// What the lock file wants and npm did not install; platform-specific packages may be absent.
fn missing_packages<'a>(wanted: &'a Value, found: &Value) -> Vec<&'a str> {
    let Some(packages) = wanted.get("packages").and_then(Value::as_object) else {
        return vec!["packages"];
    };
    let is_missing = |path: &String, package: &Value| {
        let installed = found.get("packages").and_then(|all| all.get(path.as_str()));
        match installed {
            Some(installed) => installed.get("version") != package.get("version"),
            None => package.get("optional") != Some(&Value::Bool(true)),
        }
    };
    let named = packages.iter().filter(|(path, _)| !path.is_empty());
    named
        .filter(|(path, package)| is_missing(path, package))
        .map(|(path, _)| path.as_str())
        .collect()
}

fn node_advice() -> &'static str {
    if find_program("apt-get").is_some() {
        "sudo apt-get install -y nodejs npm"
    } else if find_program("brew").is_some() {
        "brew install node"
    } else {
        "install Node.js: https://nodejs.org/en/download"
    }
}

pub fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// Runs a step of the build whose output only matters when it fails.
pub fn step(project: &Project, name: &str, command: &mut Command) -> Result<()> {
    if name.contains('/') {
        bail!("{name} cannot name a log");
    }
    run_logged(command, name, &project.log(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_of_a_tool_is_that_of_its_library() {
        let lock = "[[package]]\nname = \"worker-macros\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n";
        assert_eq!(locked_version(lock, "worker").as_deref(), Some("0.8.7"));
        assert_eq!(locked_version(lock, "worker-macros").as_deref(), Some("0.1.0"));
        assert_eq!(locked_version(lock, "wor"), None);
        assert_eq!(locked_version("", "worker"), None);
    }

    #[test]
    fn packages_are_missing_when_absent_or_of_another_version() {
        let wanted = json!({"packages": {
            "": {"name": "passalong"},
            "node_modules/a": {"version": "1.0.0"},
            "node_modules/b": {"version": "1.0.0"},
            "node_modules/c": {"version": "1.0.0"},
            "node_modules/other-platform": {"version": "1.0.0", "optional": true},
            "node_modules/this-platform": {"version": "1.0.0", "optional": true},
        }});
        let found = json!({"packages": {
            "node_modules/a": {"version": "1.0.0"},
            "node_modules/b": {"version": "0.9.0"},
            "node_modules/this-platform": {"version": "0.9.0", "optional": true},
        }});
        let missing = ["node_modules/b", "node_modules/c", "node_modules/this-platform"];
        assert_eq!(missing_packages(&wanted, &found), missing);
        assert_eq!(missing_packages(&wanted, &json!({})).len(), 3);
        assert_eq!(missing_packages(&json!({}), &found), ["packages"]);
    }
}
