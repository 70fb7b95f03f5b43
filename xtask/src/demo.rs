//! The demo: the built Worker under `wrangler dev`, a shop on an origin of its own, and the cron, until
//! Ctrl-C. What it keeps (secrets, KV, the shop's orders) is in target/demo; `target/demo.json` tells a
//! script where everything is and which keys fit.

use crate::command::{mend, read_log, say};
use crate::group::{Group, is_interrupted};
use crate::project::Project;
use crate::secrets::{kept_secrets, keys_of, write_private};
use crate::tools::set_up;
use crate::{build, http};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = "teehaus";
const CUSTOMERS: [&str; 3] = ["10023", "20871", "30412"];
const CRON: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    worker: u16,
    shop: u16,
}

impl Ports {
    fn worker_url(self) -> String {
        format!("http://127.0.0.1:{}", self.worker)
    }

    fn shop_url(self) -> String {
        format!("http://127.0.0.1:{}", self.shop)
    }
}

pub fn demo(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    let ports = ports(arguments)?;
    ports_are_free(ports)?;
    // Where the last run was killed, what it wrote there is no longer true.
    fs::remove_file(project.path("target/demo.json")).ok();
    let tools = set_up(project)?;
    build::build(project, &tools)?;
    let secrets = kept_secrets(&directory(project).join("secrets.json"))?;
    let keys = keys_of(project, &secrets, Some(PROGRAM))?;
    // The set-up may have taken minutes.
    ports_are_free(ports)?;

    let mut worker = start_worker(project, ports, &secrets)?;
    worker.wait_for(|| http::get(ports.worker, "/healthz", None), "/healthz")?;
    ensure_program(ports, &keys)?;
    let mut shop = start_shop(project, ports, &keys)?;
    shop.wait_for(|| http::get(ports.shop, "/", None), "/")?;
    let description = describe(ports, &keys);
    write_private(&project.path("target/demo.json"), &format!("{description:#}\n"))?;
    welcome(ports);

    let ended = keep_running(ports, text(&keys, "operator_key")?, [&mut worker, &mut shop]);
    say("stopping the Worker and the shop …");
    // Both are asked before either is waited for.
    worker.group.ask_to_end();
    shop.group.ask_to_end();
    drop((worker, shop));
    fs::remove_file(project.path("target/demo.json")).ok();
    ended.map(|()| ExitCode::SUCCESS)
}

fn ports(arguments: &[String]) -> Result<Ports> {
    let mut ports = Ports { worker: 8787, shop: 8788 };
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let port = match flag.as_str() {
            "--worker-port" => &mut ports.worker,
            "--shop-port" => &mut ports.shop,
            other => return Err(mend(format!("demo knows no {other}"), "cargo xtask help")),
        };
        let value = rest.next().and_then(|text| text.parse().ok()).filter(|port| *port > 0);
        *port = value.with_context(|| format!("{flag} needs a port, for example {flag} 9000"))?;
    }
    ensure!(ports.worker != ports.shop, "the Worker and the shop need a port each");
    Ok(ports)
}

fn ports_are_free(ports: Ports) -> Result<()> {
    for (port, who, flag) in
        [(ports.worker, "Worker", "--worker-port"), (ports.shop, "shop", "--shop-port")]
    {
        if !http::is_free(port) {
            let free = (port.saturating_add(10)..u16::MAX).find(|port| http::is_free(*port));
            return Err(mend(
                format!("port {port}, meant for the {who}, is in use"),
                format!("cargo xtask demo {flag} {}", free.unwrap_or(0)),
            ));
        }
    }
    Ok(())
}

fn directory(project: &Project) -> PathBuf {
    project.path("target/demo")
}

/// A part of the demo, with what it prints.
struct Part {
    group: Group,
    name: &'static str,
    log: PathBuf,
}

impl Part {
    fn start(project: &Project, name: &'static str, command: &mut Command) -> Result<Self> {
        let log = directory(project).join(format!("{}.log", name.to_lowercase()));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { group: Group::start(command, name)?, name, log })
    }

    fn is_running(&mut self) -> Result<()> {
        let Some(status) = self.group.ended()? else { return Ok(()) };
        let text = read_log(&self.log);
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(20)) {
            eprintln!("    {line}");
        }
        bail!("the {} ended ({status}); all it said: {}", self.name, self.log.display());
    }

    fn wait_for(&mut self, ask: impl Fn() -> Result<http::Answer>, what: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            self.is_running()?;
            ensure!(!is_interrupted(), "interrupted");
            let problem = match ask() {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("{what} answers {}: {}", answer.status, answer.body),
                Err(error) => format!("{what} does not answer: {error}"),
            };
            let patience = Duration::from_mins(1);
            ensure!(started.elapsed() < patience, "{problem}; see {}", self.log.display());
            thread::sleep(POLL);
        }
    }
}

fn start_worker(project: &Project, ports: Ports, secrets: &Value) -> Result<Part> {
    say("starting the Worker …");
    let directory = directory(project);
    let deployed = fs::read_to_string(project.path("wrangler.toml"))?;
    let config = directory.join("wrangler.toml");
    fs::write(&config, local_configuration(&deployed, &project.root))?;
    // Variables beside the configuration, so that no secret is ever a command's argument.
    let mut variables = String::from("TEST_CLOCK=on\n");
    for name in ["SIGNING_KEYS", "MERCHANT_KEY", "PSEUDONYM_KEY"] {
        writeln!(variables, "{name}='{}'", text(secrets, name)?)?;
    }
    write_private(&directory.join(".dev.vars"), &variables)?;

    let mut wrangler = project.command(project.npm_bin("wrangler"));
    wrangler.args(["dev", "--local", "--ip", "127.0.0.1", "--inspector-port", "0"]);
    wrangler.args(["--show-interactive-dev-session=false", "--log-level", "log"]);
    wrangler.args(["--port", &ports.worker.to_string(), "--config"]).arg(&config);
    wrangler.arg("--persist-to").arg(directory.join("kv"));
    wrangler.env("WRANGLER_WRITE_LOGS", "false").env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    wrangler.env("WRANGLER_REGISTRY_PATH", directory.join("registry")).env("NO_COLOR", "1");
    Part::start(project, "Worker", &mut wrangler)
}

/// The deployed configuration, without its build step and with paths that hold from where it lies.
fn local_configuration(deployed: &str, root: &Path) -> String {
    let mut is_in_build = false;
    let mut lines = Vec::new();
    for line in deployed.lines() {
        if line.starts_with('[') {
            is_in_build = line.trim() == "[build]";
        }
        if is_in_build {
            continue;
        }
        match line.split_once(" = ") {
            Some((key @ ("main" | "directory"), path)) => {
                let path = root.join(path.trim().trim_matches('"'));
                lines.push(format!("{key} = {}", json!(path.to_string_lossy())));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

fn start_shop(project: &Project, ports: Ports, keys: &Value) -> Result<Part> {
    say("starting the shop …");
    let mut shop = project.node();
    shop.arg(project.path("www/shop/server.mjs"));
    shop.env("PORT", ports.shop.to_string()).env("PASSALONG_URL", ports.worker_url());
    shop.env("PROGRAM", PROGRAM).env("DATA_FILE", directory(project).join("orders.json"));
    for name in ["server_api_key", "identity_secret", "operator_key"] {
        shop.env(name.to_uppercase(), text(keys, name)?);
    }
    Part::start(project, "shop", &mut shop)
}

/// Creates the demo's program, or leaves it as the last run (and the merchant) left it.
fn ensure_program(ports: Ports, keys: &Value) -> Result<()> {
    let landing_url = format!("{}/willkommen", ports.shop_url());
    let wanted = json!({
        "id": PROGRAM, "preset": "20-10", "name": "Teehaus Nord", "landing_url": landing_url,
        "allowed_hosts": ["127.0.0.1"], "currency": "EUR", "locale": "de-DE", "address": "du",
        "time_zone": "Europe/Berlin",
    });
    let key = text(keys, "server_api_key")?;
    let existing = http::get(ports.worker, "/v1/program", Some(key))?;
    if existing.status == 200 {
        return follow_shop(ports, key, existing.json()?, &landing_url);
    }
    let operator = text(keys, "operator_key")?;
    let answer = http::post(ports.worker, "/v1/programs", operator, Some(&wanted))?;
    ensure!(matches!(answer.status, 200 | 201), "no program: {} {}", answer.status, answer.body);
    say(format!("created the program {PROGRAM}"));
    Ok(())
}

/// A shop that was started on another port is reached there once the changed terms are valid.
fn follow_shop(ports: Ports, key: &str, mut program: Value, landing_url: &str) -> Result<()> {
    if program.get("landing_url").and_then(Value::as_str) == Some(landing_url) {
        say(format!("the program {PROGRAM} is there, as the last run left it"));
        return Ok(());
    }
    if let Some(fields) = program.as_object_mut() {
        fields.insert("landing_url".to_owned(), landing_url.into());
    }
    let answer = http::put(ports.worker, "/v1/program", key, &program)?;
    ensure!(answer.status == 200, "the terms cannot change: {} {}", answer.status, answer.body);
    say(
        "the shop moved to another port: referral links lead there in 10 minutes, when the new terms hold",
    );
    Ok(())
}

fn describe(ports: Ports, keys: &Value) -> Value {
    let mut description = json!({
        "worker_url": ports.worker_url(), "shop_url": ports.shop_url(), "program": PROGRAM, "customers": CUSTOMERS,
    });
    if let (Some(all), Some(keys)) = (description.as_object_mut(), keys.as_object()) {
        all.extend(keys.clone());
    }
    description
}

fn welcome(ports: Ports) {
    let (shop, worker) = (ports.shop_url(), ports.worker_url());
    println!(
        "
  Teehaus Nord is open. One referral, from end to end:

    1  {shop}/konto
       Log in as one of the three customers and copy the link: that is the widget.
    2  Open the link in a private window: a friend arrives, is greeted with the offer, and buys.
    3  Back in the account: one click, one purchase, a reward that waits, until when, and why.
    4  {shop}/haendler
       What a merchant's systems and calendar report: delivered, +1 day, refunded in part.
       The cron runs every 10 seconds.

  Shop    {shop}
  Worker  {worker}     site and tag
  Keys    target/demo.json     for scripts
  Logs    target/demo/worker.log, target/demo/shop.log

  Ctrl-C stops everything. Orders and referrals are kept for the next time (rm -r target/demo forgets them).
"
    );
}

/// Runs the cron until a signal comes (fine) or a part of the demo ends by itself (not fine).
fn keep_running(at: Ports, operator_key: &str, mut parts: [&mut Part; 2]) -> Result<()> {
    let mut last_run: Option<Instant> = None;
    let mut last_problem = String::new();
    while !is_interrupted() {
        for part in &mut parts {
            part.is_running()?;
        }
        if last_run.is_none_or(|run| run.elapsed() >= CRON) {
            last_run = Some(Instant::now());
            let problem = match http::post(at.worker, "/v1/cron", operator_key, None) {
                Ok(answer) if answer.status < 300 => String::new(),
                Ok(answer) => format!("the cron answers {}: {}", answer.status, answer.body),
                Err(error) => format!("the cron does not answer: {error}"),
            };
            if !problem.is_empty() && problem != last_problem {
                say(&problem);
            }
            last_problem = problem;
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str> {
    object.get(name).and_then(Value::as_str).with_context(|| format!("{name} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_runs_the_deployed_configuration_without_its_build_step() {
        let deployed = "name = \"x\"\nmain = \"edge/build/index.js\"\n\n[build]\ncommand = \"y\"\n\n[assets]\ndirectory = \"www/dist\"\n";
        let local = local_configuration(deployed, Path::new("/clone"));
        assert_eq!(
            local,
            "name = \"x\"\nmain = \"/clone/edge/build/index.js\"\n\n[assets]\ndirectory = \"/clone/www/dist\"\n"
        );
    }

    #[test]
    fn ports_are_read_and_wrong_ones_refused() {
        let read =
            |text: &str| ports(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap(), Ports { worker: 8787, shop: 8788 });
        assert_eq!(read("--shop-port 9000").unwrap(), Ports { worker: 8787, shop: 9000 });
        for wrong in
            ["--shop-port", "--shop-port x", "--worker-port 0", "--worker-port 8788", "--port 1"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let worker = taken.local_addr().unwrap().port();
        let error = ports_are_free(Ports { worker, shop: 0 }).unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {worker}")) && error.contains("--worker-port"),
            "{error}"
        );
    }
}
