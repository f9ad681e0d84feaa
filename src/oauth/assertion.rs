//! A signed assertion (RFC 7523): the client says who it is, and for whom it asks, in a JSON Web Token that it signs itself.
//!
//! A token of three parts is forty lines over the signatures that are in the tree already, and every other writer of them
//! brings a second library for the same mathematics.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use outlast_state::{Span, Time};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::Secret;

/// Who signs, what, and with which key.
pub struct Assertion {
    issuer: String,
    subject: Option<String>,
    audience: Option<String>,
    key_id: Option<String>,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// Why a private key cannot be used. It quotes nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// There is no key in the text.
    #[error(
        "holds no private key: it must be PEM, from -----BEGIN PRIVATE KEY----- on; one with a passphrase is not read"
    )]
    NoKey,
    /// It is a key of a kind that no assertion here is signed with.
    #[error("holds a private key of another kind: RSA of at least 2048 bits (RS256) and EC on P-256 (ES256) are read")]
    Kind,
    /// It is an EC key in the older form.
    #[error("holds an EC key in the older form; write it anew with `openssl pkcs8 -topk8 -nocrypt -in KEY`")]
    OlderForm,
}

impl Assertion {
    /// What `issuer` signs with the key in this PEM text: RSA (RS256) or EC on P-256 (ES256).
    ///
    /// # Errors
    /// The text is no such key.
    pub fn new(issuer: impl Into<String>, pem: &Secret) -> Result<Self, AssertionError> {
        let found = PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(|_| AssertionError::NoKey)?;
        let key = match found {
            PrivateKeyDer::Pkcs1(der) => {
                Key::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| AssertionError::Kind)?)
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                if let Ok(rsa) = RsaKeyPair::from_pkcs8(der) {
                    Key::Rsa(rsa)
                } else {
                    let random = SystemRandom::new();
                    let read = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random);
                    Key::P256(read.map_err(|_| AssertionError::Kind)?)
                }
            }
            PrivateKeyDer::Sec1(_) => return Err(AssertionError::OlderForm),
            _ => return Err(AssertionError::Kind),
        };
        Ok(Assertion { issuer: issuer.into(), subject: None, audience: None, key_id: None, key })
    }

    /// For whom it asks; for the issuer itself where nothing is said.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// To whom it speaks: what the provider calls itself, often its token endpoint.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Which of the issuer's keys it is, where it has several.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The name of the signature, as in the token's head.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::P256(_) => "ES256",
        }
    }

    /// The assertion, good from a minute ago for some minutes: clocks differ.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn sign(&self, scope: &str, now: Time) -> Result<Secret, String> {
        let mut head = json!({"alg": self.algorithm(), "typ": "JWT"});
        if let (Some(key_id), Some(head)) = (&self.key_id, head.as_object_mut()) {
            head.insert("kid".into(), key_id.as_str().into());
        }
        let seconds = |at: Time| Value::from(at.as_millis() / 1000);
        let mut claims = Map::new();
        claims.insert("iss".into(), self.issuer.as_str().into());
        claims.insert("sub".into(), self.subject.as_deref().unwrap_or(&self.issuer).into());
        if let Some(audience) = &self.audience {
            claims.insert("aud".into(), audience.as_str().into());
        }
        claims.insert("iat".into(), seconds(Time::from_millis(now.since(Time::ZERO.after(BEFORE)).as_millis())));
        claims.insert("exp".into(), seconds(now.after(AFTER)));
        if !scope.is_empty() {
            // RFC 7523 has it in the form, where it stands too; Google reads it here.
            claims.insert("scope".into(), scope.into());
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&head), part(&Value::Object(claims)));
        let signature = self.signature(message.as_bytes())?;
        let signed = Zeroizing::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)));
        Ok(Secret::new(signed.as_str()))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |_| "the system's random number generator failed; check that this machine has one".to_owned();
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Key::P256(key) => Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

/// A provider whose clock is behind refuses what is not good yet.
const BEFORE: Span = Span::from_secs(60);

/// The shortest bound that a provider documents is three minutes (Salesforce).
const AFTER: Span = Span::from_secs(170);

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const NOW: Time = Time::from_millis(1_773_576_000_000);

    // Made for these tests; nobody else knows them.
    const PKCS1: &str = include_str!("assertion/rsa_pkcs1.pem");
    const PKCS8: &str = include_str!("assertion/rsa_pkcs8.pem");

    fn p256() -> String {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        pem("PRIVATE KEY", made.as_ref())
    }

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
    }

    fn parts(signed: &Secret) -> (Value, Value, String, Vec<u8>) {
        let text = signed.reveal();
        let (message, signature) = text.rsplit_once('.').unwrap();
        let (head, claims) = message.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (read(head), read(claims), message.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
    }

    #[test]
    fn what_is_signed_says_who_for_whom_to_whom_and_for_how_long() {
        let assertion = Assertion::new("client-7", &Secret::new(PKCS8)).unwrap();
        let assertion = assertion.subject("user@example.org").audience("https://login.example").key_id("k-1");
        let (head, claims, _, _) = parts(&assertion.sign("a b", NOW).unwrap());
        assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "k-1"}));
        let expected = json!({
            "iss": "client-7", "sub": "user@example.org", "aud": "https://login.example", "scope": "a b",
            "iat": 1_773_575_940, "exp": 1_773_576_170
        });
        assert_eq!(claims, expected);
        let bare = Assertion::new("client-7", &Secret::new(p256())).unwrap();
        let (head, claims, _, _) = parts(&bare.sign("", Time::ZERO).unwrap());
        assert_eq!(head, json!({"alg": "ES256", "typ": "JWT"}));
        assert_eq!(claims, json!({"iss": "client-7", "sub": "client-7", "iat": 0, "exp": 170}));
    }

    #[test]
    fn each_signature_verifies_with_the_public_key_and_no_other_message() {
        for (text, algorithm) in [(PKCS1.to_owned(), "RS256"), (PKCS8.to_owned(), "RS256"), (p256(), "ES256")] {
            let assertion = Assertion::new("me", &Secret::new(text)).unwrap();
            assert_eq!(assertion.algorithm(), algorithm);
            let (_, _, message, signature) = parts(&assertion.sign("", NOW).unwrap());
            let verified = |message: &str| match &assertion.key {
                Key::Rsa(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
                    .verify(message.as_bytes(), &signature),
                Key::P256(key) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref())
                    .verify(message.as_bytes(), &signature),
            };
            assert!(verified(&message).is_ok(), "{algorithm}");
            assert!(verified(&format!("{message}x")).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_key_says_what_to_bring() {
        let error = |text: &str| Assertion::new("me", &Secret::new(text)).err().unwrap();
        assert_eq!(error(""), AssertionError::NoKey);
        assert_eq!(error("s3cret"), AssertionError::NoKey);
        assert_eq!(error(&pem("ENCRYPTED PRIVATE KEY", b"s3cret")), AssertionError::NoKey);
        assert_eq!(error(&pem("PRIVATE KEY", b"s3cret")), AssertionError::Kind);
        assert_eq!(error(&pem("RSA PRIVATE KEY", b"s3cret")), AssertionError::Kind);
        assert_eq!(error(&pem("EC PRIVATE KEY", b"s3cret")), AssertionError::OlderForm);
        assert!(AssertionError::OlderForm.to_string().contains("openssl pkcs8 -topk8"));
    }
}
