//! Profiles as files: the page about them, the commands, and the sandbox that plays one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use outlast::guard::Audience;
use outlast::oauth::{AssertionIn, Carrier, Profile, Rotation, TokenShape};
use outlast::state::Span;
use serde_json::Value;

use crate::cli::{Place, Running};

/// A provider that leaves nothing to the defaults.
const ODD: &str = r#"
name = "acme"
token_url = "https://id.acme.example/v2/token"
client_auth = "basic"
token_header = "x-acme-key"
token_prefix = "Key "
settle = "20s"
refuses = [{ status = "403", pointer = "/code", values = ["token_dead"] }]
rotation = "rotates"
reuse_grace = "1m"
access_life = "2h"
node_header = "x-acme-node"

[token]
access_token = "/data/key"
expires_in = "/data/seconds"
"#;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROFILES.md")).unwrap()
}

/// The names that begin the rows of the page's tables.
fn rows() -> BTreeSet<String> {
    let page = page();
    let first = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(first).collect()
}

#[test]
fn the_page_has_every_key_and_every_profile() {
    let rows = rows();
    let (token_url, audience) = ("https://a.example/".parse().unwrap(), Audience::default());
    let full = Profile {
        carrier: Carrier::Header { name: "x-key".into(), prefix: String::new() },
        rotation: Rotation::Rotates { grace: Span::from_secs(1) },
        token_shape: TokenShape {
            assertion: AssertionIn::Bearer,
            expires_at: Some("/at".into()),
            ..TokenShape::default()
        },
        ..Profile::generic("a", token_url, audience)
    };
    let written = full.to_json();
    let keys = written.as_object().unwrap().keys().filter(|key| *key != "token");
    let shape = written["token"].as_object().unwrap().keys();
    let names = Profile::shipped_names().map(str::to_owned);
    for name in keys.chain(shape).cloned().chain(names).chain(["extends".to_owned()]) {
        assert!(rows.contains(&name), "docs/PROFILES.md has no row for {name}");
    }
}

#[test]
fn a_profile_is_listed_shown_and_checked() {
    let place = Place::new();
    let listed = place.run(&["profile", "list"]);
    for name in Profile::shipped_names() {
        assert!(listed.out().lines().any(|line| line.starts_with(name)), "{name}: {}", listed.out());
    }
    let all: Value = serde_json::from_str(&place.run(&["profile", "list", "--json"]).out()).unwrap();
    assert_eq!(all.as_array().unwrap().len(), Profile::shipped_names().count());
    let shown = place.run(&["profile", "show", "github-app"]).out();
    assert!(shown.contains("octokit/auth-app.js/issues/65") && shown.contains("misconfigured"), "{shown}");
    let whole = place.run(&["profile", "show", "hubspot", "--whole"]).out();
    assert_eq!(Profile::parse(&whole).ok(), Profile::shipped("hubspot"), "what is shown is read as what it is");
    let unknown = place.run(&["profile", "show", "hubspt"]);
    assert!(unknown.code() == 2 && unknown.err().contains("did you mean hubspot?"), "{}", unknown.err());

    std::fs::write(place.path().join("acme.toml"), ODD).unwrap();
    let checked = place.run(&["profile", "check", "acme.toml"]);
    assert_eq!(
        (checked.code(), checked.out().lines().last()),
        (0, Some("the profile acme can work")),
        "{}",
        checked.err()
    );
    assert!(checked.out().contains("warning: refuses: a 401 is not among them"), "{}", checked.out());
    std::fs::write(place.path().join("wrong.toml"), ODD.replace("settle = \"20s\"", "settle = \"3h\"\nyuong = \"1s\""))
        .unwrap();
    let wrong = place.run(&["profile", "check", "wrong.toml"]);
    assert_eq!(wrong.code(), 2);
    for line in [
        "wrong.toml:7: settle: 3h is not shorter than access_life (2h)",
        "wrong.toml:8: yuong: unknown key; did you mean young?",
    ] {
        assert!(wrong.err().contains(line), "{}", wrong.err());
    }
}

#[test]
fn a_profile_is_rehearsed() {
    let place = Place::new();
    std::fs::write(place.path().join("acme.toml"), ODD).unwrap();
    let played = place.run(&["profile", "check", "acme.toml", "--rehearse", "--json"]);
    assert_eq!(played.code(), 0, "{}{}", played.out(), played.err());
    let verdict: Value = serde_json::from_str(&played.out()).unwrap();
    let scenes = verdict["scenes"].as_array().unwrap();
    let dead = scenes.iter().find(|scene| scene["name"] == "a dead token").unwrap();
    assert!(verdict["ok"] == true && dead["events"] == 20 && dead["refreshes"] == 1, "{verdict}");

    // Its tables contradict each other: what proves a token is taken for a refusal.
    let wrong = ODD.replace(
        "node_header",
        "lacks_scope = [{ status = \"403\", pointer = \"/code\", values = [\"token_dead\"] }]\nnode_header",
    );
    std::fs::write(place.path().join("wrong.toml"), wrong).unwrap();
    let broken = place.run(&["profile", "check", "wrong.toml", "--rehearse"]);
    assert_eq!(broken.code(), 1);
    assert!(
        broken.err().contains("profile acme, the answer tables: lacks_scope[1]: another table takes"),
        "{}",
        broken.err()
    );
}

/// What the sandbox at this address answers: status line, headers and body.
fn ask(address: &str, head: &str, body: &str) -> String {
    let mut line = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    let length = body.len();
    write!(line, "{head}\r\nhost: sandbox\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_sandbox_plays_the_provider_of_a_profile() {
    let place = Place::new();
    std::fs::write(place.path().join("acme.toml"), ODD).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    let audit = place.path().join("audit.jsonl");
    let running = Running::start(
        command.current_dir(place.path()).args(["sandbox", "--json", "--profile", "acme.toml", "--audit"]).arg(&audit),
    );
    let ready: Value = serde_json::from_str(&running.ready).unwrap();
    let (api, control) = (ready["api"].as_str().unwrap(), ready["control"].as_str().unwrap());
    assert_eq!(ready["token_url"], format!("{api}/v2/token"));

    let issue = r#"{"action":"issue","grant":{"scope":"crm.contacts","access_token":"canary-access","refresh_token":"canary-refresh"}}"#;
    ask(control, "POST /__ctl/token HTTP/1.1\r\ncontent-type: application/json", issue);
    let contact = r#"{"email":"a@example.org"}"#;
    let with = |header: &str| ask(api, &format!("POST /crm/v1/contacts HTTP/1.1\r\n{header}"), contact);
    let good = with("x-acme-key: Key canary-access");
    assert!(good.starts_with("HTTP/1.1 20") && good.contains("x-acme-node: n"), "{good}");
    for header in
        ["x-acme-key: Key other", "x-acme-key: canary-access", "authorization: Bearer canary-access", "accept: */*"]
    {
        let refused = with(header);
        assert!(
            refused.starts_with("HTTP/1.1 403") && refused.ends_with(r#"{"code":"token_dead"}"#),
            "{header}: {refused}"
        );
    }

    // client-id-1:client-secret-1
    let basic =
        "authorization: Basic Y2xpZW50LWlkLTE6Y2xpZW50LXNlY3JldC0x\r\ncontent-type: application/x-www-form-urlencoded";
    let form = "grant_type=refresh_token&refresh_token=canary-refresh";
    let minted = ask(api, &format!("POST /v2/token HTTP/1.1\r\n{basic}"), form);
    let body: Value = serde_json::from_str(minted.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["data"]["seconds"], 7200, "{minted}");
    let token = body["data"]["key"].as_str().unwrap();
    assert!(
        body["refresh_token"] != "canary-refresh"
            && with(&format!("x-acme-key: Key {token}")).starts_with("HTTP/1.1 20")
    );
    let told = std::fs::read_to_string(&audit).unwrap();
    for secret in ["canary-access", "canary-refresh", token, "client-secret-1"] {
        assert!(!told.contains(secret), "the audit log tells {secret}");
    }
}
