//! The keys that follow from a deployment's secrets: reads the secrets as JSON on stdin (never as
//! arguments, which everyone on the machine can read), prints the operator key (of the generation
//! `OPERATOR_GENERATION`, else the first) and, for the program
//! named, its API key and identity secret. `cargo xtask demo` and `cargo xtask secrets` call it.

use anyhow::{Context, Result, anyhow};
use passalong_core::ids::ProgramId;
use passalong_core::keys::Secrets;
use serde_json::{Value, json};

/// Keys that were never revoked are of the first generation.
const GENERATION: u32 = 1;

fn main() -> Result<()> {
    let given: Value = serde_json::from_reader(std::io::stdin()).context("stdin")?;
    let secret = |name: &str| given.get(name).and_then(Value::as_str).context(name.to_owned());
    let secrets =
        Secrets::parse(secret("SIGNING_KEYS")?, secret("MERCHANT_KEY")?, secret("PSEUDONYM_KEY")?)
            .map_err(|error| anyhow!("{error}"))?;
    let operator = given.get("OPERATOR_GENERATION").and_then(Value::as_u64);
    let operator = operator.and_then(|number| u32::try_from(number).ok()).unwrap_or(GENERATION);
    let mut keys = json!({ "operator_key": secrets.operator_key(operator) });
    if let (Some(name), Some(keys)) = (std::env::args().nth(1), keys.as_object_mut()) {
        let program: ProgramId = name.parse().map_err(|_| anyhow!("{name} is no program id"))?;
        keys.insert("server_api_key".to_owned(), secrets.api_key(&program, GENERATION).into());
        keys.insert(
            "identity_secret".to_owned(),
            secrets.identity_secret(&program, GENERATION).into(),
        );
    }
    println!("{keys}");
    Ok(())
}
