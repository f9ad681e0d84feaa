//! The key from a command, such as a password manager's.

use std::io::{self, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::key::{FILE_CAP, Kind};
use super::{KeyError, VaultKey};

impl VaultKey {
    /// How long a command has by itself.
    pub const COMMAND_TIME: Duration = Duration::from_secs(30);

    /// The key that a command writes to its standard output, as base64 or hexadecimal. It is a program and its arguments;
    /// no shell reads it. It gets nothing to read, and what it says on standard error goes nowhere, because a log would
    /// keep it. Blocks until it has ended.
    ///
    /// # Errors
    /// The command cannot be started, does not end within `limit` (then it is killed), ends with another status than 0, or
    /// writes no key.
    pub fn from_command(command: &[String], limit: Duration) -> Result<Self, KeyError> {
        // Arguments may be secrets, so only the program is named.
        let name = command.first().map_or("", String::as_str);
        let failed = |kind| KeyError { place: format!("key command `{name}`"), kind };
        let Some((program, arguments)) = command.split_first() else { return Err(failed(Kind::NoCommand)) };
        let mut begun = Command::new(program);
        begun.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = begun.spawn().map_err(|why| failed(Kind::Io(why)))?;
        let ended = run(&mut child, limit);
        // One that has ended is not there to be killed, and was waited for.
        drop(child.kill());
        drop(child.wait());
        match ended.map_err(|why| failed(Kind::Io(why)))? {
            None => Err(failed(Kind::TooLate(limit))),
            Some((status, _)) if !status.success() => Err(failed(Kind::Failed(status))),
            Some((_, text)) => {
                std::str::from_utf8(&text).ok().and_then(VaultKey::read).ok_or_else(|| failed(Kind::Malformed))
            }
        }
    }
}

/// What a command wrote.
type Text = Zeroizing<Vec<u8>>;

/// How the command ended, and what it wrote; nothing if it takes too long.
fn run(child: &mut Child, limit: Duration) -> io::Result<Option<(ExitStatus, Text)>> {
    let Some(out) = child.stdout.take() else { return Ok(None) };
    let (sender, text) = mpsc::channel();
    // A thread of its own, which may outlive this call: a child of the command can hold its output open for ever.
    thread::Builder::new().name("vault key".into()).spawn(move || sender.send(read(out)))?;
    let mut ticks = limit.as_millis().div_euclid(TICK.as_millis());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if ticks == 0 {
            return Ok(None);
        }
        ticks = ticks.saturating_sub(1);
        thread::sleep(TICK);
    };
    match text.recv_timeout(LINGER.min(limit)) {
        Ok(text) => Ok(Some((status, text?))),
        Err(_) if !status.success() => Ok(Some((status, Text::default()))),
        Err(_) => Ok(None),
    }
}

/// Reads more than a key takes, and no more than that.
fn read(out: ChildStdout) -> io::Result<Text> {
    // Room for all that is read, so that no copy is left behind by a growing buffer.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_CAP));
    out.take(FILE_CAP as u64 / 2).read_to_end(&mut text)?;
    Ok(text)
}

/// So often is it looked whether the command has ended.
const TICK: Duration = Duration::from_millis(10);

/// The output of a command that has ended is there, unless a child of it keeps it open.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn shell(script: &str, limit: Duration) -> Result<VaultKey, String> {
        let command = ["sh", "-c", script, "canary-argument"].map(str::to_owned);
        VaultKey::from_command(&command, limit).map_err(|error| error.to_string())
    }

    fn failure(script: &str) -> String {
        let why = shell(script, VaultKey::COMMAND_TIME).err().unwrap_or_default();
        assert!(!why.contains("canary") && why.contains("key command `sh`") && why.contains("operator:"), "{why}");
        why
    }

    #[test]
    fn a_key_is_what_the_command_writes() {
        let key = shell(&format!("echo {KEY}; echo canary-words >&2"), VaultKey::COMMAND_TIME).unwrap();
        assert_eq!(key.bytes(), (0..32).collect::<Vec<u8>>());
        let hex = "printf '%s' 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        assert_eq!(shell(hex, VaultKey::COMMAND_TIME).unwrap().id(), key.id());
    }

    #[test]
    fn a_command_that_fails_is_told_by_its_status_and_not_quoted() {
        let why = failure(&format!("echo {KEY}; echo canary-words >&2; exit 3"));
        assert!(why.contains("exit status: 3") && !why.contains(KEY), "{why}");
        assert!(failure("echo canary-output").contains("does not hold 32 bytes"));
        assert!(failure("printf '\\377\\376'").contains("does not hold 32 bytes"));
        assert!(failure("kill -9 $$").contains("signal"), "a killed command says so");
        assert!(failure("yes canary").contains("key command"), "endless output is not read to its end");
    }

    #[test]
    fn a_command_that_is_not_there_or_has_no_name_is_told() {
        let missing = VaultKey::from_command(&["/no/such/program".to_owned()], VaultKey::COMMAND_TIME).err().unwrap();
        assert!(missing.to_string().contains("`/no/such/program`"), "{missing}");
        let empty = VaultKey::from_command(&[], VaultKey::COMMAND_TIME).err().unwrap();
        assert!(empty.to_string().contains("the list is empty; operator:"), "{empty}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("ran-on");
        let script = format!("sleep 5; echo {KEY}; touch '{}'", mark.display());
        let why = shell(&script, Duration::from_millis(300)).err().unwrap();
        assert!(why.contains("did not end within 0 s; operator:"), "{why}");
        // The shell is gone, so what stands after its sleep never happens; its sleep may live on, and holds nobody up.
        assert!(!mark.exists());
    }

    #[test]
    fn a_child_of_the_command_that_keeps_its_output_open_holds_nobody_up() {
        let why = shell(&format!("sleep 30 & echo {KEY}"), Duration::from_millis(500)).err().unwrap_or_default();
        assert!(why.contains("did not end within"), "{why}");
    }
}
