//! What providers answer: a token endpoint's answers, evidence about a token, and LinkedIn's results.

use std::collections::{BTreeSet, HashSet};

use outlast_state::{DeliveryId, Span, Time, Verdict};
use serde_json::json;

use super::{first_line, headers};
use crate::destination::linkedin::{self, Conversions};
use crate::destination::{Conclusion, Conversation, Destination as _, Item, Routes, Turn};
use crate::exchange::{Answer, Exchange, NoAnswer};
use crate::oauth::{self, Asked, Evidence, Outcome, Profile, Rule, TokenShape};
use crate::secret::Secret;

/// 2026-03-15T12:00:00Z.
const NOW: Time = Time::from_millis(1_773_576_000_000);

/// What a provider may ask for at most, by the rules of the readers.
const LONGEST_WAIT: Span = Span::from_secs(15 * 60);

/// A token as providers make them, and what an input may write to have it in its answer.
const TOKEN: &str = "AQX0eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvdXRsYXN0In0.c2lnbmF0dXJlLW9mLWEtdG9rZW4tdGhhdC1pcy1sb25nL2FuZCtzdHJhbmdl\
                     .AQX1ZmlsbGluZyB0aGF0IG1ha2VzIGl0IGFzIGxvbmcgYXMgTGlua2VkSW4ncyB0b2tlbnMgYXJlIGFuZCBhIGJpdCBsb25nZXIgdGhhbiB0aGF0";
const PLACE: &str = "%TOKEN%";

/// So much of a token in a row is a part of it, and not chance.
const PART: usize = 12;

/// An answer as text: a line `STATUS ITEMS compat`, header lines, an empty line, the body. `%TOKEN%` in it is the token that
/// was sent.
///
/// # Panics
/// A reader gives another number of results than there were items, asks for an endless wait, or quotes the token.
pub fn answers(bytes: &[u8]) {
    let (words, rest) = first_line(bytes);
    let status = words.first().and_then(|word| word.parse().ok()).unwrap_or(200);
    let count = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(1_usize).clamp(1, 100);
    let compat = words.contains(&"compat");
    let (headers, body) = headers(rest);
    let headers = headers.into_iter().map(|(name, value)| (name, value.replace(PLACE, TOKEN))).collect();
    let answer = Answer { status, headers, body: placed(body), received: NOW };
    retry_after(&answer);
    evidence(&answer);
    results(&answer, count, compat);
    token_endpoint(&answer);
}

/// The body with the token where it is asked for; bytes that are not text stay as they are.
fn placed(body: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(body) {
        Ok(text) => text.replace(PLACE, TOKEN).into_bytes(),
        Err(_) => body.to_vec(),
    }
}

fn retry_after(answer: &Answer) {
    let cap = Span::from_secs(60);
    let waits = [answer.retry_after(cap), answer.retry_after(LONGEST_WAIT)];
    let [short, long] = waits.map(|wait| wait.unwrap_or(Span::ZERO));
    assert!(short <= cap && long <= LONGEST_WAIT && short <= long, "S9 Spacing: a wait of {short} and {long}");
    assert!(long.as_millis() == 0 || answer.header("retry-after").is_some(), "a wait that nobody asked for");
}

fn evidence(answer: &Answer) {
    let plain = Profile::linkedin();
    let said = Rule::status(200..=499).holding("/error", &["invalid_token"]);
    let wordy = Profile { refuses: vec![Rule::status(401..=401), said], ..Profile::linkedin() };
    for profile in [&plain, &wordy] {
        let evidence = profile.evidence(answer);
        assert_eq!(evidence == Evidence::Refuses, profile.refuses_token(answer), "what refuses does not prove");
        assert_eq!(evidence == Evidence::Proves, profile.proves_token(answer), "what refuses does not prove");
    }
    assert_eq!(plain.refuses_token(answer), answer.status == 401, "LinkedIn refuses with 401, whatever the body says");
}

/// LinkedIn's answer to `count` conversions, every fourth of which was never sent.
fn results(answer: &Answer, count: usize, compat: bool) {
    let destination = linkedin::conversions().rule("789123").compat(compat).build().expect("the settings fit");
    let routes = Routes::of(&destination, Vec::new()).expect("its own route is sound");
    let bodies: Vec<Vec<u8>> = (0..count).map(|number| event(number).into_bytes()).collect();
    let prepared: Vec<_> = bodies.iter().map(|body| routes.prepare(None, body)).collect();
    for (number, prepared) in prepared.iter().enumerate() {
        assert_eq!(prepared.is_ok(), is_sent(number), "what is no conversion is no part of the conversation");
    }
    let sent = (0_u128..).zip(&bodies).zip(&prepared);
    let items: Vec<Item<'_>> = sent
        .filter_map(|((number, body), it)| Some(it.as_ref().ok()?.item(DeliveryId::from_u128(number), body)))
        .collect();
    let count = items.len();
    let Turn::Ask(request) = turn(&destination, &items, &[]) else { panic!("there is something to send") };
    let said = [Exchange { request, answer: answer.clone() }];
    let Turn::Conclude(conclusions) = turn(&destination, &items, &said) else { panic!("one answer is enough") };
    assert_eq!(conclusions.len(), count, "one conclusion for each item");
    for conclusion in &conclusions {
        judge(answer, conclusion, count);
    }
    // Most say the same.
    for detail in conclusions.iter().map(|conclusion| &conclusion.detail).collect::<BTreeSet<_>>() {
        assert!(detail.chars().count() <= 1000, "a detail of {} characters", detail.chars().count());
        assert!(!detail.chars().any(char::is_control), "a detail is a line: {detail:?}");
        silent(&Secret::new(TOKEN).hidden_in(detail));
    }
}

fn turn(destination: &Conversions, items: &[Item<'_>], so_far: &[Exchange]) -> Turn {
    destination.converse(&Conversation { so_far, ..Conversation::begin(items, NOW) })
}

fn is_sent(number: usize) -> bool {
    number.checked_rem(4) != Some(3)
}

fn event(number: usize) -> String {
    let kind = if is_sent(number) { "track" } else { "page" };
    let traits = json!({"email": "ada.miller@example.org"});
    let properties = json!({"currency": "EUR", "revenue": 1.5});
    json!({"type": kind, "timestamp": NOW.as_millis(), "traits": traits, "properties": properties}).to_string()
}

fn judge(answer: &Answer, conclusion: &Conclusion, count: usize) {
    let verdict = &conclusion.verdict;
    match *verdict {
        Verdict::Accepted { receipt } => {
            assert!((200..300).contains(&receipt.status), "accepted with {}", receipt.status);
            assert!(answer.is_success(), "S1 No loss: accepted, and the answer was {}", answer.status);
        }
        Verdict::Busy { after, .. } | Verdict::NotYet { after } => {
            assert!(after <= LONGEST_WAIT, "S9 Spacing: a wait of {after}");
        }
        Verdict::Split => assert!(count > 1, "one cannot be split"),
        Verdict::TokenRefused | Verdict::Refused { .. } | Verdict::Unknown => {}
    }
}

fn token_endpoint(answer: &Answer) {
    // A shape that looks into what the answers of an API hold, beside the common one.
    let own = TokenShape {
        access_token: "/message".to_owned(),
        expires_at: Some("/code".to_owned()),
        ends_grant: vec![Rule::status(401..=401)],
        ..TokenShape::default()
    };
    for asked in [Asked::Refresh, Asked::Code, Asked::Client, Asked::Assertion] {
        token_answer(asked, &TokenShape::default(), answer.clone());
        token_answer(asked, &own, answer.clone());
    }
}

fn token_answer(asked: Asked, shape: &TokenShape, answer: Answer) {
    let status = answer.status;
    match oauth::read(asked, shape, Ok(answer)) {
        Outcome::Renewed(minted) => {
            assert!((200..300).contains(&status), "renewed by {status}");
            let token = minted.access.reveal();
            assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()), "a token for no header");
            let longest = Span::from_secs(10 * 366 * 86_400);
            let lives = [minted.expires_in, minted.refresh_expires_in];
            assert!(lives.into_iter().flatten().all(|life| life < longest), "a life beyond ten years");
        }
        Outcome::RefusedForGood { why } | Outcome::Misconfigured { why } => {
            assert!((200..500).contains(&status), "a grant dies of {status}");
            silent(&why);
        }
        Outcome::Unknown { why, retry_after } => {
            assert!(retry_after.is_none_or(|after| after <= LONGEST_WAIT), "S9 Spacing: {retry_after:?}");
            silent(&why);
        }
    }
    let lost = oauth::read(asked, shape, Err(NoAnswer::Lost { cause: "reset".into() }));
    assert!(matches!(lost, Outcome::Unknown { .. }), "an answer that was lost says nothing");
}

fn silent(text: &str) {
    let parts: HashSet<&[u8]> = TOKEN.as_bytes().windows(PART).collect();
    let leaks = text.as_bytes().windows(PART).any(|seen| parts.contains(seen));
    assert!(!leaks, "S16 Silence: a part of the token is in {text:?}");
}
