//! What a browser transfers for the widget, by part. The budget is a test.

use crate::build;
use crate::command::mend;
use crate::project::Project;
use crate::tools::set_up;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The loader (with glue and style sheet), the wasm module and the largest language, with brotli.
const BUDGET: u64 = 16_000;

pub fn size(project: &Project, arguments: &[String]) -> Result<()> {
    build::build(project, &set_up(project)?)?;
    let sizes = measure(project)?;
    match arguments.first().map(String::as_str) {
        None => print!("{}", table(&sizes)),
        Some("--json") => println!("{sizes:#}"),
        Some(other) => {
            return Err(mend(format!("size knows no {other}"), "cargo xtask size --json"));
        }
    }
    Ok(())
}

/// The size test: whether the built widget keeps the budget.
pub fn check(project: &Project) -> Result<String> {
    let sizes = measure(project)?;
    let total = number(sizes.get("transferred"), "brotli").context("no total")?;
    let verdict = format!("the widget transfers {total} of at most {BUDGET} bytes");
    ensure!(total <= BUDGET, "{verdict}\n{}", table(&sizes));
    Ok(verdict)
}

/// Node has the compressors; a compressor crate for one number is not worth its build time.
fn measure(project: &Project) -> Result<Value> {
    let mut node = project.node();
    let output = node.arg(project.path("xtask/scripts/size.mjs")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn table(sizes: &Value) -> String {
    let parts = sizes.get("parts").and_then(Value::as_array).into_iter().flatten();
    let lines = parts.chain(sizes.get("transferred")).map(|part| {
        let name = part.get("part").and_then(Value::as_str).unwrap_or_default();
        let [raw, gzip, brotli] =
            ["raw", "gzip", "brotli"].map(|kind| number(Some(part), kind).unwrap_or_default());
        format!("{name:<16}{raw:>9}{gzip:>9}{brotli:>9}\n")
    });
    format!("{:<16}{:>9}{:>9}{:>9}\n", "part", "raw", "gzip", "brotli") + &lines.collect::<String>()
}

fn number(part: Option<&Value>, kind: &str) -> Option<u64> {
    part?.get(kind)?.as_u64()
}
