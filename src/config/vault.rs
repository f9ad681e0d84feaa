//! The table `[vault]`: where the key is, and where the keys are that it follows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::beside;
use crate::error::Error;
use crate::table::Section;
use crate::vault::{KeyError, KeyringEntry, VaultKey};

/// The keys of the vault, and what was read of them.
pub(crate) struct VaultKeys {
    /// The one that seals.
    pub(crate) key: KeySource,
    /// Those that tokens may be sealed with, too.
    pub(crate) old: Vec<KeySource>,
    /// A command is run once, and not again when the store is held for a moment.
    known: OnceLock<(VaultKey, Vec<VaultKey>)>,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    File(PathBuf),
    Environment(String),
    Command(Vec<String>),
    Keyring(KeyringEntry),
}

impl VaultKeys {
    /// The key that seals, and the others.
    ///
    /// # Errors
    /// One of them is not where it is said to be.
    pub(crate) fn read(&self) -> Result<(VaultKey, Vec<VaultKey>), Error> {
        if let Some(known) = self.known.get() {
            return Ok(known.clone());
        }
        let key = self.key.key().map_err(|why| Error::configuration(format!("vault: {why}")))?;
        let old = |source: &KeySource| {
            let gone = "; or take it out of `old_keys`, where `outlast vault check` shows that nothing needs it";
            source.key().map_err(|why| Error::configuration(format!("vault.old_keys: {why}{gone}")))
        };
        let read = (key, self.old.iter().map(old).collect::<Result<Vec<_>, _>>()?);
        Ok(self.known.get_or_init(|| read).clone())
    }
}

impl KeySource {
    /// Reads the key. Blocks, for a command up to half a minute.
    pub(crate) fn key(&self) -> Result<VaultKey, KeyError> {
        match self {
            KeySource::File(path) => VaultKey::open(path),
            KeySource::Environment(name) => VaultKey::from_env(name),
            KeySource::Command(command) => VaultKey::from_command(command, VaultKey::COMMAND_TIME),
            KeySource::Keyring(entry) => VaultKey::from_keyring(entry),
        }
    }

    /// The line of the configuration that says so.
    pub(crate) fn line(&self) -> String {
        // What JSON escapes in a text, TOML escapes alike.
        let text = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            KeySource::File(path) => format!("key_file = {}", text(&path.display().to_string())),
            KeySource::Environment(name) => format!("key_env = {}", text(name)),
            KeySource::Command(command) => {
                let words: Vec<String> = command.iter().map(|word| text(word)).collect();
                format!("key_command = [{}]", words.join(", "))
            }
            KeySource::Keyring(entry) => format!("key_keyring = {}", text(&entry.to_string())),
        }
    }
}

/// For people. A command's arguments may be secrets, so only its program is named.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(path) => write!(f, "{}", path.display()),
            KeySource::Environment(name) => write!(f, "the environment variable {name}"),
            KeySource::Command(command) => {
                write!(f, "what the command {} writes", command.first().map_or("", String::as_str))
            }
            KeySource::Keyring(entry) => write!(f, "the keyring's entry {entry}"),
        }
    }
}

const KINDS: [&str; 4] = ["key_file", "key_env", "key_command", "key_keyring"];

pub(super) fn read(file: &Path, mut section: Section<'_>, needed: bool) -> Option<VaultKeys> {
    let key = source(file, &mut section);
    let olds = section.each("old_keys");
    if !olds.is_empty() && !holds_any(&section) {
        section.fault("old_keys", "stands without a key that seals: add key_file, key_env, key_command or key_keyring");
    }
    let old = olds.into_iter().filter_map(|mut below| {
        let source = source(file, &mut below);
        if !holds_any(&below) {
            below.needed("key_file", None::<()>, "each old key is a table such as { key_file = \"old.key\" }");
        }
        below.close();
        source
    });
    let old = old.collect();
    if needed && !holds_any(&section) {
        let remedy = "a credential's tokens are sealed with a key: add [vault] and key_file = \"outlast.key\" (`outlast init` makes one), or key_env, key_command, key_keyring";
        section.needed("key_file", None::<()>, remedy);
    }
    section.close();
    key.map(|key| VaultKeys { key, old, known: OnceLock::new() })
}

fn holds_any(section: &Section<'_>) -> bool {
    KINDS.iter().any(|kind| section.holds(kind))
}

/// Where the key of a table is: exactly one of four ways.
fn source(file: &Path, section: &mut Section<'_>) -> Option<KeySource> {
    let path = section.text("key_file").map(|path| KeySource::File(beside(file, &path)));
    let variable = section.text("key_env").map(KeySource::Environment);
    let command = section.texts("key_command").and_then(|words| match words.first() {
        Some(program) if !program.is_empty() => Some(KeySource::Command(words)),
        _ => {
            section.fault("key_command", "names no program; write it as [\"program\", \"argument\"]");
            None
        }
    });
    let entry = section.text("key_keyring").and_then(|text| {
        let entry = KeyringEntry::parse(&text);
        if entry.is_none() {
            section.fault("key_keyring", "is no entry of a keyring; write it as \"service/account\"");
        }
        entry.map(KeySource::Keyring)
    });
    let mut held = KINDS.iter().filter(|kind| section.holds(kind));
    if let Some(first) = held.next() {
        for other in held {
            section.fault(other, format!("stands beside {first}; leave one of them out"));
        }
    }
    path.or(variable).or(command).or(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn config(text: &str) -> Result<Config, String> {
        Config::read(Path::new("/etc/outlast/outlast.toml"), text, &|_| None).map_err(|why| why.to_string())
    }

    fn sources(text: &str) -> (KeySource, Vec<KeySource>) {
        let keys = config(text).unwrap_or_else(|why| panic!("{why}")).vault.unwrap();
        (keys.key, keys.old)
    }

    #[test]
    fn a_key_is_in_a_file_a_variable_a_command_or_a_keyring() {
        let file = KeySource::File("/etc/outlast/a.key".into());
        assert_eq!(sources("[vault]\nkey_file = \"a.key\""), (file.clone(), Vec::new()));
        let variable = KeySource::Environment("KEY".into());
        assert_eq!(sources("[vault]\nkey_env = \"KEY\"").0, variable);
        let command = KeySource::Command(vec!["op".into(), "read".into(), "op://v/k".into()]);
        assert_eq!(sources("[vault]\nkey_command = [\"op\", \"read\", \"op://v/k\"]").0, command);
        let entry = KeyringEntry { service: "outlast".into(), account: "vault".into() };
        assert_eq!(sources("[vault]\nkey_keyring = \"outlast/vault\"").0, KeySource::Keyring(entry));
        let text = "[vault]\nkey_env = \"KEY\"\nold_keys = [{ key_file = \"a.key\" }, { key_env = \"OLD\" }]";
        assert_eq!(sources(text), (variable, vec![file, KeySource::Environment("OLD".into())]));
        let tables = "[vault]\nkey_env = \"KEY\"\n[[vault.old_keys]]\nkey_env = \"OLD\"";
        assert_eq!(sources(tables).1, [KeySource::Environment("OLD".into())]);
    }

    #[test]
    fn what_is_said_twice_or_half_is_a_fault_with_its_line() {
        for (text, line, said) in [
            ("key_file = \"a\"\nkey_env = \"B\"", 3, "vault.key_env: stands beside key_file"),
            ("key_env = \"B\"\nkey_command = [\"c\"]", 3, "vault.key_command: stands beside key_env"),
            ("key_keyring = \"a/b\"\nkey_file = \"a\"", 2, "vault.key_keyring: stands beside key_file"),
            ("key_command = []", 2, "vault.key_command: names no program"),
            ("key_command = \"op read\"", 2, "vault.key_command: is not a list of texts"),
            ("key_keyring = \"outlast\"", 2, "vault.key_keyring: is no entry"),
            ("old_keys = [{ key_env = \"B\" }]", 2, "vault.old_keys: stands without a key"),
            ("key_env = \"A\"\nold_keys = [{ }]", 3, "vault.old_keys[1].key_file: is missing"),
            ("key_env = \"A\"\nold_keys = [{ key_env = \"B\", key_file = \"c\" }]", 3, "stands beside key_file"),
            ("key_env = \"A\"\nold_keys = [{ key_envy = \"B\" }]", 3, "unknown key"),
            ("key_env = \"A\"\nold_keys = \"b.key\"", 3, "vault.old_keys: is a text"),
        ] {
            let why = config(&format!("[vault]\n{text}")).err().unwrap_or_default();
            assert!(why.contains(&format!("outlast.toml:{line}: ")) && why.contains(said), "{text}: {why}");
        }
    }

    #[test]
    fn a_command_is_named_without_its_arguments_and_written_as_it_was() {
        let source = KeySource::Command(vec!["op".into(), "--token=canary".into(), "a \"b\"".into()]);
        assert_eq!(source.to_string(), "what the command op writes");
        assert_eq!(source.line(), r#"key_command = ["op", "--token=canary", "a \"b\""]"#);
        let (again, _) = sources(&format!("[vault]\n{}", source.line()));
        assert_eq!(again, source);
    }

    #[test]
    fn a_command_is_run_once() {
        let folder = tempfile::tempdir().unwrap();
        let (count, script) = (folder.path().join("count"), folder.path().join("key.sh"));
        let key = VaultKey::random().unwrap();
        std::fs::write(&script, format!("echo x >> {}\necho {}", count.display(), key.text().reveal())).unwrap();
        let text = format!("[vault]\nkey_command = [\"sh\", \"{}\"]", script.display());
        let keys = config(&text).unwrap().vault.unwrap();
        for _ in 0..3 {
            assert_eq!(keys.read().unwrap().0.id(), key.id());
        }
        assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
    }

    #[test]
    fn an_old_key_that_is_gone_is_told_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.key");
        VaultKey::create(&file).unwrap();
        let text = format!("[vault]\nkey_file = \"{}\"\nold_keys = [{{ key_file = \"gone.key\" }}]", file.display());
        let why = config(&text).unwrap().builder().err().unwrap().to_string();
        assert!(
            why.contains("vault.old_keys: key file `/etc/outlast/gone.key`") && why.contains("vault check"),
            "{why}"
        );
    }
}
