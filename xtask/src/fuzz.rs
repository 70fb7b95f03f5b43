//! Random input for every parser: tests/fuzz is compiled fast and with all checks; here only its start.

use crate::command::say;
use crate::group::Group;
use crate::project::Project;
use anyhow::{Result, ensure};

pub fn fuzz(project: &Project, arguments: &[String]) -> Result<()> {
    say("fuzz …");
    let mut cargo = project.cargo();
    cargo.args(["run", "--quiet", "--profile", "fuzz", "--package", "passalong-fuzz", "--"]);
    let status = Group::start(cargo.args(arguments), "the parsers")?.wait(|| ())?;
    ensure!(status.success(), "the parsers: {status}");
    Ok(())
}
