//! Processes that end when we do. Each is started as the leader of a process group of its own, so that a
//! stop reaches what it started in turn (wrangler starts workerd and esbuild), and Ctrl-C, which the
//! terminal sends to us alone then, is passed on.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(40);

/// Set by Ctrl-C, by a closed terminal, and by whoever asks us to end.
fn interruption() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// From here on a signal is noticed by whoever waits, instead of ending us at once.
pub fn notice_signals() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(interruption()))?;
    }
    Ok(())
}

pub fn is_interrupted() -> bool {
    interruption().load(Ordering::Relaxed)
}

pub struct Group {
    child: Child,
    leader: Pid,
}

impl Group {
    pub fn start(command: &mut Command, what: &str) -> Result<Self> {
        let child =
            command.process_group(0).spawn().with_context(|| format!("cannot start {what}"))?;
        let leader = Pid::from_child(&child);
        Ok(Self { child, leader })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end, calling `meanwhile` from time to time. On a signal everything is stopped.
    pub fn wait(mut self, mut meanwhile: impl FnMut()) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if is_interrupted() {
                drop(self);
                bail!("interrupted");
            }
            meanwhile();
            thread::sleep(POLL);
        }
    }

    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Asks all of the group to end; `drop` then waits for it.
    pub fn ask_to_end(&self) {
        // It may have ended by itself.
        let _ = kill_process_group(self.leader, Signal::TERM);
    }
}

impl Drop for Group {
    /// Leaves nothing of the group behind: politely first, then not.
    fn drop(&mut self) {
        self.ask_to_end();
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            // A leader that ended stays in its group until it is waited for.
            let leader_ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if leader_ended && test_kill_process_group(self.leader).is_err() {
                return;
            }
            thread::sleep(POLL);
        }
        let _ = kill_process_group(self.leader, Signal::KILL);
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn a_dropped_group_leaves_no_grandchild() {
        let mut shell = Command::new("sh");
        // The leader ends at once; what it left behind ignores the polite request for a moment only.
        shell.args(["-c", "sleep 600 & exit 0"]).stdout(Stdio::null());
        let mut group = Group::start(&mut shell, "a shell").unwrap();
        while group.ended().unwrap().is_none() {
            thread::yield_now();
        }
        let leader = group.leader;
        assert!(test_kill_process_group(leader).is_ok());
        drop(group);
        assert!(test_kill_process_group(leader).is_err());
    }
}
