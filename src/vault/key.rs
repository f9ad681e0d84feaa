//! The key that tokens are sealed with, and where it comes from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::unix;

/// 32 bytes that nobody else knows. It has no `Debug`, as [`crate::Secret`] has none.
///
/// ```compile_fail,E0277
/// fn print(key: &outlast::vault::VaultKey) {
///     println!("{key:?}");
/// }
/// ```
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; KEY_LEN]>);

/// The name of a key: no secret, and no way to it. Every sealed record says which key opens it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KeyId::LEN]);

impl KeyId {
    pub(super) const LEN: usize = 8;

    pub(super) const fn of(bytes: [u8; Self::LEN]) -> Self {
        KeyId(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Why there is no key. It names where the key was looked for, never what was found there.
#[derive(Debug)]
pub struct KeyError {
    pub(super) place: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    NoFile,
    NotSet,
    Malformed,
    Public(PathBuf),
    Exists,
    Io(io::Error),
    Random,
    /// A command has no name.
    NoCommand,
    /// A command ended with this status.
    Failed(ExitStatus),
    /// Nothing came within this time.
    TooLate(Duration),
    /// This program does not speak with keyrings.
    #[cfg(not(feature = "keyring"))]
    NoKeyrings,
    /// The keyring has no such entry.
    #[cfg(feature = "keyring")]
    NoEntry,
    /// What the keyring says. It names entries and causes, never what an entry holds.
    #[cfg(feature = "keyring")]
    Keyring(String),
}

impl VaultKey {
    /// A key that is no secret, for a simulated world.
    #[cfg(any(feature = "cli", feature = "verify"))]
    pub(crate) fn known(bytes: [u8; KEY_LEN]) -> Self {
        VaultKey(bytes.into())
    }

    /// The key in the environment variable `name`, as base64 or hexadecimal.
    ///
    /// # Errors
    /// The variable is not set, or holds no key.
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let failed = |kind| KeyError { place: format!("environment variable `{name}`"), kind };
        match std::env::var(name) {
            Ok(text) => Self::read(&Zeroizing::new(text)).ok_or_else(|| failed(Kind::Malformed)),
            Err(std::env::VarError::NotPresent) => Err(failed(Kind::NotSet)),
            Err(std::env::VarError::NotUnicode(_)) => Err(failed(Kind::Malformed)),
        }
    }

    /// The key in a file that only its owner may read.
    ///
    /// # Errors
    /// The file cannot be read, can be read by others, or holds no key.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let failed = |kind| KeyError { place: format!("key file `{}`", path.display()), kind };
        // Asked before it is opened: the opening of a pipe can wait for ever.
        if !path.metadata().map_err(|error| failed(Kind::Io(error)))?.is_file() {
            return Err(failed(Kind::NoFile));
        }
        let file = File::open(path).map_err(|error| failed(Kind::Io(error)))?;
        if !unix::is_private(&file).map_err(|error| failed(Kind::Io(error)))? {
            return Err(failed(Kind::Public(path.to_owned())));
        }
        // Room for more than is read, so that no copy is left behind by a growing buffer.
        let mut text = Zeroizing::new(String::with_capacity(FILE_CAP));
        match file.take(FILE_CAP as u64 / 2).read_to_string(&mut text) {
            Ok(_) => Self::read(&text).ok_or_else(|| failed(Kind::Malformed)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(failed(Kind::Malformed)),
            Err(error) => Err(failed(Kind::Io(error))),
        }
    }

    /// Makes a new key and the file that holds it, which only its owner may read.
    ///
    /// # Errors
    /// The file exists (it may be the only key to a store, so it is never replaced) or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |kind| KeyError { place: format!("key file `{}`", path.display()), kind };
        let key = Self::random().map_err(|error| failed(error.kind))?;
        let mut text = Zeroizing::new(String::with_capacity(FILE_CAP));
        text.push_str(key.text().reveal());
        text.push('\n');
        unix::create_private_file(path, text.as_bytes()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => failed(Kind::Exists),
            _ => failed(Kind::Io(error)),
        })?;
        Ok(key)
    }

    /// Makes a new key, which is nowhere else.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        let filled = SystemRandom::new().fill(bytes.as_mut_slice());
        filled.map_err(|_| KeyError { place: "a new key".into(), kind: Kind::Random })?;
        Ok(VaultKey(bytes))
    }

    /// The key as text: base64, as files and variables hold it.
    #[must_use]
    pub fn text(&self) -> Secret {
        let mut text = String::with_capacity(TEXT_LEN);
        STANDARD.encode_string(self.bytes(), &mut text);
        Secret::from(text)
    }

    /// The key in a text, as base64 or hexadecimal.
    ///
    /// # Errors
    /// The text is no key.
    pub fn from_text(text: &Secret) -> Result<Self, KeyError> {
        let failed = || KeyError { place: "the text".into(), kind: Kind::Malformed };
        Self::read(text.reveal()).ok_or_else(failed)
    }

    /// 64 hexadecimal digits, or 32 bytes as base64 of either alphabet, padded or not. No text is both.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        if text.len() == KEY_LEN * 2 {
            for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                *byte = digits.iter().try_fold(0, |high: u8, digit| Some(high << 4 | hex(*digit)?))?;
            }
            return Some(VaultKey(bytes));
        }
        let either = |alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text).ok();
        let decoded = Zeroizing::new(either(&alphabet::STANDARD).or_else(|| either(&alphabet::URL_SAFE))?);
        *bytes = decoded.as_slice().try_into().ok()?;
        Some(VaultKey(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Names the key without telling it.
    ///
    /// # Panics
    /// Never: a hash has more bytes than a name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let text = Zeroizing::new([ID_DOMAIN, self.bytes()].concat());
        let hash = digest(&SHA256, &text);
        KeyId(*hash.as_ref().first_chunk().expect("a SHA-256 hash has 32 bytes"))
    }
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.kind {
            Kind::NotSet => {
                write!(f, "{place} is not set; operator: set it to the vault's key, 32 random bytes as base64")
            }
            Kind::Malformed => {
                write!(
                    f,
                    "{place} does not hold 32 bytes as base64 or hexadecimal; operator: put the vault's key there"
                )
            }
            Kind::Public(path) => {
                write!(f, "{place} can be read by others; operator: run `chmod 600 {}`", path.display())
            }
            Kind::NoFile => write!(f, "{place} is not a file; operator: name the file that holds the vault's key"),
            Kind::Exists => {
                write!(f, "{place} exists, and may be the only key to a store; operator: choose another place")
            }
            Kind::Io(error) => write!(f, "{place}: {error}; operator: check its path and who owns it"),
            Kind::Random => {
                write!(f, "{place}: the system's random number generator failed; operator: check this machine")
            }
            Kind::NoCommand => {
                write!(f, "{place}: the list is empty; operator: write a program and its arguments, as a list of texts")
            }
            Kind::Failed(status) => write!(
                f,
                "{place} gave no key ({status}); what it said is not shown, since that may be secret; operator: run it \
                 by hand, as the same user"
            ),
            Kind::TooLate(limit) => {
                let seconds = limit.as_secs();
                write!(f, "{place} did not end within {seconds} s; operator: run it by hand, and see what it waits for")
            }
            #[cfg(not(feature = "keyring"))]
            Kind::NoKeyrings => write!(
                f,
                "{place}: this program was built without keyrings; operator: build it with `--features keyring`, or ask \
                 the keyring by a `key_command`"
            ),
            #[cfg(feature = "keyring")]
            Kind::NoEntry => write!(
                f,
                "{place} is not there; operator: put the vault's key there (`outlast vault new-key --keyring` makes one)"
            ),
            #[cfg(feature = "keyring")]
            Kind::Keyring(why) => {
                write!(f, "{place} cannot be read: {why}; operator: check that the keyring of this user is unlocked")
            }
        }
    }
}

impl std::error::Error for KeyError {}

const KEY_LEN: usize = 32;

/// A key in base64.
const TEXT_LEN: usize = 44;

/// More than any spelling of a key takes.
pub(super) const FILE_CAP: usize = 4096;

const ID_DOMAIN: &[u8] = b"outlast vault key id\0";
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn failure(result: Result<VaultKey, KeyError>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_key_is_read_in_each_spelling() {
        let bytes: Vec<u8> = (224..=255).collect();
        let standard = STANDARD.encode(&bytes);
        let url_safe = standard.replace('+', "-").replace('/', "_");
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_ne!(standard, url_safe, "the spellings must differ to be tested");
        for text in [
            standard.clone(),
            standard.trim_end_matches('=').to_owned(),
            url_safe.clone(),
            url_safe.trim_end_matches('=').to_owned(),
            hex.clone(),
            hex.to_uppercase(),
            format!(" {standard}\n"),
        ] {
            assert_eq!(VaultKey::read(&text).unwrap().bytes(), bytes, "{text}");
        }
        let short = STANDARD.encode(&bytes[1..]);
        for text in ["", "hush", &short, &hex[1..], &hex.replace('e', "g"), &format!("{hex}00"), &"é".repeat(32)] {
            assert!(VaultKey::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_environment_variable_that_is_missing_or_no_key_is_named_and_not_quoted() {
        let missing = failure(VaultKey::from_env("OUTLAST_TEST_NO_SUCH_KEY"));
        assert!(missing.contains("`OUTLAST_TEST_NO_SUCH_KEY` is not set; operator: set it"), "{missing}");
        let path = std::env::var("PATH").unwrap();
        let wrong = failure(VaultKey::from_env("PATH"));
        assert!(wrong.contains("`PATH` does not hold 32 bytes") && !wrong.contains(&path), "{wrong}");
    }

    #[test]
    fn a_created_key_is_private_opens_again_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let key = VaultKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(VaultKey::open(&path).unwrap().bytes(), key.bytes());
        let other = VaultKey::create(&folder.path().join("other.key")).unwrap();
        assert_ne!(other.bytes(), key.bytes());
        assert_ne!(other.id(), key.id());
        let again = failure(VaultKey::create(&path));
        assert!(again.contains("exists"), "{again}");
        assert_eq!(VaultKey::open(&path).unwrap().bytes(), key.bytes());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        VaultKey::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = failure(VaultKey::open(&path));
            assert!(refused.contains(&format!("chmod 600 {}", path.display())), "{mode:o}: {refused}");
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(VaultKey::open(&path).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_key_file_that_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [folder.path(), pipe.as_path()] {
            let refused = failure(VaultKey::open(path));
            assert!(refused.contains("is not a file; operator:"), "{refused}");
        }
    }

    #[test]
    fn a_file_that_is_absent_or_no_key_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let absent = failure(VaultKey::open(&folder.path().join("absent")));
        assert!(absent.contains("absent") && absent.contains("operator:"), "{absent}");
        for (name, content) in [("text", b"canary".to_vec()), ("bytes", vec![0xff; 40]), ("long", vec![b'A'; 100_000])]
        {
            let path = folder.path().join(name);
            unix::create_private_file(&path, &content).unwrap();
            let wrong = failure(VaultKey::open(&path));
            assert!(wrong.contains("does not hold") && !wrong.contains("canary"), "{wrong}");
        }
    }
}
