//! Where a demonstration happens: a directory with the configuration, the store, the audit log and the logs.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{CREDENTIAL, DESTINATION};
use crate::cli::failure::Failure;
use crate::clock;
use crate::sandbox::Span;
use crate::vault::VaultKey;

/// The directory. Unless it is kept, it goes with this value.
pub(in crate::cli) struct Place {
    path: PathBuf,
    kept: bool,
}

/// How the sandbox behaves beside what every demonstration has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) seed: u64,
    /// How long the token endpoint takes.
    pub(super) token_latency: Span,
}

/// A token's life at LinkedIn is 60 days. This one has had half of it.
const HALF_LIFE_S: u64 = 30 * 86_400;

pub(super) const ACCESS_TOKEN: &str = "demo-access-token";
pub(super) const REFRESH_TOKEN: &str = "demo-refresh-token";
pub(super) const CLIENT_ID: &str = "demo-client";
pub(super) const CLIENT_SECRET: &str = "demo-secret";
pub(super) const RULE: &str = "789123";

impl Place {
    /// The directory to keep, which must be new or empty, or one of its own.
    pub(in crate::cli) fn make(keep: Option<&Path>) -> Result<Self, Failure> {
        let (path, kept) = match keep {
            Some(path) => (path.to_owned(), true),
            None => (temporary(), false),
        };
        let empty = match fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => true,
            Err(why) => return Err(Failure::usage(format!("{} cannot be used: {why}", path.display()))),
        };
        if !empty {
            return Err(Failure::usage(format!("{} is not empty", path.display()))
                .help("name a new directory after --keep: nothing that exists is overwritten"));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|why| Failure::new(format!("{} cannot be made: {why}", path.display())))?;
        let path = path.canonicalize()?;
        Ok(Place { path, kept })
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("outlast.toml")
    }

    pub(in crate::cli) fn store(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(in crate::cli) fn audit(&self) -> PathBuf {
        self.path.join("audit.jsonl")
    }

    pub(super) fn sandbox(&self) -> PathBuf {
        self.path.join("sandbox.json")
    }

    /// Where the store lies as the kill with this number left it.
    pub(super) fn killed(&self, number: usize) -> PathBuf {
        self.path.join(format!("killed-{number}"))
    }

    /// The timeline's file: beside what is kept, else where the command was given.
    pub(super) fn picture(&self) -> PathBuf {
        let name = "outlast-demo.svg";
        if self.kept { self.path.join(name) } else { PathBuf::from(name) }
    }

    /// Writes the options that the demonstration's sandbox starts with.
    pub(super) fn write_sandbox(&self, weather: Weather) -> Result<(), Failure> {
        let options = json!({
            "seed": weather.seed,
            "audit_log": self.audit(),
            "grants": [{
                "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN,
                "age_s": HALF_LIFE_S, "expires_in_s": HALF_LIFE_S,
            }],
            "switches": {
                "nodes": ["n1", "n2", "n3"],
                "visibility": {"uniform": {"min_ms": 2000, "max_ms": 8000}},
                "api_latency_ms": {"min_ms": 5, "max_ms": 25},
                "token_latency_ms": weather.token_latency,
            },
        });
        self.write_options(&options)
    }

    /// Writes the options that a sandbox starts with.
    pub(in crate::cli) fn write_options(&self, options: &serde_json::Value) -> Result<(), Failure> {
        write(&self.sandbox(), &format!("{options:#}\n"))
    }

    /// Writes the engine's configuration and key. The settle window and every other rule stay at their defaults.
    pub(super) fn write_config(&self, api: &str) -> Result<(), Failure> {
        VaultKey::create(&self.path.join("outlast.key")).map_err(|why| Failure::new(why.to_string()))?;
        write(
            &self.config(),
            &format!(
                "# Written by `outlast demo`.
[store]
path = \"data\"

[vault]
key_file = \"outlast.key\"

[network]
allow_loopback = true # the sandbox

[credential.{CREDENTIAL}]
profile = \"linkedin\"
client_id = \"{CLIENT_ID}\"
client_secret = \"{CLIENT_SECRET}\"
token_url = \"{api}/oauth/v2/accessToken\"

[destination.{DESTINATION}]
kind = \"linkedin-conversions\"
credential = \"{CREDENTIAL}\"
conversion_rule = \"{RULE}\"
api_base = \"{api}/rest\"
batch_size = 1 # so that each event is a request of its own
concurrency = {CONCURRENCY}
"
            ),
        )
    }

    /// The grant as `auth import` reads it.
    pub(super) fn grant() -> String {
        json!({"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN, "issued": "-30d", "expires": "+30d"})
            .to_string()
    }

    /// The end of a process's log, for those who have to find out why it ended.
    pub(super) fn log_end(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path.join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        last.join("\n")
    }
}

/// Requests in flight at once.
pub(super) const CONCURRENCY: u32 = 64;

const LOG_LINES: usize = 5;

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed lies in the system's directory for such things.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

fn temporary() -> PathBuf {
    let name = format!("outlast-demo-{}-{}", std::process::id(), clock::wall().as_millis());
    std::env::temp_dir().join(name)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|why| Failure::new(format!("{} cannot be written: {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sandbox::Options;

    #[test]
    fn what_is_written_can_be_read_by_those_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::make(Some(&folder.path().join("new"))).unwrap();
        place.write_config("http://127.0.0.1:1").unwrap();
        let config = Config::load(&place.config()).unwrap();
        assert_eq!(config.store, place.store());
        assert!(config.warnings().is_empty());
        place.write_sandbox(Weather { seed: 3, token_latency: Span { min_ms: 1, max_ms: 2 } }).unwrap();
        let text = fs::read_to_string(place.sandbox()).unwrap();
        let options = Options::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!((options.switches.nodes.len(), options.grants.len()), (3, 1));
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "").unwrap();
        assert!(Place::make(Some(folder.path())).is_err_and(|why| why.to_string().contains("not empty")));
    }

    #[test]
    fn what_is_not_kept_is_removed() {
        let place = Place::make(None).unwrap();
        let path = place.path().to_owned();
        fs::write(path.join("file"), "").unwrap();
        drop(place);
        assert!(!path.exists());
    }
}
