//! The languages of the guides, whose code a test runs (tests/e2e/guides.test.mjs): in CI or as root, what
//! is missing comes from the package manager. Elsewhere the test fails and says how to get it.

use crate::command::{read_log, say, wait_logged, why};
use crate::project::{Project, find_program};
use anyhow::Result;
use std::env;

/// A program, and the package that brings it.
const LANGUAGES: [(&str, &str); 5] = [
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("php", "php-cli"),
    ("python3", "python3"),
    ("ruby", "ruby"),
];

pub fn languages(project: &Project) -> Result<()> {
    let missing = packages(|program| find_program(program).is_some());
    let is_root = rustix::process::geteuid().is_root();
    let is_ci = env::var("CI").is_ok_and(|value| value == "true");
    let may_install = (is_root || is_ci) && find_program("apt-get").is_some();
    if missing.is_empty() || !may_install {
        return Ok(());
    }
    say(format!("languages of the guides: installing {} with apt-get …", missing.join(", ")));
    let sudo = if is_root { "" } else { "sudo -n " };
    let script = format!(
        "{sudo}apt-get update && {sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y \
         --no-install-recommends {}",
        missing.join(" ")
    );
    let log = project.log("language-packages");
    let status = wait_logged(project.command("sh").args(["-c", &script]), "apt-get", &log)?;
    if !status.success() {
        say(format!("  apt-get does not have them for us: {}", why(&read_log(&log))));
    }
    Ok(())
}

/// The packages of the programs that are not there.
fn packages(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let missing = LANGUAGES.into_iter().filter(|(program, _)| !is_there(program));
    missing.map(|(_, package)| package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_from_its_package() {
        assert!(packages(|_| true).is_empty());
        assert_eq!(packages(|program| !["php", "ruby"].contains(&program)), ["php-cli", "ruby"]);
    }
}
