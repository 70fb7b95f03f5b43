//! The benchmarks, in tests/bench, which measure; here only their start: the built Worker beside its
//! peers (bench.mjs), or the built widget in a browser (`cargo xtask bench widget`, widget.mjs).

use crate::build;
use crate::command::say;
use crate::group::Group;
use crate::project::Project;
use crate::tools::set_up;
use anyhow::{Result, ensure};

pub fn bench(project: &Project, arguments: &[String]) -> Result<()> {
    build::build(project, &set_up(project)?)?;
    let (script, arguments) = match arguments.split_first() {
        Some((name, rest)) if name == "widget" => ("tests/bench/widget.mjs", rest),
        _ => ("tests/bench/bench.mjs", arguments),
    };
    say("bench …");
    let mut node = project.node();
    node.arg(project.path(script)).args(arguments);
    let status = Group::start(&mut node, "the benchmark")?.wait(|| ())?;
    ensure!(status.success(), "the benchmark: {status}");
    Ok(())
}
