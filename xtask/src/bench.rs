//! The benchmark: the built Worker and a peer in plain JS take turns under the same miniflare, in
//! tests/bench/bench.mjs, which measures; here only its start. `bench widget` is tests/bench/widget.mjs.

use crate::build;
use crate::command::say;
use crate::group::Group;
use crate::project::Project;
use crate::tools::set_up;
use anyhow::{Result, ensure};

pub fn bench(project: &Project, arguments: &[String]) -> Result<()> {
    build::build(project, &set_up(project)?)?;
    say("bench …");
    let (script, arguments) = match arguments.split_first() {
        Some((first, rest)) if first == "widget" => ("tests/bench/widget.mjs", rest),
        _ => ("tests/bench/bench.mjs", arguments),
    };
    let mut node = project.node();
    node.arg(project.path(script)).args(arguments);
    let status = Group::start(&mut node, "the benchmark")?.wait(|| ())?;
    ensure!(status.success(), "the benchmark: {status}");
    Ok(())
}
