use url::Url;

use super::*;
use crate::guard::Audience;
use crate::http::HttpOptions;
use crate::http::loopback::{Reply, Server};

/// The outcome as text, tokens included: for tests alone.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Renewed(minted) => {
            let seconds =
                |span: Option<Span>| span.map_or("-".to_owned(), |span| (span.as_millis() / 1000).to_string());
            format!(
                "renewed {} {} {} {} {}",
                minted.access.reveal(),
                seconds(minted.expires_in),
                minted.refresh.as_ref().map_or("-", Secret::reveal),
                seconds(minted.refresh_expires_in),
                minted.scope.as_deref().unwrap_or("-"),
            )
        }
        Outcome::RefusedForGood { why } => format!("refused: {why}"),
        Outcome::Misconfigured { why } => format!("misconfigured: {why}"),
        Outcome::Unknown { why, retry_after: None } => format!("unknown: {why}"),
        Outcome::Unknown { why, retry_after: Some(span) } => format!("unknown after {}: {why}", span.as_millis()),
    }
}

fn read(answer: Result<Answer, NoAnswer>) -> Outcome {
    super::read(Asked::Refresh, &TokenShape::default(), answer)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), received: Time::from_millis(0) }
}

fn reading(status: u16, body: &str) -> String {
    told(&read(Ok(answer(status, body))))
}

const DEAD: &str = "The provided authorization grant or refresh token is invalid, expired or revoked.";
const WRONG_CODE: &str = "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization \
                          code. Or authorization code expired. Or external member binding exists";

#[test]
fn every_error_row_has_its_class() {
    let error = |code: &str, description: &str| {
        serde_json::json!({ "error": code, "error_description": description }).to_string()
    };
    let rows = [
        (400, error("invalid_grant", "Token has been expired or revoked."), "refused:"),
        (400, error("invalid_grant", ""), "refused:"),
        (401, error("invalid_grant", ""), "refused:"),
        (400, error("invalid_request", DEAD), "refused:"),
        (400, error("invalid_request", "REFRESH TOKEN EXPIRED"), "refused:"),
        (400, error("invalid_request", "refresh_token is invalid"), "refused:"),
        (400, error("invalid_request", WRONG_CODE), "misconfigured:"),
        (400, error("invalid_request", "A required parameter \"client_id\" is missing"), "misconfigured:"),
        (400, error("invalid_request", "Invalid request: the refresh_token parameter is missing"), "misconfigured:"),
        (400, error("invalid_request", "Parameter refresh_token is repeated, request invalid"), "misconfigured:"),
        (400, error("invalid_request", "grant_type is invalid"), "misconfigured:"),
        (400, error("invalid_request", ""), "misconfigured:"),
        (401, error("invalid_client", "Client authentication failed"), "misconfigured:"),
        (400, error("invalid_client", ""), "misconfigured:"),
        (400, error("unauthorized_client", ""), "misconfigured:"),
        (400, error("unsupported_grant_type", ""), "misconfigured:"),
        (400, error("invalid_scope", ""), "misconfigured:"),
        (400, error("temporarily_unavailable", ""), "unknown:"),
        (400, "{}".into(), "unknown:"),
        (400, r#"{"error":["invalid_grant"]}"#.into(), "unknown:"),
        (400, "[]".into(), "unknown:"),
        (400, "<html>invalid_grant</html>".into(), "unknown:"),
        (401, String::new(), "unknown:"),
        (403, "<html>".into(), "unknown:"),
        (404, String::new(), "unknown:"),
        (408, error("invalid_grant", ""), "unknown:"),
        (429, error("invalid_grant", ""), "unknown:"),
        (429, error("invalid_client", ""), "unknown:"),
        (500, error("invalid_grant", DEAD), "unknown:"),
        (502, "<html>".into(), "unknown:"),
        (503, String::new(), "unknown:"),
        (302, String::new(), "unknown:"),
        (304, error("invalid_grant", ""), "unknown:"),
        (100, String::new(), "unknown:"),
    ];
    for (status, body, class) in rows {
        let told = reading(status, &body);
        assert!(told.starts_with(class), "{status} {body}: {told}");
        assert!(told.contains(&status.to_string()), "{told}");
    }
}

#[test]
fn every_success_row_is_read() {
    let full = r#"{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW",
        "refresh_token_expires_in":31536000,"scope":"r_ads,rw_conversions","token_type":"Bearer"}"#;
    for (body, expected) in [
        (full, "renewed AQX 5184000 AQW 31536000 r_ads,rw_conversions"),
        (r#"{"access_token":"AQX"}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","token_type":"bearer","refresh_token":""}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","refresh_token":7,"scope":["a"]}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":"3600"}"#, "renewed AQX 3600 - - -"),
        (r#"{"access_token":"AQX","expires_in":" 3600 "}"#, "renewed AQX 3600 - - -"),
        (r#"{"access_token":"AQX","expires_in":3600.9}"#, "renewed AQX 3600 - - -"),
        (r#"{"access_token":"AQX","expires_in":0}"#, "renewed AQX 0 - - -"),
        (r#"{"access_token":"AQX","expires_in":"0"}"#, "renewed AQX 0 - - -"),
        (r#"{"access_token":"AQX","expires_in":-1}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":"soon"}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":""}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":null}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":[60]}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":18446744073709551615}"#, "renewed AQX 315360000 - - -"),
        (r#"{"access_token":"AQX","expires_in":99999999999999999999999}"#, "renewed AQX - - - -"),
        (r#"{"access_token":"AQX","expires_in":1e300}"#, "renewed AQX - - - -"),
    ] {
        assert_eq!(reading(200, body), expected, "{body}");
    }
    assert_eq!(reading(201, r#"{"access_token":"AQX"}"#), "renewed AQX - - - -");
}

#[test]
fn a_success_without_a_usable_token_is_unknown() {
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "\"AQX\"",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":null}"#,
        r#"{"access_token":12}"#,
        r#"{"access_token":"AQX\r\nx: y"}"#,
        r#"{"access_token":"A QX"}"#,
        r#"{"access_token":"AQXé"}"#,
        r#"{"error":"invalid_grant"}"#,
        r#"{"access_token":"AQX"#,
    ] {
        let told = reading(200, body);
        assert!(told.starts_with("unknown:") && !told.contains("AQX"), "{body}: {told}");
    }
    let told = reading(200, r#"{"access_token":"AQX","token_type":"mac"}"#);
    assert!(told.starts_with("misconfigured:") && !told.contains("AQX"), "{told}");
}

#[test]
fn a_refusal_is_about_what_was_asked_with() {
    let refusal = |asked, code: &str| {
        let body = serde_json::json!({"error": code, "error_description": DEAD}).to_string();
        told(&super::read(asked, &TokenShape::default(), Ok(answer(400, &body))))
    };
    let starts = |asked, code, start: &str, word: &str| {
        let told = refusal(asked, code);
        assert!(told.starts_with(start) && told.contains(word), "{told}");
    };
    starts(Asked::Refresh, "invalid_grant", "refused:", "refresh token");
    starts(Asked::Code, "invalid_grant", "refused:", "the code");
    starts(Asked::Code, "invalid_request", "misconfigured:", "redirect_uri");
    starts(Asked::Client, "invalid_grant", "misconfigured:", "client_secret");
    starts(Asked::Assertion, "invalid_grant", "misconfigured:", "this machine's clock");
    starts(Asked::Assertion, "invalid_client", "misconfigured:", "private key");
    starts(Asked::Assertion, "unauthorized_client", "misconfigured:", "for this subject");
    starts(Asked::Client, "invalid_request", "misconfigured:", "token_url");
    starts(Asked::Client, "temporarily_unavailable", "unknown:", "temporarily_unavailable");
}

#[test]
fn a_providers_own_shape_is_read_where_its_profile_says_so() {
    let shape = TokenShape {
        access_token: "/data/token".into(),
        expires_in: "/data/life".into(),
        expires_at: Some("/expires_at".into()),
        ends_grant: vec![crate::exchange::Rule::status(404..=404)],
        misconfigured: vec![crate::exchange::Rule::status(401..=401).holding("/message", &["Bad credentials"])],
        ..TokenShape::default()
    };
    let reading = |asked, status, body: &str| {
        let answer = Answer { received: Time::from_millis(1_000_000_000_000), ..answer(status, body) };
        told(&super::read(asked, &shape, Ok(answer)))
    };
    let body = r#"{"data":{"token":"AQX"},"expires_at":"2001-09-09T02:46:40Z"}"#;
    assert_eq!(reading(Asked::Assertion, 201, body), "renewed AQX 3600 - - -");
    let body = r#"{"data":{"token":"AQX","life":60},"expires_at":"2001-09-09T02:46:40Z"}"#;
    assert_eq!(reading(Asked::Assertion, 201, body), "renewed AQX 60 - - -");
    assert!(reading(Asked::Assertion, 201, r#"{"access_token":"AQX"}"#).starts_with("unknown:"));
    assert_eq!(reading(Asked::Refresh, 404, ""), "refused: the provider refuses the refresh token for good (404)");
    assert!(reading(Asked::Assertion, 404, "").starts_with("misconfigured:"));
    assert!(reading(Asked::Assertion, 401, r#"{"message":"Bad credentials"}"#).contains("(401); check issuer, key_id"));
    assert!(reading(Asked::Assertion, 401, r#"{"message":"Later"}"#).starts_with("unknown:"));
}

#[test]
fn nothing_that_the_provider_writes_is_quoted_but_a_code() {
    for status in [200, 302, 400, 401, 403, 429, 500] {
        for field in ["error", "error_description", "access_token", "message"] {
            for code in ["invalid_request", "AQW8-canary_TOKEN0", "canary0\r\nx", "ca\u{7}nary"] {
                let body = serde_json::json!({ "error": code, field: "Canary 0 \n text" }).to_string();
                let told = reading(status, &body).to_lowercase();
                assert!(!told.contains("canary"), "{status} {body}: {told}");
            }
        }
    }
    assert_eq!(reading(400, r#"{"error":"slow_down"}"#), "unknown: the token endpoint answered 400 with slow_down");
    let long = format!(r#"{{"error":"{}"}}"#, "a".repeat(61));
    assert!(reading(400, &long).ends_with("an error code that cannot be shown"));
}

#[test]
fn retry_after_is_honoured_up_to_its_cap_and_never_on_a_verdict() {
    let asking = |status: u16, after: &str, body: &str| {
        let headers = vec![("retry-after".to_owned(), after.to_owned())];
        told(&read(Ok(Answer { headers, ..answer(status, body) })))
    };
    assert_eq!(asking(429, "7", ""), "unknown after 7000: the token endpoint answered 429");
    assert_eq!(asking(503, "86400", ""), "unknown after 900000: the token endpoint answered 503");
    assert_eq!(asking(503, "soon", ""), "unknown: the token endpoint answered 503");
    assert!(asking(400, "7", r#"{"error":"invalid_grant"}"#).starts_with("refused:"));
}

#[test]
fn no_answer_is_unknown_and_a_forbidden_request_is_configuration() {
    let cause = || "x".to_owned();
    assert!(told(&read(Err(NoAnswer::NotSent { cause: cause() }))).starts_with("unknown:"));
    assert!(told(&read(Err(NoAnswer::Lost { cause: cause() }))).starts_with("unknown:"));
    assert!(told(&read(Err(NoAnswer::Forbidden { cause: cause() }))).starts_with("misconfigured:"));
}

#[tokio::test]
async fn the_grant_is_one_form_and_its_answer_is_read() {
    const MINTED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{\"access_token\":\"AQX\",\"expires_in\":60,\"token_type\":\"bearer\"}";
    assert_eq!(MINTED.split_once("\r\n\r\n").map(|(_, body)| body.len()), Some(60));
    let server = Server::start(Reply::Say(MINTED)).await;
    let outcome = refresh_at(server.url("/oauth/v2/accessToken")).await;
    assert_eq!(told(&outcome), "renewed AQX 60 - - -");
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /oauth/v2/accessToken HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.contains("authorization"), "{seen}");
    let form = "grant_type=refresh_token&refresh_token=AQW%2B1&client_id=me&client_secret=hush%26";
    assert!(seen.ends_with(&format!("\r\n\r\n{form}")), "{seen}");
}

#[tokio::test]
async fn an_endpoint_that_closes_is_unknown_and_one_on_plain_http_is_configuration() {
    let server = Server::start(Reply::Close).await;
    assert!(told(&refresh_at(server.url("/")).await).starts_with("unknown:"));
    let told = told(&refresh_at(Url::parse("http://example.com/token").unwrap()).await);
    assert!(told.starts_with("misconfigured:") && told.contains("use https"), "{told}");
}

async fn refresh_at(token_url: Url) -> Outcome {
    let http = Http::new(HttpOptions { allow_loopback: true, ..HttpOptions::default() }).unwrap();
    let profile = Profile::generic("test", token_url, Audience::default());
    let client = Client::new("me", Secret::new("hush&"));
    let token = Secret::new("AQW+1");
    movable(refresh(&http, &profile, &client, &token, || Time::ZERO)).await
}

/// The engine sends from tasks that move between threads.
fn movable<F: Future<Output = Outcome> + Send>(asked: F) -> F {
    asked
}
