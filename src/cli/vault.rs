//! `outlast vault`

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::session::{Purpose, Session};
use crate::config::{Config, KeySource};
use crate::vault::{KeyError, KeyId, KeyringEntry, VaultKey};
use crate::view::{Rekeyed, SealedView, VaultView};

/// The key that tokens are sealed with: make one, see what it opens, change it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Vault,
}

#[derive(Subcommand)]
enum Vault {
    NewKey(NewKey),
    Check(Check),
    Rekey(Rekey),
}

/// Make a new key. Nothing that exists is overwritten
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast vault new-key new.key
  outlast vault new-key --stdout | op document create - --title outlast-vault
  outlast vault new-key --keyring outlast/vault")]
struct NewKey {
    /// The file that is to hold it, which only you can read
    #[arg(value_name = "FILE", required_unless_present_any = ["stdout", "keyring"])]
    file: Option<PathBuf>,
    /// Write it to stdout, for a secret manager; refused on a terminal
    #[arg(long, conflicts_with_all = ["file", "keyring", "json"])]
    stdout: bool,
    /// Keep it in this entry of the system's keyring
    #[arg(long, value_name = "SERVICE/ACCOUNT", conflicts_with = "file")]
    keyring: Option<String>,
    /// Its name and place, as JSON
    #[arg(long)]
    json: bool,
}

/// See whether everything that is sealed opens, and with which key
#[derive(clap::Args)]
#[command(after_help = "Exit code 1 if something does not open.")]
struct Check {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

/// Seal everything with another key, while the engine delivers
#[derive(clap::Args)]
#[command(after_help = REKEY_HELP)]
struct Rekey {
    /// To the key in this file
    #[arg(long, value_name = "FILE", group = "to")]
    to_file: Option<PathBuf>,
    /// To the key in this environment variable
    #[arg(long, value_name = "NAME", group = "to")]
    to_env: Option<String>,
    /// To the key in this entry of the system's keyring
    #[arg(long, value_name = "SERVICE/ACCOUNT", group = "to")]
    to_keyring: Option<String>,
    /// To the key that this program writes; everything after it belongs to it
    #[arg(long, value_name = "PROGRAM", group = "to", num_args = 1.., allow_hyphen_values = true)]
    to_command: Option<Vec<String>>,
    /// What was done, as JSON
    #[arg(long)]
    json: bool,
}

const REKEY_HELP: &str = r#"Without --to-…, to the key that [vault] names now. That is the safer way, because a crash at any point leaves a
store that opens with what the configuration names:
  outlast vault new-key new.key
  in outlast.toml:  key_file = "new.key"  and  old_keys = [{ key_file = "outlast.key" }]
  outlast vault rekey
  outlast vault check     then take old_keys out again

It can be repeated: what is sealed with the key already is left as it is. Backups stay sealed with the key of their time.

Examples:
  outlast vault rekey
  outlast vault rekey --to-file new.key
  outlast vault rekey --json --to-command op read op://infra/outlast/key"#;

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    match args.command {
        Vault::NewKey(args) => new_key(args),
        Vault::Check(args) => check(config, &args).await,
        Vault::Rekey(args) => rekey(config, args).await,
    }
}

/// A key that was made.
#[derive(Serialize)]
struct Made {
    key: String,
    place: String,
}

fn new_key(args: NewKey) -> Result<(), Failure> {
    if args.stdout {
        if std::io::stdout().is_terminal() {
            return Err(Failure::usage("stdout is a terminal, where the key could be read")
                .help("pipe it to a secret manager, or name a FILE"));
        }
        let key = VaultKey::random().map_err(|why| refused(&why))?;
        print::note(&format!("key {}", key.id()));
        return print::line(key.text().reveal());
    }
    let (source, key) = match (args.keyring, args.file) {
        (Some(text), _) => {
            let entry = entry(&text)?;
            let key = VaultKey::create_in_keyring(&entry);
            (KeySource::Keyring(entry), key)
        }
        (None, file) => {
            let file = file.unwrap_or_default();
            let key = VaultKey::create(&file);
            (KeySource::File(file), key)
        }
    };
    let key = key.map_err(|why| refused(&why))?.id();
    if args.json {
        return print::json(&Made { key: key.to_string(), place: source.to_string() });
    }
    print::line(&format!("made key {key} in {source} (only you can read it; back it up, apart from the store)"))
}

fn entry(text: &str) -> Result<KeyringEntry, Failure> {
    KeyringEntry::parse(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no entry of a keyring"))
            .help("write it as SERVICE/ACCOUNT, such as outlast/vault")
    })
}

fn refused(why: &KeyError) -> Failure {
    Failure::new(why.to_string())
}

/// What `vault check` found.
#[derive(Serialize)]
struct Found<'a> {
    ok: bool,
    keys: Vec<KeyInUse<'a>>,
    records: &'a [SealedView],
}

/// A key of the vault.
#[derive(Serialize)]
struct KeyInUse<'a> {
    key: &'a str,
    /// Whether new tokens are sealed with it.
    seals: bool,
    /// How many records need it.
    records: usize,
}

async fn check(config: &Path, args: &Check) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let view = session.ask::<VaultView>(Request::Vault).await;
    session.close().await?;
    let VaultView { keys, records } = view?;
    let needing = |key: &str| records.iter().filter(|record| record.key.as_deref() == Some(key)).count();
    let keys: Vec<KeyInUse<'_>> =
        (0..).zip(&keys).map(|(place, key)| KeyInUse { key, seals: place == 0, records: needing(key) }).collect();
    let broken = records.iter().filter(|record| record.problem.is_some()).count();
    if args.json {
        print::json(&Found { ok: broken == 0, keys, records: &records })?;
    } else {
        for KeyInUse { key, seals, records } in &keys {
            let what = if *seals { "seals, and opens" } else { "opens" };
            print::line(&format!("key {key} {what} {records} records"))?;
        }
        let rows: Vec<[String; 5]> = records.iter().map(row).collect();
        print::table(["CREDENTIAL", "RECORD", "EPOCH", "KEY", "STATE"], &rows)?;
    }
    match broken {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} of {} records do not open", records.len()))
            .help("configure the key that they were sealed with, in old_keys, or authorise their credentials again")),
    }
}

fn row(record: &SealedView) -> [String; 5] {
    let SealedView { credential, what, epoch, key, problem } = record;
    let state = problem.as_ref().map_or_else(|| "opens".to_owned(), |why| print::short(why, 200));
    [credential.clone(), what.clone(), epoch.to_string(), key.clone().unwrap_or_else(|| "-".to_owned()), state]
}

/// What `vault rekey` did.
#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    rekeyed: Rekeyed,
    /// Whether the configuration names the key as the one that seals; nothing where it cannot be read.
    configured: Option<bool>,
    next: Vec<String>,
}

impl Rekey {
    /// Where the new key is; nothing where the configuration says it.
    fn source(&self) -> Result<Option<KeySource>, Failure> {
        Ok(match (&self.to_file, &self.to_env, &self.to_keyring, &self.to_command) {
            // The configuration counts from its own directory.
            (Some(path), ..) => Some(KeySource::File(std::path::absolute(path).unwrap_or_else(|_| path.clone()))),
            (_, Some(name), ..) => Some(KeySource::Environment(name.clone())),
            (_, _, Some(text), _) => Some(KeySource::Keyring(entry(text)?)),
            (_, _, _, Some(command)) => Some(KeySource::Command(command.clone())),
            (None, None, None, None) => None,
        })
    }
}

async fn rekey(config: &Path, args: Rekey) -> Result<(), Failure> {
    // With a key from elsewhere the running engine needs no configuration that can be read here.
    let named = args.source()?;
    let known = Config::load(config);
    let (key, source) = match named {
        Some(source) => (source.key().map_err(|why| refused(&why))?, Some(source)),
        None => match known.as_ref().map_err(|why| Failure::from(why.clone()))?.vault.as_ref() {
            Some(keys) => (keys.read()?.0, None),
            None => {
                return Err(
                    Failure::usage("vault: the configuration names no key").help("add one, or name one with --to-file")
                );
            }
        },
    };
    let mut session = Session::open(config, Purpose::Look).await?;
    let done = session.ask::<Rekeyed>(Request::Rekey { key: key.text() }).await;
    session.close().await?;
    let done = done?;
    let (configured, next) = next(known.ok().as_ref(), key.id(), source.as_ref(), &done);
    let left = done.left.len();
    if args.json {
        print::json(&Done { rekeyed: done, configured, next })?;
    } else {
        print::line(&format!(
            "key {}: {} records sealed anew, {} were already",
            done.key, done.resealed, done.already
        ))?;
        for record in &done.left {
            let why = record.problem.as_deref().unwrap_or_default();
            print::line(&format!("left as it is: {why}"))?;
        }
        next.iter().try_for_each(|line| print::line(&format!("next: {line}")))?;
    }
    match left {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} records open with none of the keys, and were left as they are"))
            .help("run it again when the key that they were sealed with is configured in old_keys")),
    }
}

/// Whether the configuration seals with this key, and what is left to be done.
fn next(known: Option<&Config>, key: KeyId, source: Option<&KeySource>, done: &Rekeyed) -> (Option<bool>, Vec<String>) {
    let keys = known.and_then(|config| config.vault.as_ref());
    let ids = keys.and_then(|keys| keys.read().ok());
    let configured = ids.as_ref().map(|(first, _)| first.id() == key);
    let next = match (configured, source) {
        (Some(true), _) if keys.is_some_and(|keys| !keys.old.is_empty()) && done.left.is_empty() => {
            "take old_keys out of [vault]: nothing in the store needs them any more. Keep them for as long as the backups that do"
                .to_owned()
        }
        (Some(true), _) | (_, None) => return (configured, Vec::new()),
        (_, Some(source)) => format!(
            "in [vault], write {} in place of the key that stands there. Until then, an engine that is started again cannot open \
             the tokens",
            source.line()
        ),
    };
    (configured, vec![next])
}
