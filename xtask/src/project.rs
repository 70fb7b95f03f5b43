//! Where things are: the clone, and the cache outside it that a fresh clone reuses.

use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Project {
    pub root: PathBuf,
    pub cache: PathBuf,
}

impl Project {
    pub fn here() -> Result<Self> {
        // Cargo says at run time where the manifest is; a clone may have been moved since it was compiled.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask has no parent directory")?.to_path_buf();
        let set =
            |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("PASSALONG_CACHE")
            .or_else(|| Some(set("XDG_CACHE_HOME")?.join("passalong")))
            .or_else(|| Some(set("HOME")?.join(".cache/passalong")))
            .context("neither PASSALONG_CACHE nor HOME is set")?;
        Ok(Self { root, cache })
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A program that npm installed.
    pub fn npm_bin(&self, name: &str) -> PathBuf {
        self.path("node_modules/.bin").join(name)
    }

    /// Where a long step writes what it prints.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path("target/xtask").join(format!("{name}.log"))
    }

    /// A command that runs in the clone and finds the programs npm installed before the machine's own:
    /// wrangler needs a newer Node than many machines have, and gets the one among them.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        // wrangler is started for every test file; V8 need not compile it anew each time.
        command.env("NODE_COMPILE_CACHE", self.path("target/xtask/node"));
        command.env("WRANGLER_SEND_METRICS", "false").env("WRANGLER_HIDE_BANNER", "true");
        command
    }

    /// The cargo that runs us.
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub fn node(&self) -> Command {
        self.command(self.npm_bin("node"))
    }

    fn search_path(&self) -> OsString {
        let own = self.path("node_modules/.bin");
        let inherited = env::var_os("PATH").unwrap_or_default();
        env::join_paths(std::iter::once(own).chain(env::split_paths(&inherited)))
            .unwrap_or(inherited)
    }
}

/// The first program of that name in the machine's own `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
