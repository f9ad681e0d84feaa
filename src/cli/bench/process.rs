//! The bench's own child processes: this same program with a task. A child tells what it has to tell as lines of JSON, and
//! ends when its task is over or its parent is gone.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use super::task::Task;
use crate::cli::failure::Failure;

/// A child at its task. Dropping it kills it.
pub(super) struct Worker {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    /// While this is open the parent lives.
    _input: Option<ChildStdin>,
}

impl Worker {
    /// Starts one.
    pub(super) fn start(task: &Task) -> Result<Self, Failure> {
        let failed =
            |why: &dyn std::fmt::Display| Failure::new(format!("a process of the bench cannot be started: {why}"));
        let task = serde_json::to_string(task).map_err(|why| failed(&why))?;
        let this = std::env::current_exe().map_err(|why| failed(&why))?;
        let mut command = Command::new(this);
        command.args(["bench", "--task", &task]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| failed(&why))?;
        let output = child.stdout.take().map(BufReader::new);
        let input = child.stdin.take();
        Ok(Worker { child, output, _input: input })
    }

    /// The next thing that it tells.
    pub(super) async fn told<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let ended = || Failure::new("a process of the bench ended before it had told what it measured");
        let mut output = self.output.take().ok_or_else(ended)?;
        let read = move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (output, line))
        };
        let (output, line) = tokio::task::spawn_blocking(read).await.map_err(|_| ended())?.map_err(|_| ended())?;
        self.output = Some(output);
        serde_json::from_str(&line).map_err(|_| ended())
    }

    /// SIGKILL, and waits until it is gone.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|why| Failure::new(format!("a process of the bench cannot be killed: {why}")))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.kill());
    }
}

/// Waits, as a child, until the parent is gone or has closed its end.
pub(super) async fn parent_gone() {
    let read = || drop(std::io::stdin().lock().read(&mut [0]));
    drop(tokio::task::spawn_blocking(read).await);
}
