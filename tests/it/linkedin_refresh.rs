//! A recorded refresh, played over a socket: what reaches the token endpoint, and what its answer comes to. The reference
//! sends the API's headers with it, and a token named `undefined` (Q8); those are not compared.

use std::collections::BTreeSet;

use outlast::Secret;
use outlast::http::{Http, HttpOptions};
use outlast::oauth::{Client, Outcome, Profile, refresh};
use outlast_state::Time;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

/// Plays it; says what differs.
pub(crate) fn play(vector: &Value) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
    let recorded = &vector["requests"][0];
    let profile = Profile::linkedin();
    let address = recorded["url"].as_str().unwrap_or_default();
    if recorded["method"] != "POST" || profile.token_url.as_str() != address {
        return Err(format!("address: ours {}, recorded {address}", profile.token_url));
    }
    let (head, seen, outcome) = runtime.block_on(exchange(vector, profile)).map_err(|why| why.to_string())?;
    // Q8: the reference sends a token that there is not, and what only the API needs.
    for header in ["authorization:", "linkedin-version:", "x-restli-"] {
        if head.to_ascii_lowercase().lines().any(|line| line.starts_with(header)) {
            return Err(format!("header: a refresh carries {header}"));
        }
    }
    let form = |text: &str| form_urlencoded::parse(text.as_bytes()).into_owned().collect::<BTreeSet<_>>();
    let expected = form(recorded["body"].as_str().unwrap_or_default());
    if form(&seen) != expected {
        return Err("form: another than was recorded".to_owned());
    }
    let code = vector["error"]["code"].as_str();
    match (outcome, code) {
        (Outcome::Renewed(minted), None) => {
            let life = vector["responses"][0]["body"]["expires_in"].as_u64();
            let ours = minted.expires_in.map(|span| span.as_millis() / 1000);
            if ours == life { Ok(()) } else { Err(format!("life: ours {ours:?}, recorded {life:?}")) }
        }
        (Outcome::RefusedForGood { .. }, Some("REFRESH_TOKEN_EXPIRED")) => Ok(()),
        // The reference gives up alike on what will pass and on what an operator must mend (Q19).
        (Outcome::Unknown { .. } | Outcome::Misconfigured { .. }, Some("OAUTH_REFRESH_FAILED")) => Ok(()),
        (Outcome::RefusedForGood { .. }, Some("OAUTH_REFRESH_FAILED")) => Ok(()),
        (_, code) => Err(format!("outcome: another than was recorded ({code:?})")),
    }
}

/// The head and the body that arrived, and the outcome.
async fn exchange(vector: &Value, profile: Profile) -> std::io::Result<(String, String, Outcome)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let token_url = format!("http://{}/oauth/v2/accessToken", listener.local_addr()?);
    let token_url: Url = token_url.parse().expect("an address");
    let answer = answer(&vector["responses"][0]);
    let serve = async {
        let (mut socket, _) = listener.accept().await?;
        let mut seen = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    socket.write_all(answer.as_bytes()).await?;
                    return Ok::<_, std::io::Error>((head.to_owned(), body.to_owned()));
                }
            }
            let mut part = [0; 1024];
            let read = socket.read(&mut part).await?;
            seen.extend_from_slice(&part[..read]);
        }
    };
    let http = Http::new(HttpOptions { allow_loopback: true, ..HttpOptions::default() }).expect("a client");
    let client = Client::new("client-id-1", Secret::new("client-secret-1"));
    let token = Secret::new(vector["auth"]["refresh_token"].as_str().unwrap_or_default());
    let profile = Profile { token_url, ..profile };
    let asked = refresh(&http, &profile, &client, &token, || Time::from_millis(1));
    let (seen, outcome) = tokio::join!(serve, asked);
    let (head, body) = seen?;
    Ok((head, body, outcome))
}

/// The recorded answer on the wire; nothing, and the connection closed, where there was none.
fn answer(recorded: &Value) -> String {
    let Some(status) = recorded["status"].as_u64() else { return String::new() };
    let body = match &recorded["body"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let kind = recorded["headers"]["content-type"].as_str().unwrap_or("application/json");
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Recorded\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
