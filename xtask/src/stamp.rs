//! Digests of inputs and outputs: a step whose inputs have not changed and whose outputs are still the
//! ones it made is skipped, and versioned paths are named after what is in them.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// A digest of names and contents, in the order given.
#[derive(Default)]
pub struct Stamp(Sha256);

impl Stamp {
    /// Adds text or bytes; the length keeps neighbours apart.
    pub fn add(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a file, or every file below a directory. What does not exist adds its absence.
    pub fn add_path(&mut self, path: &Path) -> Result<&mut Self> {
        for file in files_below(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            self.add(name.as_os_str().as_encoded_bytes());
            self.add(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
        Ok(self.add("end"))
    }

    pub fn hex(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// All files below a directory, sorted; a file is below itself.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![path.to_path_buf()];
    while let Some(next) = open.pop() {
        if next.is_dir() {
            let entries = fs::read_dir(&next).with_context(|| next.display().to_string())?;
            for entry in entries {
                open.push(entry?.path());
            }
        } else if next.exists() {
            found.push(next);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs `work` unless `note` says that the same inputs led to the outputs that are there now. Returns
/// whether it ran.
pub fn unless_done(
    note: &Path,
    inputs: Stamp,
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    let inputs = inputs.hex();
    let state = || -> Result<String> {
        let mut stamp = Stamp::default();
        for output in outputs {
            stamp.add_path(output)?;
        }
        Ok(format!("{inputs} {}", stamp.hex()))
    };
    if fs::read_to_string(note).is_ok_and(|noted| state().is_ok_and(|now| now == noted)) {
        return Ok(false);
    }
    fs::remove_file(note).ok();
    work()?;
    if let Some(directory) = note.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(note, state()?)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(parts: &[&str]) -> String {
        let mut stamp = Stamp::default();
        for part in parts {
            stamp.add(part);
        }
        stamp.hex()
    }

    #[test]
    fn neighbours_do_not_run_together() {
        assert_ne!(stamp(&["ab", "c"]), stamp(&["a", "bc"]));
        assert_eq!(stamp(&["ab", "c"]), stamp(&["ab", "c"]));
        assert_eq!(stamp(&[]).len(), 64);
    }

    #[test]
    fn work_is_done_again_when_inputs_or_outputs_changed_and_when_it_failed() {
        let directory =
            std::env::temp_dir().join(format!("passalong-stamp-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (note, output) = (directory.join("note"), directory.join("output"));
        let outputs = [output.clone()];
        let run = |input: &str, content: &'static str| {
            let mut inputs = Stamp::default();
            inputs.add(input);
            unless_done(&note, inputs, &outputs, || Ok(fs::write(&output, content)?)).unwrap()
        };
        assert!(run("one", "made"));
        assert!(!run("one", "made"));
        assert!(run("two", "made"));
        fs::write(&output, "changed by hand").unwrap();
        assert!(run("two", "made"));
        fs::remove_file(&output).unwrap();
        assert!(run("two", "made"));
        let failed = unless_done(&note, Stamp::default(), &outputs, || anyhow::bail!("no"));
        assert!(failed.is_err());
        assert!(run("two", "made"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
