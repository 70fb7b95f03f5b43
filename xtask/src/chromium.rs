//! Chromium, for the browser tests: one the machine has; else, in CI or as root, the package manager's;
//! else the one Playwright downloads.

use crate::command::{mend, output_of, read_log, say, wait_logged, why};
use crate::project::{Project, find_program, is_executable};
use anyhow::{Result, bail};
use std::env;
use std::path::{Path, PathBuf};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const APPS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

pub fn chromium(project: &Project) -> Result<PathBuf> {
    if let Some(named) = env::var_os("PASSALONG_CHROMIUM").map(PathBuf::from) {
        if !is_executable(&named) {
            bail!("PASSALONG_CHROMIUM names {}, which is no program", named.display());
        }
        return Ok(named);
    }
    if let Some(found) = on_the_machine().or_else(|| playwrights_own(project)) {
        return Ok(found);
    }
    let is_root = rustix::process::geteuid().is_root();
    let is_ci = env::var("CI").is_ok_and(|value| value == "true");
    let may_install = (is_root || is_ci) && find_program("apt-get").is_some();
    if may_install && let Some(found) = from_packages(project, is_root)? {
        return Ok(found);
    }
    download(project)
}

fn on_the_machine() -> Option<PathBuf> {
    let in_path = NAMES.iter().find_map(|name| find_program(name).filter(|path| starts(path)));
    in_path.or_else(|| APPS.iter().map(PathBuf::from).find(|path| is_executable(path)))
}

/// Some distributions put a script in Chromium's place that only says where to get it.
fn starts(path: &Path) -> bool {
    output_of(std::process::Command::new(path).arg("--version"))
        .is_some_and(|text| !text.is_empty())
}

fn playwrights_own(project: &Project) -> Option<PathBuf> {
    let script = "import('playwright-core').then((p) => console.log(p.chromium.executablePath()))";
    let path = PathBuf::from(output_of(project.node().args(["-e", script]))?);
    is_executable(&path).then_some(path)
}

/// With two fonts, so that pages have the letters they ask for.
fn from_packages(project: &Project, is_root: bool) -> Result<Option<PathBuf>> {
    say("Chromium: installing it with apt-get …");
    let sudo = if is_root { "" } else { "sudo -n " };
    let script = format!(
        "{sudo}apt-get update && {sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y \
         --no-install-recommends chromium fonts-liberation fonts-noto-core"
    );
    let log = project.log("chromium-packages");
    let status = wait_logged(project.command("sh").args(["-c", &script]), "apt-get", &log)?;
    if !status.success() {
        say(format!("  apt-get has no Chromium for us: {}", why(&read_log(&log))));
    }
    Ok(on_the_machine())
}

fn download(project: &Project) -> Result<PathBuf> {
    say("Chromium: downloading the one made for playwright-core …");
    let log = project.log("chromium-download");
    let mut install = project.command(project.npm_bin("playwright-core"));
    let status = wait_logged(install.args(["install", "chromium"]), "download", &log)?;
    let found = playwrights_own(project).filter(|_| status.success());
    found.ok_or_else(|| {
        let reason = why(&read_log(&log));
        mend(
            format!("there is no Chromium, and it could not be downloaded: {reason}"),
            "install Chromium or Chrome (sudo apt-get install -y chromium), or set PASSALONG_CHROMIUM to it",
        )
    })
}
