//! What is wrong with a setting, and what the destinations that go to any address ask of theirs.

use thiserror::Error;
use url::Url;

use crate::exchange::{is_header_value, unfit_header_name};
use crate::guard::is_private_line;

/// A setting that cannot be used: which one, why, and what to write instead. It quotes no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{setting}`: {problem} {remedy}")]
pub struct SettingError {
    setting: String,
    problem: String,
    remedy: String,
}

impl SettingError {
    /// `problem` and `remedy` are sentences.
    pub(crate) fn new(setting: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        SettingError { setting: setting.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// The setting's name, with the place in it.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// The address `text`, if requests can go there. Whether they may is the guard's to say, which knows the configuration.
pub(super) fn address(text: &str) -> Result<Url, SettingError> {
    const REMEDY: &str = "Set it to an address such as https://example.com/hooks/42.";
    let fault = |problem: String| SettingError::new("url", problem, REMEDY);
    let url = Url::parse(text.trim()).map_err(|error| fault(format!("It is no address: {error}.")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(fault("It is neither https nor http.".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SettingError::new("url", "It holds a user name or a password.", "Send them as a secret header."));
    }
    if url.fragment().is_some() {
        return Err(fault("It has a fragment, which is never sent.".into()));
    }
    Ok(url)
}

/// Refuses secrets on a line that others can listen to.
pub(super) fn private(url: &Url, secret_headers: bool) -> Result<(), SettingError> {
    if !secret_headers || is_private_line(url) {
        return Ok(());
    }
    let problem = "Secret headers would be sent in the clear.";
    Err(SettingError::new("url", problem, "Set it to an https address, or leave the secret headers out."))
}

/// A header's name in lower case, if it may have one that a destination sets.
pub(super) fn header_name(setting: &str, name: &str, taken: &[&str]) -> Result<String, SettingError> {
    let name = name.trim().to_ascii_lowercase();
    let fault = |problem: &str| {
        let problem = format!("`{}` {problem}.", name.escape_default());
        SettingError::new(setting, problem, "Rename it or leave it out.")
    };
    match unfit_header_name(&name) {
        Some(problem) => Err(fault(problem)),
        None if taken.contains(&name.as_str()) => Err(fault("is written by the destination itself")),
        None => Ok(name),
    }
}

/// Refuses a value that HTTP does not take. It may be a secret, so it is not quoted.
pub(super) fn header_value(setting: &str, name: &str, value: &str) -> Result<(), SettingError> {
    if is_header_value(value) {
        return Ok(());
    }
    let problem = format!("The value of `{name}` holds a character that HTTP forbids.");
    Err(SettingError::new(setting, problem, "Write visible ASCII characters and blanks only."))
}

/// Refuses a value that is sent in plain sight under a name that stands for a secret.
pub(super) fn not_a_secret(setting: &str, name: &str) -> Result<(), SettingError> {
    if !matches!(name, "authorization" | "proxy-authorization" | "cookie") {
        return Ok(());
    }
    let problem = format!("`{name}` is a secret, and would be shown.");
    Err(SettingError::new(setting, problem, "Set it as a secret header."))
}
