//! Signatures: HMAC-SHA256 over name, time and body, in the words of the specification `v1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zeroize::Zeroizing;

use crate::destination::SettingError;
use crate::secret::Secret;

/// What a symmetric secret begins with.
const PREFIX: &str = "whsec_";
/// What the private key of the other scheme begins with.
const ASYMMETRIC: &str = "whsk_";
/// The specification: between 192 and 512 bits.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A secret that signs. It is kept as text, which is wiped, and decoded for each signature.
#[derive(Clone)]
pub(super) struct Key(Secret);

impl Key {
    /// Reads a secret, which stands in the setting of this name.
    pub(super) fn read(setting: &str, secret: Secret) -> Result<Key, SettingError> {
        const REMEDY: &str =
            "Set it to `whsec_` and the base64 of 24 to 64 random bytes, as `openssl rand -base64 32` gives it.";
        let fault = |problem: &str| SettingError::new(setting, problem, REMEDY);
        let text = secret.reveal();
        if text.starts_with(ASYMMETRIC) {
            return Err(fault("It is the private key of a pair, and only shared secrets are taken."));
        }
        if !text.starts_with(PREFIX) {
            return Err(fault("It does not begin with `whsec_`."));
        }
        let bytes = decode(text).ok_or_else(|| fault("What stands after `whsec_` is not base64."))?;
        match bytes.len() {
            0..SHORTEST => Err(fault("It has fewer than 24 bytes, so it can be guessed.")),
            SHORTEST..=LONGEST => Ok(Key(secret)),
            _ => Err(fault("It has more than 64 bytes, which receivers need not take.")),
        }
    }

    /// The signature, with its version.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let bytes = decode(self.0.reveal()).expect("a key was decoded when it was read");
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = text.strip_prefix(PREFIX)?;
    STANDARD.decode(encoded).ok().map(Zeroizing::new)
}
