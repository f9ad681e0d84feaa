//! The consent page, without a page: the member consents at once, or refuses as a switch says. And the codes that come of it.

use super::choices::Pkce;
use super::oauth::{BadForm, Form, check_client, failure, minted};
use super::options::{GrantSeed, Secret, Switches};
use super::tokens::{Code, Mint, Tokens, ordinal, seconds};
use super::wire::{Answer, Head};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use std::net::Ipv4Addr;
use url::{Host, Url};

/// The consent page.
pub(super) const PATH: &str = "/oauth/v2/authorization";

/// Answers who comes to the page. What is wrong with client or address is told here and sends nobody anywhere (RFC 6749, section
/// 4.1.2.1); everything else is told where the client asked for.
pub(super) fn page(tokens: &mut Tokens, mint: Mint<'_>, head: &Head) -> Result<Answer, BadForm> {
    if head.method != "GET" {
        return Ok(failure(405, "invalid_request", "Only GET is supported"));
    }
    let form = Form::of_query(head)?;
    let (client_id, redirect) = (form.get("client_id")?, form.get("redirect_uri")?);
    if !tokens.knows_client(client_id) {
        return Ok(failure(400, "unauthorized_client", "The client is not known"));
    }
    if !is_registered(mint.switches, redirect) {
        return Ok(failure(400, "invalid_redirect_uri", "The redirect_uri does not match the registered value"));
    }
    let Ok(mut back) = Url::parse(redirect) else {
        return Ok(failure(400, "invalid_redirect_uri", "The redirect_uri is no address"));
    };
    match consent(tokens, mint, &form, client_id, redirect) {
        Ok(code) => back.query_pairs_mut().append_pair("code", code.expose()),
        Err((error, why)) => back.query_pairs_mut().append_pair("error", error).append_pair("error_description", why),
    };
    if let Ok(state) = form.get("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Ok(Answer { headers: vec![("location".to_owned(), back.into())], ..Answer::empty(302) })
}

fn consent(
    tokens: &mut Tokens,
    mint: Mint<'_>,
    form: &Form,
    client_id: &str,
    redirect: &str,
) -> Result<Secret, (&'static str, &'static str)> {
    if form.get("response_type").ok() != Some("code") {
        return Err(("unsupported_response_type", "The response_type is not supported"));
    }
    let challenge = form.get("code_challenge").ok();
    let method = form.get("code_challenge_method").ok();
    if challenge.is_some() && method != Some("S256") {
        return Err(("invalid_request", "The code_challenge_method must be S256"));
    }
    if challenge.is_none() && mint.switches.pkce == Pkce::Required {
        return Err(("invalid_request", "A required parameter \"code_challenge\" is missing"));
    }
    let known = GrantSeed::default().scope;
    let asked = form.get("scope").map(|scope| scope.split([' ', ',']).collect::<Vec<_>>());
    let scope = match asked {
        Err(_) => known,
        Ok(asked) if asked.iter().any(|scope| mint.switches.refused_scopes.contains(*scope)) => {
            return Err(("unauthorized_scope_error", "A scope is not authorized for your application"));
        }
        Ok(asked) => asked.join(","),
    };
    if mint.switches.consent_refused {
        return Err(("user_cancelled_authorize", "The user cancelled the authorization"));
    }
    let code = Code {
        client_id: client_id.to_owned(),
        redirect_uri: redirect.to_owned(),
        member: format!("member-{}", ordinal(tokens.grants.len())),
        scope,
        challenge: challenge.map(str::to_owned),
        expires: mint.now.saturating_add(seconds(mint.switches.code_life_s)),
    };
    Ok(tokens.add_code(code, mint))
}

/// Whether a client may be sent there. On loopback the port is the client's to choose (RFC 8252, section 7.3); else it is to the
/// letter.
fn is_registered(switches: &Switches, redirect: &str) -> bool {
    let Some(known) = &switches.redirect_uris else { return true };
    let without_port = |text: &str| {
        let mut url = Url::parse(text).ok().filter(|url| url.host() == Some(Host::Ipv4(Ipv4Addr::LOCALHOST)))?;
        url.set_port(None).ok()?;
        Some(url)
    };
    let asked = without_port(redirect);
    known.iter().any(|one| one == redirect || (asked.is_some() && without_port(one) == asked))
}

/// Turns a code into a grant.
pub(super) fn redeem(tokens: &mut Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    if let Some(refused) = check_client(tokens, form)? {
        return Ok(refused);
    }
    let (client_id, redirect_uri) = (form.get("client_id")?, form.get("redirect_uri")?);
    let verifier = form.get("code_verifier").ok();
    let secret = form.get("client_secret").unwrap_or_default();
    // Taken out even if it does not fit: a code is good for one attempt.
    let code = tokens.codes.remove(form.get("code")?);
    if verifier.is_some() && !secret.is_empty() && mint.switches.pkce == Pkce::Refused {
        return Ok(failure(401, "invalid_client", "Client authentication failed"));
    }
    let fits = |code: &Code| {
        let proven = match (&code.challenge, verifier) {
            (None, _) => mint.switches.pkce != Pkce::Required,
            (Some(challenge), Some(verifier)) => {
                *challenge == URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
            }
            (Some(_), None) => mint.switches.pkce == Pkce::Refused,
        };
        proven && code.client_id == client_id && code.redirect_uri == redirect_uri && mint.now < code.expires
    };
    let Some(code) = code.filter(fits) else { return Ok(failure(400, "invalid_request", BAD_CODE)) };
    let seed = GrantSeed {
        client_id: client_id.into(),
        client_secret: Secret::from(secret),
        member: Some(code.member),
        scope: code.scope,
        propagates: true,
        ..GrantSeed::default()
    };
    let pair = tokens.grant(&seed, mint);
    Ok(minted(tokens, mint, pair, "authorization_code"))
}

const BAD_CODE: &str = "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. \
                        Or authorization code expired. Or external member binding exists";
