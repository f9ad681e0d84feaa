//! The consent page, the token endpoint, introspection and revocation. They know every token at once; only the API's nodes lag.

use super::choices::DeadRefreshError;
use super::tokens::{Mint, Tokens, ordinal};
use super::wire::{Answer, Applied, Effects, Head, RefreshCall};
use super::{consent, own};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Paths of this part start with this.
pub(super) const PREFIX: &str = "/oauth/v2/";
/// The token endpoint.
pub(super) const TOKEN_PATH: &str = "/oauth/v2/accessToken";
/// Introspection.
pub(super) const INTROSPECT_PATH: &str = "/oauth/v2/introspectToken";
/// Revocation.
pub(super) const REVOKE_PATH: &str = "/oauth/v2/revoke";
/// What `applied` calls a minted token in the audit log.
pub(super) const MINTED: &str = "accessToken";

/// The parameters, from the body and the query: LinkedIn reads both, and some clients use the query to spread a token faster.
pub(super) struct Form(BTreeMap<String, String>);

/// Why parameters cannot be used.
pub(super) struct BadForm(String);

impl Form {
    /// Those of an address alone.
    pub(super) fn of_query(head: &Head) -> Result<Self, BadForm> {
        Form::read(head, b"")
    }

    fn read(head: &Head, body: &[u8]) -> Result<Self, BadForm> {
        let mut found = BTreeMap::new();
        let query = head.query.as_deref().unwrap_or_default().as_bytes();
        let given = url::form_urlencoded::parse(query).chain(url::form_urlencoded::parse(body));
        let in_header = basic(head).map(|(id, secret)| [("client_id", id), ("client_secret", secret)]);
        let in_header = in_header.into_iter().flatten().map(|(name, value)| (name.into(), value.into()));
        for (name, value) in given.chain(in_header) {
            let name: std::borrow::Cow<'_, str> = name;
            let value: std::borrow::Cow<'_, str> = value;
            if found.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(BadForm(format!("The parameter \"{name}\" is repeated")));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Result<&str, BadForm> {
        let value = self.0.get(name).map(String::as_str).filter(|value| !value.is_empty());
        value.ok_or_else(|| BadForm(format!("A required parameter \"{name}\" is missing")))
    }
}

impl From<BadForm> for Answer {
    fn from(bad: BadForm) -> Self {
        failure(400, "invalid_request", &bad.0)
    }
}

/// A client in the header (RFC 6749, section 2.3.1): id and secret, each encoded as in a form.
fn basic(head: &Head) -> Option<(String, String)> {
    let (scheme, pair) = head.header("authorization")?.split_once(' ')?;
    let pair = STANDARD.decode(pair.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    let decoded = |text: &str| url::form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned());
    Some((decoded(id).unwrap_or_default(), decoded(secret).unwrap_or_default()))
}

/// Answers a request whose path starts with [`PREFIX`].
pub(super) fn answer(tokens: &mut Tokens, mint: Mint<'_>, head: &Head, body: &[u8]) -> Answer {
    if head.path == consent::PATH {
        return consent::page(tokens, mint, head).unwrap_or_else(Answer::from);
    }
    if head.method != "POST" {
        return failure(405, "invalid_request", "Only POST is supported");
    }
    let form = match Form::read(head, body) {
        Ok(form) => form,
        Err(bad) => return bad.into(),
    };
    let answered = match head.path.strip_prefix(PREFIX) {
        Some("accessToken") => exchange(tokens, mint, &form),
        Some("introspectToken") => introspect(tokens, mint, &form),
        Some("revoke") => revoke(tokens, mint, &form),
        _ => Ok(failure(404, "not_found", "There is no such endpoint")),
    };
    answered.unwrap_or_else(Answer::from)
}

/// Counts a call that a fault rule keeps from being answered as it deserves.
pub(super) fn count_spoilt(tokens: &mut Tokens, now: u64, head: &Head, body: &[u8]) -> Option<RefreshCall> {
    let form = Form::read(head, body).ok().filter(|_| head.path == TOKEN_PATH)?;
    let used = match form.get("grant_type") {
        Ok("refresh_token") => form.get("refresh_token").ok().and_then(|secret| tokens.refresh_named(secret)),
        _ => return None,
    };
    begin_call(tokens, used, now);
    end_call(tokens, used, false);
    Some(RefreshCall { token: used })
}

/// Counts down what is in flight when the answer is out.
pub(super) fn close_call(tokens: &mut Tokens, call: RefreshCall) {
    if let Some(token) = call.token.and_then(|used| tokens.refresh.get_mut(used)) {
        token.counters.in_flight = token.counters.in_flight.saturating_sub(1);
    }
}

fn exchange(tokens: &mut Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    match form.get("grant_type")? {
        "refresh_token" => {
            let used = tokens.refresh_named(form.get("refresh_token")?);
            begin_call(tokens, used, mint.now);
            let answer = refresh(tokens, mint, form, used).unwrap_or_else(Answer::from);
            end_call(tokens, used, answer.is_success());
            Ok(Answer { refresh: Some(RefreshCall { token: used }), ..answer })
        }
        "authorization_code" => consent::redeem(tokens, mint, form),
        "client_credentials" => own::client(tokens, mint, form),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => own::assertion(tokens, mint, form),
        _ => Ok(failure(400, "unsupported_grant_type", "The grant type is not supported")),
    }
}

// In flight from here until the answer is out, which only the provider's caller sees.
fn begin_call(tokens: &mut Tokens, used: Option<usize>, now: u64) {
    if let Some(token) = used.and_then(|used| tokens.refresh.get_mut(used)) {
        let counters = &mut token.counters;
        counters.calls = counters.calls.saturating_add(1);
        counters.in_flight = counters.in_flight.saturating_add(1);
        counters.max_in_flight = counters.max_in_flight.max(counters.in_flight);
        counters.at_ms.push(now);
    }
}

fn end_call(tokens: &mut Tokens, used: Option<usize>, success: bool) {
    if let Some(token) = used.and_then(|used| tokens.refresh.get_mut(used)) {
        let counter = if success { &mut token.counters.successes } else { &mut token.counters.failures };
        *counter = counter.saturating_add(1);
    }
}

fn refresh(tokens: &mut Tokens, mint: Mint<'_>, form: &Form, used: Option<usize>) -> Result<Answer, BadForm> {
    if let Some(refused) = check_client(tokens, form)? {
        return Ok(refused);
    }
    let Some(used) = used else { return Ok(dead_refresh_token(mint)) };
    if is_throttled(tokens, used, mint) {
        return Ok(failure(
            429,
            "too_many_requests",
            "Resource level throttle limit for calls to this resource is reached.",
        ));
    }
    if !tokens.mints(used, form.get("client_id")?, mint) {
        return Ok(dead_refresh_token(mint));
    }
    let renewed = tokens.renew(used, mint);
    Ok(renewed.map_or_else(|| dead_refresh_token(mint), |pair| minted(tokens, mint, pair, "refresh_token")))
}

fn introspect(tokens: &Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    if let Some(refused) = check_client(tokens, form)? {
        return Ok(refused);
    }
    let known = tokens.access_named(form.get("token")?).and_then(|place| tokens.access.get(place));
    let learnt = known.filter(|token| token.issued.saturating_add(mint.switches.introspection_delay_ms) <= mint.now);
    let Some((token, grant)) = learnt.and_then(|token| Some((token, tokens.grants.get(token.grant)?))) else {
        return Ok(Answer::json(200, json!({"active": false})));
    };
    let status = match token.revoked_at {
        Some(at) if at <= mint.now => "revoked",
        _ if token.expires <= mint.now => "expired",
        _ => "active",
    };
    Ok(Answer::json(
        200,
        json!({
            "active": status == "active",
            "status": status,
            "client_id": grant.client_id,
            "authorized_at": whole_seconds(grant.consented),
            "created_at": whole_seconds(token.issued),
            "expires_at": whole_seconds(token.expires),
            "scope": token.scope,
            "auth_type": "3L",
        }),
    ))
}

// Either token ends the whole grant: an engineer who revoked an access token found the refresh token dead with it.
fn revoke(tokens: &mut Tokens, mint: Mint<'_>, form: &Form) -> Result<Answer, BadForm> {
    if let Some(refused) = check_client(tokens, form)? {
        return Ok(refused);
    }
    let secret = form.get("token")?;
    let by_access = tokens.access_named(secret).and_then(|place| tokens.access.get(place)).map(|token| token.grant);
    let by_refresh = tokens.refresh_named(secret).and_then(|place| tokens.refresh.get(place)).map(|token| token.grant);
    let mut answer = Answer::empty(200);
    if let Some(grant) = by_access.or(by_refresh) {
        tokens.revoke_grant(grant, mint.now);
        let value = json!({"revoked_at": mint.now});
        answer.effects.applied.push(Applied::new("grant", ordinal(grant).to_string(), value));
    }
    Ok(answer)
}

/// What is said to a client that does not prove itself. One that has no secret proves nothing.
pub(super) fn check_client(tokens: &Tokens, form: &Form) -> Result<Option<Answer>, BadForm> {
    let id = form.get("client_id")?;
    if tokens.is_client(id, "") {
        return Ok(None);
    }
    let known = tokens.is_client(id, form.get("client_secret")?);
    Ok((!known).then(|| failure(401, "invalid_client", "Client authentication failed")))
}

fn is_throttled(tokens: &Tokens, used: usize, mint: Mint<'_>) -> bool {
    let (Some(limit), Some(token)) = (mint.switches.max_refresh_per_minute, tokens.refresh.get(used)) else {
        return false;
    };
    let a_minute_ago = mint.now.saturating_sub(60_000);
    let recent = token.counters.at_ms.iter().rev().take_while(|at| **at > a_minute_ago || mint.now < 60_000);
    recent.count() > usize::try_from(limit).unwrap_or(usize::MAX)
}

pub(super) fn minted(tokens: &Tokens, mint: Mint<'_>, (access, refresh): (usize, usize), grant_type: &str) -> Answer {
    let (Some(token), Some(grant)) =
        (tokens.access.get(access), tokens.refresh.get(refresh).and_then(|token| tokens.grants.get(token.grant)))
    else {
        return dead_refresh_token(mint);
    };
    let mut body = json!({
        "access_token": tokens.access_secret(access),
        "expires_in": whole_seconds(token.expires.saturating_sub(mint.now)),
        "scope": token.scope,
        "token_type": "Bearer",
    });
    if let (true, Some(members)) = (mint.switches.refresh_token_in_answer, body.as_object_mut()) {
        members.insert("refresh_token".into(), tokens.refresh_secret(refresh).into());
        members.insert("refresh_token_expires_in".into(), whole_seconds(grant.ends.saturating_sub(mint.now)));
    }
    let value = json!({
        "grant": ordinal(token.grant),
        "grant_type": grant_type,
        "expires_ms": token.expires,
        "refresh_token": ordinal(refresh),
    });
    let applied = vec![Applied::new(MINTED, ordinal(access).to_string(), value)];
    Answer { effects: Effects { applied, ..Effects::default() }, ..Answer::json(200, body) }
}

fn dead_refresh_token(mint: Mint<'_>) -> Answer {
    match mint.switches.dead_refresh_error {
        DeadRefreshError::InvalidGrant => failure(400, "invalid_grant", "Token has been expired or revoked."),
        DeadRefreshError::InvalidRequest => failure(
            400,
            "invalid_request",
            "The provided authorization grant or refresh token is invalid, expired or revoked.",
        ),
    }
}

/// The same for a grant that needs no refresh token.
pub(super) fn without_refresh_token(mut answer: Answer) -> Answer {
    if let Some(members) = answer.body.as_mut().and_then(Value::as_object_mut) {
        members.remove("refresh_token");
        members.remove("refresh_token_expires_in");
    }
    answer
}

pub(super) fn failure(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, json!({"error": error, "error_description": description}))
}

fn whole_seconds(ms: u64) -> Value {
    (ms / 1000).into()
}
