//! The build: the Worker into edge/build, and the files beside it into www/dist.
//!
//! ```text
//! www/dist/                        what is served as files
//!   index.html …                   the site, as it is in www/site
//!   pass-along.js                  the loader: the one file a merchant's page names
//!   pass-along/<version>/          everything it loads, and itself: never changes, cached for a year
//!     widget.wasm pass-along.js more.js {me,offer,more}/<language>.json
//!   _headers                       who may read them, and for how long they keep
//! ```
//!
//! Cargo decides what must be compiled; what follows is skipped when its inputs are the same.

use crate::command::{mend, output_of, say};
use crate::project::Project;
use crate::stamp::{Stamp, files_below, unless_done};
use crate::tools::{Tools, step, take_turn};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// What the widget's loader calls.
const WIDGET_EXPORTS: [&str; 6] = ["memory", "start", "show", "hear", "copied", "settled"];

/// The features that every browser in use today knows that can stream wasm.
const FEATURES: [&str; 6] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-reference-types",
];

/// The loader revalidates on every page: a cached one would ask for a version that the next deployment
/// has removed. It costs a 304; all that it loads is under a path that never changes.
const HEADERS: &str = "\
/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: strict-origin-when-cross-origin

/pass-along.js
  Access-Control-Allow-Origin: *
  Cross-Origin-Resource-Policy: cross-origin
  Cache-Control: public, max-age=0, must-revalidate

/pass-along/*
  Access-Control-Allow-Origin: *
  Cross-Origin-Resource-Policy: cross-origin
  Cache-Control: public, max-age=31536000, immutable
";

pub fn build(project: &Project, tools: &Tools) -> Result<()> {
    let _turn = take_turn(project)?;
    worker(project, tools)?;
    widget(project, tools)
}

/// `cargo xtask build [worker] [widget]`
pub fn some(project: &Project, tools: &Tools, parts: &[String]) -> Result<()> {
    if parts.is_empty() {
        return build(project, tools);
    }
    let _turn = take_turn(project)?;
    for part in parts {
        match part.as_str() {
            "worker" => worker(project, tools)?,
            "widget" => widget(project, tools)?,
            other => return Err(mend(format!("build knows no {other}"), "cargo xtask build")),
        }
    }
    Ok(())
}

/// The Worker with the route that panics, for the tests alone: target/xtask/panic.
pub fn panicking_worker(project: &Project, tools: &Tools) -> Result<()> {
    let _turn = take_turn(project)?;
    let with = ["--profile", "panic", "--features", "panic-route"];
    let module = compile(project, "passalong-edge", "panic", &with)?;
    let outputs = [project.path("target/xtask/panic")];
    let inputs = common_inputs(project, &module, &tools.worker_build)?;
    let note = project.path("target/xtask/panic.stamp");
    let done = unless_done(&note, inputs, &outputs, || {
        let mut command = with_binaries(project, tools, &tools.worker_build);
        command.args(["--profile", "panic", "--no-opt", "--out-dir", "../target/xtask/panic"]);
        command.args(["edge", "--features", "panic-route"]);
        step(project, "worker-build-panic", &mut command)
    })?;
    say(format!("Worker that panics: target/xtask/panic{}", unchanged(done)));
    Ok(())
}

fn worker(project: &Project, tools: &Tools) -> Result<()> {
    let module = compile(project, "passalong-edge", "release", &["--release"])?;
    let outputs = [project.path("edge/build")];
    let inputs = common_inputs(project, &module, &tools.worker_build)?;
    let done = unless_done(&project.path("target/xtask/worker.stamp"), inputs, &outputs, || {
        say("Worker: worker-build, wasm-opt …");
        let mut command = with_binaries(project, tools, &tools.worker_build);
        step(project, "worker-build", command.args(["--release", "edge"]))
    })?;
    let size = fs::metadata(project.path("edge/build/index_bg.wasm"))?.len();
    say(format!("Worker: edge/build, {} kB of wasm{}", size / 1000, unchanged(done)));
    Ok(())
}

fn widget(project: &Project, tools: &Tools) -> Result<()> {
    let module = compile(project, "passalong-widget", "release", &["--release"])?;
    let dist = project.path("www/dist");
    let mut inputs = common_inputs(project, &module, &tools.wasm_bindgen)?;
    for source in
        ["widget/loader", "widget/style.css", "widget/more.css", "widget/texts", "www/site"]
    {
        inputs.add_path(&project.path(source))?;
    }
    let note = project.path("target/xtask/widget.stamp");
    let done = unless_done(&note, inputs, std::slice::from_ref(&dist), || {
        say("widget: wasm-bindgen, wasm-opt, esbuild …");
        assemble(project, tools, &module, &dist)
    })?;
    say(format!("widget: www/dist{}", unchanged(done)));
    Ok(())
}

/// Makes www/dist beside the old one and swaps them, so that no half-written version is ever served.
fn assemble(project: &Project, tools: &Tools, module: &Path, dist: &Path) -> Result<()> {
    let work = project.path("target/xtask/widget");
    fs::remove_dir_all(&work).ok();
    let (parts, next) = (work.join("parts"), work.join("dist"));
    fs::create_dir_all(&parts)?;
    widget_parts(project, tools, module, &work, &parts)?;

    let version = version_of(project, &work, &parts)?;
    let loader = bundle_loader(project, &version, &work)?;
    copy_tree(&project.path("www/site"), &next)?;
    let versioned = next.join("pass-along").join(&version);
    copy_tree(&parts, &versioned)?;
    fs::write(versioned.join("pass-along.js"), &loader)?;
    fs::write(next.join("pass-along.js"), &loader)?;
    fs::write(next.join("_headers"), HEADERS)?;

    let old = work.join("old");
    if dist.exists() {
        fs::rename(dist, &old)?;
    }
    fs::rename(&next, dist).with_context(|| format!("cannot make {}", dist.display()))?;
    Ok(())
}

/// Everything the loader loads.
fn widget_parts(
    project: &Project,
    tools: &Tools,
    module: &Path,
    work: &Path,
    parts: &Path,
) -> Result<()> {
    let glue = work.join("glue");
    let mut bindgen = project.command(&tools.wasm_bindgen);
    // The module speaks with the loader in numbers alone: of the glue that comes out, nothing is needed.
    bindgen.args(["--target", "bundler", "--no-typescript"]);
    bindgen.args(["--remove-name-section", "--remove-producers-section"]);
    bindgen.args(["--out-name", "widget", "--out-dir"]).arg(&glue).arg(module);
    step(project, "wasm-bindgen", &mut bindgen)?;

    // Only what the loader calls; with it goes the table that wasm-bindgen makes for its glue.
    let graph = work.join("exports.json");
    fs::write(&graph, exports_graph(&WIDGET_EXPORTS).to_string())?;
    let mut prune = project.command(project.npm_bin("wasm-metadce"));
    prune.args(FEATURES).arg("-f").arg(&graph);
    prune.arg("-o").arg(work.join("pruned.wasm")).arg(glue.join("widget_bg.wasm"));
    step(project, "wasm-metadce", &mut prune)?;

    let mut optimise = project.command(project.npm_bin("wasm-opt"));
    optimise.args(["-Oz", "--converge"]);
    optimise.args(["--strip-debug", "--strip-producers", "--strip-target-features"]).args(FEATURES);
    optimise.arg("-o").arg(parts.join("widget.wasm")).arg(work.join("pruned.wasm"));
    step(project, "wasm-opt", &mut optimise)?;

    for name in ["style.css", "more.css"] {
        let mut style = esbuild(project);
        style.arg(project.path("widget").join(name)).arg("--minify");
        step(project, "esbuild-style", style.arg(outfile(&work.join(name))))?;
    }

    let mut more = esbuild(project);
    more.arg(project.path("widget/loader/more.js")).args(["--bundle", "--format=esm", "--minify"]);
    let style = fs::read_to_string(work.join("more.css"))?;
    more.arg(format!("--define:__MORE_STYLE__={}", json!(style.trim())));
    step(project, "esbuild-more", more.arg(outfile(&parts.join("more.js"))))?;

    texts(&project.path("widget/texts"), parts)
}

/// One file for each card and language, with what both cards say; and one for what is rarely wanted.
fn texts(from: &Path, parts: &Path) -> Result<()> {
    let read = |path: &Path| -> Result<Map<String, Value>> {
        Ok(serde_json::from_value(crate::tools::read_json(path)?)?)
    };
    for (folder, with_both) in [("me", true), ("offer", true), ("more", false)] {
        fs::create_dir(parts.join(folder))?;
        for file in files_below(&from.join(folder))? {
            let name = file.file_name().context("a language file without a name")?;
            let mut texts = if with_both { read(&from.join(name))? } else { Map::new() };
            texts.append(&mut read(&file)?);
            // Written for people with white space, sent without.
            fs::write(parts.join(folder).join(name), serde_json::to_string(&texts)?)?;
        }
    }
    Ok(())
}

/// What `wasm-metadce` keeps: the root reaches every export that is named.
fn exports_graph(exports: &[&str]) -> Value {
    let kept = exports.iter().map(|name| json!({ "name": name, "export": name }));
    let root = json!({ "name": "root", "root": true, "reaches": exports });
    kept.chain([root]).collect()
}

/// A version is named after all that it serves, the loader included.
fn version_of(project: &Project, work: &Path, parts: &Path) -> Result<String> {
    let mut stamp = Stamp::default();
    stamp.add_path(parts)?.add(bundle_loader(project, "", work)?);
    Ok(stamp.hex().chars().take(12).collect())
}

fn bundle_loader(project: &Project, version: &str, work: &Path) -> Result<Vec<u8>> {
    let out = work.join("pass-along.js");
    let mut bundle = esbuild(project);
    bundle.arg(project.path("widget/loader/pass-along.js"));
    bundle.args(["--bundle", "--format=iife", "--minify"]);
    bundle.arg(format!("--define:__VERSION__=\"{version}\""));
    let style = fs::read_to_string(work.join("style.css"))?;
    bundle.arg(format!("--define:__STYLE__={}", json!(style.trim()))).arg(outfile(&out));
    step(project, "esbuild-loader", &mut bundle)?;
    Ok(fs::read(&out)?)
}

fn esbuild(project: &Project) -> Command {
    let mut command = project.command(project.npm_bin("esbuild"));
    command.args(["--target=chrome94,firefox93,safari15", "--charset=utf8", "--log-level=warning"]);
    command
}

fn outfile(path: &Path) -> String {
    format!("--outfile={}", path.display())
}

/// Compiles a crate to wasm and says where the module is.
fn compile(project: &Project, package: &str, profile: &str, with: &[&str]) -> Result<PathBuf> {
    let mut cargo = project.cargo();
    cargo.args(["build", "--lib", "--target", TARGET, "--package", package]).args(with);
    // The shape `worker-build` compiles in; with it here, its own run finds everything done.
    cargo.env("WASM_BINDGEN_USE_JS_SYS", "1");
    step(project, package, &mut cargo)?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project.path("target"), |directory| project.path(directory));
    Ok(target.join(TARGET).join(profile).join(file))
}

/// What decides over the outputs besides the sources: the tools, of which the npm ones are locked.
fn common_inputs(project: &Project, module: &Path, tool: &Path) -> Result<Stamp> {
    let mut stamp = Stamp::default();
    // How it is done is part of what comes out.
    stamp.add(include_str!("build.rs"));
    stamp.add(output_of(Command::new(tool).arg("--version")).unwrap_or_default());
    stamp.add_path(&project.path("package-lock.json"))?.add_path(module)?;
    Ok(stamp)
}

/// `worker-build` looks here before it downloads anything.
fn with_binaries(project: &Project, tools: &Tools, program: &Path) -> Command {
    let mut command = project.command(program);
    command.env("WASM_BINDGEN_BIN", &tools.wasm_bindgen);
    command.env("WASM_OPT_BIN", project.npm_bin("wasm-opt"));
    command.env("ESBUILD_BIN", project.npm_bin("esbuild"));
    command
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in files_below(from)? {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(directory) = target.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::copy(&file, target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

fn unchanged(done: bool) -> &'static str {
    if done { "" } else { " (unchanged)" }
}
