//! The processes of a demonstration: this same program, run as `sandbox` and as `serve`. None of them outlives its value.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::CREDENTIAL;
use super::place::Place;
use crate::cli::failure::Failure;
use crate::cli::socket::Client;
use crate::clock;

/// A process that runs.
pub(in crate::cli) struct Process {
    name: &'static str,
    child: Child,
}

/// Where the sandbox listens.
#[derive(Deserialize)]
pub(in crate::cli) struct Addresses {
    pub(in crate::cli) api: String,
    pub(in crate::cli) control: String,
}

/// The name of the engine's log, and of the sandbox's.
pub(super) const ENGINE_LOG: &str = "engine.log";
const SANDBOX_LOG: &str = "sandbox.log";

/// How long a process may take to be ready, and to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Starts the sandbox and waits until it says where it listens.
pub(in crate::cli) fn sandbox(place: &Place) -> Result<(Process, Addresses), Failure> {
    let mut command = program(place)?;
    command.args(["sandbox", "--json", "--options"]).arg(place.sandbox()).stdout(Stdio::piped());
    command.stderr(log(place, SANDBOX_LOG)?);
    let mut process = Process::spawn("the sandbox", &mut command)?;
    let mut line = String::new();
    if let Some(output) = process.child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let addresses = serde_json::from_str(&line)
        .map_err(|_| Failure::new(format!("the sandbox did not start:\n{}", place.log_end(SANDBOX_LOG))))?;
    Ok((process, addresses))
}

/// Has the credential authorised with the grant, as an operator would.
pub(super) fn authorise(place: &Place) -> Result<(), Failure> {
    let mut command = program(place)?;
    command.args(["auth", "import", CREDENTIAL]).stdin(Stdio::piped());
    command.stdout(log(place, ENGINE_LOG)?).stderr(log(place, ENGINE_LOG)?);
    let mut process = Process::spawn("the import of the grant", &mut command)?;
    if let Some(mut input) = process.child.stdin.take() {
        input.write_all(Place::grant().as_bytes())?;
    }
    if process.child.wait()?.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the grant cannot be imported:\n{}", place.log_end(ENGINE_LOG))))
}

/// Starts the engine. It takes a while until it is [ready](Process::ready).
pub(super) fn engine(place: &Place) -> Result<Process, Failure> {
    let mut command = program(place)?;
    command.arg("serve").stdout(log(place, ENGINE_LOG)?).stderr(log(place, ENGINE_LOG)?);
    Process::spawn("the engine", &mut command)
}

fn program(place: &Place) -> Result<Command, Failure> {
    let this = std::env::current_exe()
        .map_err(|why| Failure::new(format!("the program's own file cannot be found: {why}")))?;
    let mut command = Command::new(this);
    command.arg("--config").arg(place.config()).stdin(Stdio::null());
    Ok(command)
}

fn log(place: &Place, name: &str) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(place.path().join(name))
}

impl Process {
    fn spawn(name: &'static str, command: &mut Command) -> Result<Self, Failure> {
        let child = command.spawn().map_err(|why| Failure::new(format!("{name} cannot be started: {why}")))?;
        Ok(Process { name, child })
    }

    /// Fails if it has ended, which nobody asked it to.
    pub(in crate::cli) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!("{} ended by itself: {status}", self.name))),
        }
    }

    /// Waits until this engine answers on the socket of its store.
    pub(super) async fn ready(&mut self, place: &Place) -> Result<(), Failure> {
        let store = place.store();
        let deadline = clock::wall().as_millis().saturating_add(millis(PATIENCE));
        while clock::wall().as_millis() < deadline {
            self.check().map_err(|why| Failure::new(format!("{why}\n{}", place.log_end(ENGINE_LOG))))?;
            // One that was killed may have left its socket; then nobody answers.
            match Client::connect(&store).await? {
                Some((_, hello)) if hello.pid == self.child.id() => return Ok(()),
                _ => pause(PAUSE).await,
            }
        }
        Err(Failure::new(format!("{} was not ready in {} s", self.name, PATIENCE.as_secs())))
    }

    /// SIGKILL: it gets no chance to do anything about it.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// SIGTERM, and waits for the end. Whether it ended well.
    pub(in crate::cli) async fn stop(&mut self) -> Result<bool, Failure> {
        // The shell's own `kill`, which every system has, since the standard library sends no other signal than SIGKILL.
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid]).status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err(Failure::new(format!("{} cannot be sent SIGTERM", self.name)));
        }
        let deadline = clock::wall().as_millis().saturating_add(millis(PATIENCE));
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(ExitStatus::success(&status));
            }
            if clock::wall().as_millis() >= deadline {
                let message = format!("{} did not end within {} s of SIGTERM", self.name, PATIENCE.as_secs());
                return Err(Failure::new(message));
            }
            pause(PAUSE).await;
        }
    }

    /// The most memory that it ever had, in bytes, where the system tells.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kib.saturating_mul(1024))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the demonstration itself ends early.
        drop(self.kill());
    }
}

/// Waits.
pub(in crate::cli) async fn pause(span: Duration) {
    clock::wait(span, &CancellationToken::new()).await;
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
