//! What is sent to the sandbox.

use serde_json::Value;

use super::{first_line, headers};
use crate::sandbox::{GrantSeed, Head, Incoming, Options, Provider, Rule, Switches};

/// 2026-03-15T12:00:00Z.
const NOW: u64 = 1_773_576_000_000;

/// The grant's tokens: `%TOKEN%` in an `authorization` header, or in the body of a call of the token endpoint.
const ACCESS: &str = "access-1f0c9d2b7a4e";
const REFRESH: &str = "refresh-83b1d5c6e9f7";
const PLACE: &str = "%TOKEN%";

/// Requests with a line `===` between them. Each is a line `METHOD PATH?QUERY`, header lines, an empty line and a body;
/// where the path is `/__ctl/faults` or `/__ctl/config`, the body is what the control interface takes there.
///
/// # Panics
/// A request gets no answer that HTTP can carry, its line in the log is no JSON or holds a token, or it stays in flight.
pub fn sandbox(bytes: &[u8]) {
    if [ACCESS, REFRESH].iter().any(|token| bytes.windows(token.len()).any(|part| part == token.as_bytes())) {
        return;
    }
    let grant =
        GrantSeed { access_token: Some(ACCESS.into()), refresh_token: Some(REFRESH.into()), ..GrantSeed::default() };
    let options = Options { seed: 7, grants: vec![grant], ..Options::default() };
    let mut provider = Provider::new(options, NOW).expect("the options fit");
    let mut rest = bytes;
    for number in 0..MOST {
        let end = rest.windows(MARK.len()).position(|part| part == MARK).unwrap_or(rest.len());
        let (request, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        one(&mut provider, request, NOW.saturating_add(number.saturating_mul(7_000)));
        rest = after.get(MARK.len()..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(provider.summary().in_flight, 0, "nothing is in flight at the end");
    assert!(!provider.state().is_null() && !provider.token_list().is_null(), "a provider can be looked at");
}

const MARK: &[u8] = b"\n===\n";

/// The most requests of one input.
const MOST: u64 = 32;

fn one(provider: &mut Provider, request: &[u8], now: u64) {
    let (words, rest) = first_line(request);
    let method = words.first().map_or_else(|| "GET".to_owned(), |word| word.to_ascii_uppercase());
    let target = words.get(1).copied().unwrap_or("/");
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let (headers, body) = headers(rest);
    match path {
        "/__ctl/faults" => return faults(provider, body),
        "/__ctl/config" => return switches(provider, body),
        _ => {}
    }
    let headers = headers.into_iter().map(|(name, value)| match name.as_str() {
        "authorization" => (name, value.replace(PLACE, ACCESS)),
        _ => (name, value),
    });
    let body = match std::str::from_utf8(body) {
        Ok(text) if path.starts_with("/oauth") => text.replace(PLACE, REFRESH).into_bytes(),
        _ => body.to_vec(),
    };
    let before = provider.summary().requests;
    let head = Head { method, path: path.to_owned(), query, headers: headers.collect(), tcp: 1 };
    let reply = provider.respond(&Incoming { head, body: body.into() }, now);
    assert!((100..=999).contains(&reply.status), "status {}", reply.status);
    let counted = provider.summary().requests.saturating_sub(before);
    assert!(counted <= 1, "one request is counted as {counted}");
    let line: Value = serde_json::from_str(&reply.line).expect("a line of the log is JSON");
    assert_eq!(line.get("seq").and_then(Value::as_u64), Some(reply.ticket.seq()), "a line has its request's number");
    assert!(!reply.line.contains(ACCESS) && !reply.line.contains(REFRESH), "S16 Silence: {}", reply.line);
    provider.close(reply.ticket);
}

fn faults(provider: &mut Provider, body: &[u8]) {
    let before = provider.faults();
    if let Ok(rules) = serde_json::from_slice::<Vec<Rule>>(body)
        && let Err(why) = provider.set_faults(&rules)
    {
        assert!(!why.to_string().is_empty(), "a fault that does not fit says why");
        assert_eq!(provider.faults(), before, "rules that do not fit change nothing");
    }
}

fn switches(provider: &mut Provider, body: &[u8]) {
    let Ok(change) = serde_json::from_slice::<Value>(body) else { return };
    match Switches::changed(provider.switches(), &change) {
        Ok(changed) => {
            if let Err(why) = provider.configure(changed) {
                assert!(!why.to_string().is_empty(), "a switch that does not fit says why");
            }
        }
        Err(why) => assert!(!why.to_string().is_empty(), "a switch that does not fit says why"),
    }
}
