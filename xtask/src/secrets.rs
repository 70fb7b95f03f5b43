//! New secrets: for a deployment (`cargo xtask secrets`) and for the demo, which keeps its own.

use crate::command::{mend, run_logged};
use crate::project::Project;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

/// `cargo xtask secrets [FILE]`: JSON as `wrangler deploy --secrets-file` and `wrangler secret bulk` take
/// it, and the operator key that follows from it, on stderr so that it does not end up in the file.
pub fn secrets(project: &Project, arguments: &[String]) -> Result<()> {
    if let [flag, generation, file] = arguments
        && flag == "--operator-generation"
    {
        return operator_key(project, generation, file);
    }
    let secrets = random_secrets()?;
    let keys = keys_of(project, &secrets, None)?;
    match arguments.first() {
        None => println!("{secrets:#}"),
        Some(file) => {
            let path = std::env::current_dir()?.join(file);
            if path.exists() {
                return Err(mend(
                    format!(
                        "{file} exists; new secrets would lock you out of what the old ones sealed"
                    ),
                    "cargo xtask secrets another-file.json",
                ));
            }
            write_private(&path, &format!("{secrets:#}\n"))?;
            eprintln!(
                "Secrets:       {file}. Keep it where you keep passwords: PSEUDONYM_KEY cannot be replaced."
            );
        }
    }
    let operator_key = keys.get("operator_key").and_then(Value::as_str).unwrap_or_default();
    eprintln!("Operator key:  {operator_key}");
    eprintln!("  It follows from MERCHANT_KEY and creates programs: POST /v1/programs.");
    Ok(())
}

/// `cargo xtask secrets --operator-generation N FILE`: the operator key to change to, when the one in
/// force got lost.
fn operator_key(project: &Project, generation: &str, file: &str) -> Result<()> {
    let generation: u32 = generation.parse().context("the generation is a number")?;
    let mut secrets = crate::tools::read_json(&std::env::current_dir()?.join(file))?;
    if let Some(fields) = secrets.as_object_mut() {
        fields.insert("OPERATOR_GENERATION".to_owned(), generation.into());
    }
    let keys = keys_of(project, &secrets, None)?;
    println!("{}", keys.get("operator_key").and_then(Value::as_str).unwrap_or_default());
    Ok(())
}

/// Secrets that stay the same from run to run.
pub fn kept_secrets(path: &Path) -> Result<Value> {
    if path.exists() {
        return crate::tools::read_json(path);
    }
    let secrets = random_secrets()?;
    write_private(path, &format!("{secrets:#}\n"))?;
    Ok(secrets)
}

/// The keys that follow from secrets, by the core's own rules (`src/bin/keys.rs`).
pub fn keys_of(project: &Project, secrets: &Value, program: Option<&str>) -> Result<Value> {
    let mut compile = project.cargo();
    compile.args(["build", "--package", "xtask", "--features", "keys", "--bin", "keys"]);
    run_logged(&mut compile, "compiling the key rules", &project.log("keys"))?;
    let mut cargo = project.cargo();
    cargo.args([
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--features",
        "keys",
        "--bin",
        "keys",
        "--",
    ]);
    cargo.args(program).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot start cargo")?;
    child.stdin.take().context("no stdin")?.write_all(secrets.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "no keys follow from the secrets: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn random_secrets() -> Result<Value> {
    let one = || -> Result<String> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(base64url(&bytes))
    };
    Ok(json!({
        "SIGNING_KEYS": format!("0:{}", one()?),
        "MERCHANT_KEY": one()?,
        "PSEUDONYM_KEY": one()?,
    }))
}

/// Writes a file that only its owner can read, from its first byte on.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let word = word << (8 * (3 - three.len()));
        for index in 0..=three.len() {
            let digit = (word >> (18 - 6 * index)) & 63;
            text.extend(ALPHABET.get(digit as usize).map(|character| char::from(*character)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_rfc_4648_without_padding() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xbf], "-_-_"),
        ] {
            assert_eq!(base64url(bytes), text);
        }
    }

    #[test]
    fn secrets_are_32_bytes_each_and_never_the_same() {
        let (one, two) = (random_secrets().unwrap(), random_secrets().unwrap());
        for name in ["SIGNING_KEYS", "MERCHANT_KEY", "PSEUDONYM_KEY"] {
            let text = one[name].as_str().unwrap();
            assert_eq!(text.trim_start_matches("0:").len(), 43, "{name}");
            assert_ne!(one[name], two[name]);
        }
    }

    #[test]
    fn a_private_file_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("passalong-private-{}", std::process::id()));
        write_private(&path, "secret").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
    }
}
