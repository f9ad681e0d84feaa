//! What the operator sets.

use super::kind::action;
use super::signature::Key;
use super::{Secret, Webhook};
use crate::destination::SettingError;
use crate::destination::setting::{address, header_name, header_value, not_a_secret, private};

/// The headers that the destination writes.
const OWN: [&str; 4] = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];

/// Settings on their way to a [`Webhook`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    url: String,
    secrets: Vec<Secret>,
    headers: Vec<(String, String)>,
    secret_headers: Vec<(String, Secret)>,
}

/// A webhook to this address, to be given its secret.
///
/// ```
/// use outlast::{Secret, destination::webhook};
///
/// let secret = Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
/// let destination = webhook::to("https://example.com/hooks/42").secret(secret).build()?;
/// # Ok::<(), outlast::destination::SettingError>(())
/// ```
pub fn to(url: impl Into<String>) -> Builder {
    Builder { url: url.into(), secrets: Vec::new(), headers: Vec::new(), secret_headers: Vec::new() }
}

impl Builder {
    /// Adds a secret: `whsec_` and 24 to 64 bytes in base64. Each signs every request. The newest comes first; while secrets
    /// rotate, the one before follows it, until the receiver knows the new one.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Adds these secrets, the newest first.
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    /// Adds a header that each request has.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header that each request has, whose value is never shown.
    pub fn secret_header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.secret_headers.push((name.into(), value));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A setting is missing or malformed; the error names it and says what to write.
    pub fn build(self) -> Result<Webhook, SettingError> {
        let url = address(&self.url)?;
        private(&url, !self.secret_headers.is_empty())?;
        if self.secrets.is_empty() {
            let remedy = "Set it to `whsec_` and the base64 of 24 to 64 random bytes; the receiver needs the same.";
            return Err(SettingError::new("secret", "There is none, so nothing can be signed.", remedy));
        }
        let alone = self.secrets.len() == 1;
        let keys = self.secrets.into_iter().enumerate().map(|(place, secret)| {
            let setting = if alone { "secret".to_owned() } else { format!("secrets[{place}]") };
            Key::read(&setting, secret)
        });
        let keys = keys.collect::<Result<_, _>>()?;
        let mut names = Vec::new();
        let mut headers = Vec::new();
        for (name, value) in self.headers {
            let name = unique("headers", &name, &mut names)?;
            not_a_secret("headers", &name)?;
            header_value("headers", &name, &value)?;
            headers.push((name, value));
        }
        let mut secret_headers = Vec::new();
        for (name, value) in self.secret_headers {
            let name = unique("secret_headers", &name, &mut names)?;
            header_value("secret_headers", &name, value.reveal())?;
            secret_headers.push((name, value));
        }
        Ok(Webhook { url, keys, headers, secret_headers, actions: [action()] })
    }
}

/// The header's name, if none before has it: of two with one name only the last would be sent.
fn unique(setting: &str, name: &str, names: &mut Vec<String>) -> Result<String, SettingError> {
    let name = header_name(setting, name, &OWN)?;
    if names.contains(&name) {
        let problem = format!("`{name}` stands twice.");
        return Err(SettingError::new(setting, problem, "Leave one of them out."));
    }
    names.push(name.clone());
    Ok(name)
}
