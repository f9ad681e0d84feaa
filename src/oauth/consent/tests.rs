use std::collections::BTreeMap;

use base64::Engine as _;

use super::*;
use crate::guard::Audience;
use crate::http::HttpOptions;
use crate::http::loopback::{Reply, Server};

fn profile(page: &str, scopes: &[&str], pkce: bool) -> Profile {
    let token_url = Url::parse("https://id.example/token").unwrap();
    Profile {
        authorize_url: Some(Url::parse(page).unwrap()),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        pkce,
        ..Profile::generic("test", token_url, Audience::default())
    }
}

fn consent() -> Consent {
    let profile = profile("https://id.example/authorize", &[], true);
    Consent::begin(&profile, &Client::public("me"), "http://127.0.0.1:1/back").unwrap_or_else(|why| panic!("{why}"))
}

fn query(consent: &Consent) -> BTreeMap<String, String> {
    consent.url().query_pairs().into_owned().collect()
}

#[test]
fn the_address_says_who_asks_for_what_and_where_to_come_back_to() {
    let profile = profile("https://id.example/authorize?prompt=consent", &["a", "b.c"], true);
    let redirect = "http://127.0.0.1:8421";
    let consent = Consent::begin(&profile, &Client::new("me", Secret::new("hush")), redirect).ok().unwrap();
    let said = query(&consent);
    assert!(consent.url().as_str().starts_with("https://id.example/authorize?prompt=consent&"), "{}", consent.url());
    assert_eq!((said["response_type"].as_str(), said["client_id"].as_str()), ("code", "me"));
    assert_eq!(said["redirect_uri"], redirect, "to the letter: no slash is added");
    assert_eq!((said["scope"].as_str(), said["code_challenge_method"].as_str()), ("a b.c", "S256"));
    assert_eq!(said["state"], consent.state.reveal());
    let digest = ring::digest::digest(&ring::digest::SHA256, consent.verifier.as_ref().unwrap().reveal().as_bytes());
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(said["code_challenge"], challenge);
    assert!(!consent.url().as_str().contains("hush"));
}

#[test]
fn a_provider_that_refuses_pkce_is_not_sent_it() {
    let consent = Consent::begin(
        &profile("https://id.example/authorize", &[], false),
        &Client::new("me", Secret::new("hush")),
        "https://app.example/back",
    );
    let consent = consent.ok().unwrap();
    assert!(consent.verifier.is_none());
    assert!(query(&consent).keys().all(|name| !name.starts_with("code_challenge") && name != "scope"));
}

#[test]
fn no_two_consents_share_what_must_not_be_guessed() {
    let (one, other) = (consent(), consent());
    assert!(one.state.reveal() != other.state.reveal());
    assert!(one.verifier.as_ref().map(Secret::reveal) != other.verifier.as_ref().map(Secret::reveal));
    assert!(one.state.reveal().len() >= 22, "128 bits in base64");
}

#[test]
fn what_cannot_be_asked_says_what_to_write() {
    let asked = |profile: &Profile, id: &str, redirect: &str| {
        Consent::begin(profile, &Client::public(id), redirect).err().map(|why| why.to_string()).unwrap_or_default()
    };
    let with = profile("https://id.example/authorize", &[], true);
    let without = Profile { authorize_url: None, ..with.clone() };
    assert!(asked(&without, "me", "http://127.0.0.1:1").contains("names no authorize_url"));
    assert!(asked(&with, "", "http://127.0.0.1:1").contains("client_id is missing"));
    assert!(asked(&with, "me", "callback").contains("redirect_uri \"callback\" is no address"));
}

/// What reading came to, in a word: for tests alone.
fn told(read: Result<Code, NoCode>) -> String {
    match read {
        Ok(Code(code)) => format!("code {}", code.reveal()),
        Err(NoCode::Foreign) => "foreign".into(),
        Err(NoCode::Empty) => "empty".into(),
        Err(NoCode::Refused { code, description }) => format!("refused {code}: {description}"),
    }
}

#[test]
fn what_comes_back_is_read_only_with_the_right_state() {
    let consent = consent();
    let state = consent.state.reveal();
    let rows = [
        (format!("code=AQC&state={state}"), "code AQC"),
        (format!("state={state}&code=a%2Bb"), "code a+b"),
        ("code=AQC".to_owned(), "foreign"),
        ("code=AQC&state=".to_owned(), "foreign"),
        ("code=AQC&state=other".to_owned(), "foreign"),
        (format!("code=AQC&state={state}&state=other"), "foreign"),
        (format!("code=AQC&state={}", state.to_uppercase()), "foreign"),
        ("error=access_denied&state=other".to_owned(), "foreign"),
        (format!("state={state}"), "empty"),
        (format!("code=&state={state}"), "empty"),
        (format!("code=a&code=b&state={state}"), "empty"),
        (format!("error=access_denied&state={state}"), "refused access_denied: "),
        (format!("error=access_denied&code=AQC&state={state}"), "refused access_denied: "),
        (format!("error=Bad+Code&error_description=a%0Ab&state={state}"), "refused : ab"),
        (String::new(), "foreign"),
    ];
    for (query, expected) in rows {
        assert_eq!(told(consent.returned(&query)), expected, "{query}");
    }
}

#[test]
fn what_is_pasted_may_be_the_address_its_query_or_the_code() {
    let consent = consent();
    let state = consent.state.reveal();
    let rows = [
        (format!(" http://127.0.0.1:1/back?code=AQC&state={state}\n"), "code AQC"),
        (format!("https://app.example/?state={state}&code=AQC#_=_"), "code AQC"),
        (format!("code=AQC&state={state}"), "code AQC"),
        ("AQC-code_1".to_owned(), "code AQC-code_1"),
        ("AQC==".to_owned(), "code AQC=="),
        ("http://127.0.0.1:1/back?code=AQC&state=other".to_owned(), "foreign"),
        (format!("?error=access_denied&state={state}"), "refused access_denied: "),
        ("https://app.example/back".to_owned(), "empty"),
        (String::new(), "empty"),
        ("two words".to_owned(), "empty"),
    ];
    for (text, expected) in rows {
        assert_eq!(told(consent.pasted(&text)), expected, "{text}");
    }
}

#[test]
fn a_refusal_is_told_in_words() {
    for (code, words) in [
        ("access_denied", "refused or cancelled"),
        ("user_cancelled_login", "refused or cancelled"),
        ("unauthorized_scope_error", "correct `scopes`"),
        ("invalid_request", "check redirect_uri"),
        ("temporarily_unavailable", "try again later"),
        ("whatever", "the provider refused (whatever)"),
        ("", "an error without a readable code"),
    ] {
        let told = NoCode::Refused { code: code.into(), description: "Because.".into() }.to_string();
        assert!(told.contains(words) && told.ends_with("it says: Because."), "{told}");
    }
    assert!(NoCode::Foreign.to_string().contains("begin again"));
}

#[tokio::test]
async fn a_code_is_redeemed_with_the_verifier_and_the_address_to_the_letter() {
    const MINTED: &str =
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"access_token\":\"AQX\",\"expires_in\":\"60\"}";
    let server = Server::start(Reply::Say(MINTED)).await;
    let http = Http::new(HttpOptions { allow_loopback: true, ..HttpOptions::default() }).unwrap();
    let profile = Profile { token_url: server.url("/token"), ..profile("https://id.example/authorize", &[], true) };
    let client = Client::new("me", Secret::new("hush"));
    let consent = Consent::begin(&profile, &client, "http://127.0.0.1:1/back").ok().unwrap();
    let code = consent.pasted("AQC").ok().unwrap();
    let outcome = consent.redeem(&http, &profile, &client, &code, || Time::ZERO).await;
    assert!(matches!(outcome, Outcome::Renewed(minted) if minted.access.reveal() == "AQX"));
    let seen = server.seen().remove(0);
    let verifier = consent.verifier.as_ref().unwrap().reveal();
    let form = format!(
        "grant_type=authorization_code&code=AQC&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fback&code_verifier={verifier}\
         &client_id=me&client_secret=hush"
    );
    assert!(seen.ends_with(&format!("\r\n\r\n{form}")), "{seen}");
}
