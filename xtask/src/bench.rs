//! The benchmark: the built Worker and a peer in plain JS take turns under the same miniflare, in
//! tests/bench/bench.mjs, which measures; here only its start.

use crate::build;
use crate::command::say;
use crate::group::Group;
use crate::project::Project;
use crate::tools::set_up;
use anyhow::{Result, ensure};

pub fn bench(project: &Project, arguments: &[String]) -> Result<()> {
    build::build(project, &set_up(project)?)?;
    say("bench …");
    let mut node = project.node();
    node.arg(project.path("tests/bench/bench.mjs")).args(arguments);
    let status = Group::start(&mut node, "the benchmark")?.wait(|| ())?;
    ensure!(status.success(), "the benchmark: {status}");
    Ok(())
}
