//! What a credential asks for tokens with: a client, a key that it signs with, or a token that is written down.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::beside;
use crate::oauth::{Assertion, Client, GrantKind, Profile};
use crate::secret::Secret;
use crate::table::Section;

/// What a credential asks for tokens with.
pub(super) struct Means {
    pub(super) client: Client,
    pub(super) fixed: Option<Secret>,
}

/// Where secrets may stand: in the file, in a file beside it, in the environment.
pub(super) struct Places<'a> {
    pub(super) file: &'a Path,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads them; nothing where something is wrong, which has been told.
pub(super) fn read(section: &mut Section<'_>, profile: Option<&Profile>, places: &Places<'_>) -> Option<Means> {
    let client_id = section.text("client_id");
    let client_secret = section.text("client_secret");
    let redirect_uri = section.text("redirect_uri");
    let parameters = parameters(section);
    let assertion = assertion(section, places);
    let token = secret(section, ["token", "token_file", "token_env"], places);
    let grant = profile.map(|profile| profile.grant)?;
    let tokens = ["token", "token_file", "token_env"];
    let unfit: &[&str] = match grant {
        GrantKind::Static => &["client_id", "client_secret", "redirect_uri", "token_params", "assertion"],
        GrantKind::AuthorizationCode => &[tokens[0], tokens[1], tokens[2], "assertion"],
        GrantKind::ClientCredentials => &[tokens[0], tokens[1], tokens[2], "assertion", "redirect_uri"],
        GrantKind::JwtBearer => &[tokens[0], tokens[1], tokens[2], "redirect_uri"],
    };
    let strangers: Vec<&&str> = unfit.iter().filter(|key| section.holds(key)).collect();
    for key in &strangers {
        section.fault(key, format!("means nothing to {}; leave it out, or choose another grant", kind(grant)));
    }
    if let Some(redirect) = redirect_uri.as_deref().filter(|redirect| url::Url::parse(redirect).is_err()) {
        section.fault("redirect_uri", format!("`{redirect}` is not an address; write the one that the provider has"));
        return None;
    }
    let id_remedy = "write the client's id, or \"${NAME}\" for the environment";
    let secret_remedy = "write client_secret = \"${NAME}\" and set NAME in the environment";
    let (needs_id, needs_secret) = match grant {
        GrantKind::Static | GrantKind::JwtBearer => (false, false),
        // One without a secret is a public client, which proves itself with PKCE.
        GrantKind::AuthorizationCode => (true, profile.is_some_and(|profile| !profile.pkce)),
        GrantKind::ClientCredentials => (true, true),
    };
    let client_id =
        if needs_id { section.needed("client_id", client_id, id_remedy) } else { Some(client_id.unwrap_or_default()) };
    let has_secret = !needs_secret || section.needed("client_secret", client_secret.as_ref(), secret_remedy).is_some();
    let has_key =
        grant != GrantKind::JwtBearer || section.needed("assertion", assertion.as_ref(), ASSERTION_REMEDY).is_some();
    let has_token = match grant {
        GrantKind::Static if !tokens.iter().any(|key| section.holds(key)) => {
            section.needed("token", None::<()>, "write token = \"${NAME}\", token_file or token_env").is_some()
        }
        GrantKind::Static => token.is_some(),
        _ => true,
    };
    // A key that is there and cannot be used has been told.
    let whole = has_secret && has_key && has_token && strangers.is_empty();
    let client = Client {
        id: client_id?,
        secret: client_secret.map(Secret::new),
        assertion: assertion.map(std::sync::Arc::new),
        redirect_uri,
        parameters: parameters?,
    };
    whole.then_some(Means { client, fixed: token })
}

const ASSERTION_REMEDY: &str = "a signed grant needs [credential.NAME.assertion] with issuer and private_key_file";

fn kind(grant: GrantKind) -> &'static str {
    match grant {
        GrantKind::AuthorizationCode => "a grant that a human gives",
        GrantKind::ClientCredentials => "client credentials",
        GrantKind::JwtBearer => "a signed grant",
        GrantKind::Static => "a configured token",
    }
}

/// What else the token requests say.
fn parameters(section: &mut Section<'_>) -> Option<Vec<(String, String)>> {
    let (table, given) = section.section("token_params").rest();
    let mut parameters = Vec::new();
    let mut sound = true;
    for (name, value) in given {
        if let Value::String(text) = value {
            parameters.push((name, text));
        } else {
            table.fault(&name, "is not a text; write it in quotes");
            sound = false;
        }
    }
    table.close();
    sound.then_some(parameters)
}

/// The table of what is signed.
fn assertion(section: &mut Section<'_>, places: &Places<'_>) -> Option<Assertion> {
    let mut table = section.section("assertion");
    let issuer = table.text("issuer");
    let (subject, audience, key_id) = (table.text("subject"), table.text("audience"), table.text("key_id"));
    let keys = ["private_key", "private_key_file", "private_key_env"];
    let key = secret_as(&mut table, keys, places, false);
    let made = if section.holds("assertion") {
        let issuer = table.needed("issuer", issuer, "write who signs: often the client's id or a service account");
        let key = if keys.iter().any(|name| table.holds(name)) {
            key
        } else {
            table.needed(
                "private_key_file",
                None::<Secret>,
                "name the file with the private key in PEM, or private_key_env",
            )
        };
        issuer.zip(key).and_then(|(issuer, key)| {
            let place = keys.into_iter().find(|name| table.holds(name)).unwrap_or("private_key_file");
            Assertion::new(issuer, &key).map_err(|why| table.fault(place, why.to_string())).ok()
        })
    } else {
        None
    };
    table.close();
    let made = subject.into_iter().fold(made?, Assertion::subject);
    let made = audience.into_iter().fold(made, Assertion::audience);
    Some(key_id.into_iter().fold(made, Assertion::key_id))
}

/// A secret in one of three places: here, in a file, in the environment. It is one word.
fn secret(section: &mut Section<'_>, keys: [&'static str; 3], places: &Places<'_>) -> Option<Secret> {
    secret_as(section, keys, places, true)
}

fn secret_as(section: &mut Section<'_>, keys: [&'static str; 3], places: &Places<'_>, word: bool) -> Option<Secret> {
    let [here, file, variable] = keys;
    // A key in PEM has several lines, and then nothing of the environment in it.
    let written = if word { section.text(here) } else { section.lines(here) };
    let (path, name) = (section.text(file), section.text(variable));
    let given: Vec<&str> = keys.into_iter().filter(|key| section.holds(key)).collect();
    if let [first, second, ..] = given.as_slice() {
        section.fault(second, format!("stands beside {first}; leave one of them out"));
        return None;
    }
    let (key, text) = match (written, path, name) {
        (Some(text), _, _) => (here, Zeroizing::new(text)),
        (_, Some(path), _) => match std::fs::read_to_string(beside(places.file, &path)) {
            Ok(text) => (file, Zeroizing::new(text)),
            Err(why) => {
                let path = beside(places.file, &path);
                section.fault(file, format!("the file {} cannot be read: {why}", path.display()));
                return None;
            }
        },
        (_, _, Some(name)) => {
            let Some(text) = (places.environment)(&name) else {
                section.fault(variable, format!("the environment variable {name} is not set; set it"));
                return None;
            };
            (variable, Zeroizing::new(text))
        }
        (None, None, None) => return None,
    };
    let text = text.trim();
    if text.is_empty() {
        section.fault(key, "is empty; give it the secret");
        return None;
    }
    if word && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        section.fault(key, "holds a blank, a line break or a letter that no header can carry; write the token alone");
        return None;
    }
    Some(Secret::new(text))
}

#[cfg(test)]
mod tests;
