//! Grants that need no human: client credentials (RFC 6749, section 4.4) and signed assertions (RFC 7523).

use super::draw::{opaque, purpose};
use super::oauth::{BadForm, Form, TOKEN_PATH, failure, minted, without_refresh_token};
use super::options::{GrantSeed, Secret};
use super::tokens::{Mint, Tokens};
use super::wire::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who may sign assertions, and with which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// What `iss` must say.
    pub issuer: String,
    /// The public key in PEM (`-----BEGIN PUBLIC KEY-----`): RSA for RS256, EC on P-256 for ES256.
    pub public_key: String,
    /// What `kid` must say, if the issuer has several keys.
    #[serde(default)]
    pub key_id: Option<String>,
}

impl Signer {
    /// What is wrong with it, if anything is.
    pub(super) fn objection(&self) -> Option<&'static str> {
        key(&self.public_key).is_none().then_some("needs a public key in PEM, RSA or EC on P-256")
    }
}

/// A token for the client itself.
pub(super) fn client(tokens: &mut Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    let (id, secret) = (form.get("client_id")?, form.get("client_secret")?);
    if !tokens.is_client(id, secret) {
        return Ok(failure(401, "invalid_client", "Client authentication failed"));
    }
    Ok(granted(tokens, mint, id, form, "client_credentials"))
}

/// A token for what an assertion says.
pub(super) fn assertion(tokens: &mut Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    match verified(mint, form.get("assertion")?) {
        Ok(issuer) => Ok(granted(tokens, mint, &issuer, form, "jwt-bearer")),
        Err(why) => Ok(failure(400, "invalid_grant", why)),
    }
}

fn granted(tokens: &mut Tokens, mint: Mint<'_>, client: &str, form: &Form, kind: &str) -> Answer {
    let default = GrantSeed::default();
    // What it was given before counts where it does not say.
    let usual = tokens.scope_of(client).map_or(default.scope.clone(), str::to_owned);
    let scope = form.get("scope").map_or(usual, |scope| scope.replace(' ', ","));
    let seed = GrantSeed {
        client_id: client.to_owned(),
        // An issuer need not be a client, and then nobody can be it by a secret.
        client_secret: tokens.secret_of(client).unwrap_or_else(|| unguessable(mint)),
        scope,
        propagates: true,
        ..default
    };
    let pair = tokens.grant(&seed, mint);
    without_refresh_token(minted(tokens, mint, pair, kind))
}

fn unguessable(mint: Mint<'_>) -> Secret {
    opaque("NO", mint.seed, &[purpose::CODE, mint.now]).into()
}

fn verified(mint: Mint<'_>, assertion: &str) -> Result<String, &'static str> {
    const SKEW_S: u64 = 60;
    let (message, signature) = assertion.rsplit_once('.').ok_or("The assertion has no signature")?;
    let (head, claims) = message.split_once('.').ok_or("The assertion has no claims")?;
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let json = |text: &str| part(text).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let (head, claims) = json(head).zip(json(claims)).ok_or("The assertion is not readable")?;
    let said = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let issuer = said(&claims, "iss");
    let signer = mint.switches.signers.iter().find(|signer| {
        signer.issuer == issuer && signer.key_id.as_ref().is_none_or(|key_id| *key_id == said(&head, "kid"))
    });
    let signer = signer.ok_or("The issuer, or its key, is not known")?;
    let (algorithm, key) = key(&signer.public_key).ok_or("The key cannot be read")?;
    let expected = if key.len() == P256_POINT { "ES256" } else { "RS256" };
    if said(&head, "alg") != expected {
        return Err("The algorithm is not the key's");
    }
    let signature = part(signature).ok_or("The signature is not readable")?;
    let verified = UnparsedPublicKey::new(algorithm, key).verify(message.as_bytes(), &signature);
    verified.map_err(|_| "The signature does not verify")?;
    let now = mint.now / 1000;
    let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
    if seconds("exp").is_none_or(|end| end <= now) {
        return Err("The assertion has expired");
    }
    if seconds("iat").is_some_and(|begin| begin > now.saturating_add(SKEW_S)) {
        return Err("The assertion was issued in the future");
    }
    if !said(&claims, "aud").ends_with(TOKEN_PATH) {
        return Err("The audience is not this token endpoint");
    }
    if said(&claims, "sub").is_empty() {
        return Err("The assertion has no subject");
    }
    Ok(issuer)
}

/// The length of an uncompressed point on P-256.
const P256_POINT: usize = 65;

fn key(pem: &str) -> Option<(&'static dyn VerificationAlgorithm, Vec<u8>)> {
    let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    // SubjectPublicKeyInfo (RFC 5280, section 4.1): a sequence of the algorithm and a bit string, which begins with the number of
    // its unused bits.
    let (inside, _) = element(&info)?;
    let (_, rest) = element(inside)?;
    let (bits, _) = element(rest)?;
    let key = bits.strip_prefix(&[0])?.to_vec();
    let algorithm: &dyn VerificationAlgorithm = match (key.len(), key.first()) {
        (P256_POINT, Some(4)) => &ECDSA_P256_SHA256_FIXED,
        (256.., Some(0x30)) => &RSA_PKCS1_2048_8192_SHA256,
        _ => return None,
    };
    Some((algorithm, key))
}

/// The content of the first element of DER, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}
