//! `outlast auth login` as a person uses it: the program, a browser of twenty lines, and the sandbox's consent page.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::cli::{Place, Running, Sandbox, event};

/// Asks an address, and follows nothing: status, where it sends on, and the page.
pub(crate) fn visit(address: &str) -> (u16, String, String) {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let location = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
    (status, location.to_owned(), body.to_owned())
}

/// A login that waits for its browser.
pub(crate) struct Login {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    pub(crate) page: String,
}

impl Login {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.command(&[&["auth", "login", "acme", "--no-browser"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut page = String::new();
        while !page.trim_start().starts_with("http://") {
            page.clear();
            assert!(said.read_line(&mut page).unwrap() > 0, "it ended before it showed an address");
        }
        Login { child, said, page: page.trim().to_owned() }
    }

    pub(crate) fn paste(&mut self, text: &str) {
        writeln!(self.child.stdin.take().unwrap(), "{text}").unwrap();
    }

    /// Exit code, stdout, and the rest of stderr.
    pub(crate) fn end(mut self) -> (i32, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.said.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code().unwrap(), out, err)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A place whose credential asks for consent at this sandbox.
fn place(sandbox: &Sandbox, more: &str) -> Place {
    let place = Place::at(sandbox, "");
    let api = &sandbox.api;
    place.edit(|text| {
        let line = "profile = \"linkedin\"\n";
        assert!(text.contains(line), "{text}");
        text.replacen(line, &format!("{line}authorize_url = \"{api}/oauth/v2/authorization\"\n{more}\n"), 1)
    });
    place
}

fn parameter(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[test]
fn a_consent_in_the_browser_brings_a_grant_that_delivers() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox, "");
    let login = Login::start(&place, &["--json"]);
    assert_eq!(parameter(&login.page, "scope"), "r_ads rw_conversions");
    assert_eq!(parameter(&login.page, "code_challenge"), "", "LinkedIn refuses PKCE of a client with a secret");
    let back = parameter(&login.page, "redirect_uri");
    assert!(back.starts_with("http://127.0.0.1:") && back.ends_with('/'), "{back}");

    // Somebody else's answer changes nothing, and the wait goes on.
    let (status, _, page) = visit(&format!("{back}?code=stolen&state=guessed"));
    assert!(status == 400 && page.contains("not the answer that is waited for"), "{page}");
    assert_eq!(visit(&format!("{back}favicon.ico")).0, 404);

    let (status, location, _) = visit(&login.page);
    assert!(status == 302 && location.starts_with(&back), "{location}");
    let (status, _, page) = visit(&location);
    assert!(status == 200 && page.contains("Credential acme has its grant and is Current"), "{page}");
    let code = parameter(&location, "code");
    let (exit, out, err) = login.end();
    assert_eq!(exit, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["credential"]["epoch"], 1);
    assert_eq!(
        told["scopes"],
        json!({"asked": ["r_ads", "rw_conversions"], "granted": ["r_ads", "rw_conversions"], "missing": []})
    );
    assert!(told["credential"]["grant_ends_ms"].as_u64().is_some());
    assert!(!out.contains(&code) && !err.contains(&code));

    place.write("one.jsonl", &event(1));
    let sent = place.run(&["send", "one.jsonl", "--wait"]);
    assert_eq!(sent.code(), 0, "{}", sent.err());
    // S16 Silence: the sandbox's tokens and codes begin so, and nothing that lies here holds one in the clear.
    for secret in ["AQX", "AQW", code.as_str()] {
        for (file, bytes) in written(place.path()) {
            let shown = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!shown || secret.len() == 3 && is_chance(&bytes, secret), "{secret} is in {}", file.display());
        }
    }
}

/// Three letters may stand in sealed bytes by chance; then no text follows them.
fn is_chance(bytes: &[u8], start: &str) -> bool {
    let places = bytes.windows(start.len()).enumerate().filter(|(_, part)| *part == start.as_bytes());
    places.map(|(at, _)| at).all(|at| bytes[at..].iter().take(20).any(|byte| !byte.is_ascii_graphic()))
}

fn written(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(written(&path));
        } else {
            found.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes)));
        }
    }
    found
}

#[test]
fn a_login_reaches_the_engine_that_runs() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox, "pkce = false");
    let engine: Running = place.serve();
    let login = Login::start(&place, &[]);
    visit(&visit(&login.page).1);
    let (exit, out, err) = login.end();
    assert_eq!(exit, 0, "{err}");
    assert!(err.contains("on the running engine"), "{err}");
    assert!(
        out.starts_with("acme is Current, epoch 1: ") && out.contains("scopes granted: r_ads rw_conversions"),
        "{out}"
    );

    let young = place.run(&["auth", "refresh", "acme"]);
    assert_eq!(young.code(), 1, "{}", young.out());
    assert!(young.err().contains("younger than the settle window of 10 min"), "{}", young.err());
    let unsure = place.run(&["auth", "revoke", "acme"]);
    assert_eq!(unsure.code(), 2);
    assert!(unsure.err().contains("repeat the command with --yes"), "{}", unsure.err());
    let revoked = place.json(&["auth", "revoke", "acme", "--yes"]);
    assert_eq!((&revoked["credential"]["state"], &revoked["at_provider"]), (&json!("Dead"), &json!(false)));
    assert!(engine.terminate().success());
}

#[test]
fn a_refusal_in_the_browser_is_told_in_both_places() {
    let sandbox = Sandbox::with(&json!({"consent_refused": true}));
    let place = place(&sandbox, "");
    let login = Login::start(&place, &[]);
    let (status, _, page) = visit(&visit(&login.page).1);
    assert!(status == 400 && page.contains("refused or cancelled in the browser"), "{page}");
    let (exit, out, err) = login.end();
    assert_eq!((exit, out.as_str()), (1, ""));
    assert!(err.contains("(user_cancelled_authorize)") && err.contains("it says: The user cancelled"), "{err}");
    assert_eq!(place.json(&["auth", "list"])[0]["epoch"], 0);
}

#[test]
fn a_machine_without_a_browser_takes_what_is_pasted() {
    let sandbox = Sandbox::with(&json!({"redirect_uris": ["https://app.example/back"]}));
    let place = place(&sandbox, "redirect_uri = \"https://app.example/back\"");
    // Without --manual, too: nobody can listen there.
    let mut login = Login::start(&place, &["--scope", "rw_conversions"]);
    assert_eq!(parameter(&login.page, "redirect_uri"), "https://app.example/back");
    assert_eq!(parameter(&login.page, "scope"), "rw_conversions");
    let (_, location, _) = visit(&login.page);
    assert!(location.starts_with("https://app.example/back?code="), "{location}");
    login.paste(&location);
    let (exit, out, err) = login.end();
    assert_eq!(exit, 0, "{err}");
    assert!(out.contains("scopes granted: rw_conversions"), "{out}");

    let mut login = Login::start(&place, &["--manual"]);
    let code = parameter(&visit(&login.page).1, "code");
    login.paste(&code);
    assert_eq!(login.end().0, 0);
    for (pasted, told) in [
        (location.as_str(), "its state is missing or another one"),
        ("https://app.example/back", "sent neither a code"),
        ("AQC-made-up", "check that redirect_uri is the registered one"),
    ] {
        let mut login = Login::start(&place, &["--manual"]);
        login.paste(pasted);
        let (exit, _, err) = login.end();
        assert!(exit != 0 && err.contains(told), "{pasted}: {err}");
    }
    assert_eq!(place.json(&["auth", "list"])[0]["epoch"], 2);
}

#[test]
fn pkce_protects_a_client_without_a_secret() {
    let sandbox = Sandbox::with(&json!({"pkce": "required"}));
    let place = place(&sandbox, "pkce = true");
    let login = Login::start(&place, &["--port", &free_port()]);
    assert_eq!(parameter(&login.page, "code_challenge_method"), "S256");
    let (status, _, _) = visit(&visit(&login.page).1);
    assert_eq!(status, 200);
    assert_eq!(login.end().0, 0);
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[test]
fn what_cannot_work_is_told_before_a_browser_is_needed() {
    let sandbox = Sandbox::start();
    let nowhere = Place::at(&sandbox, "");
    let run = |place: &Place, arguments: &[&str]| {
        let ran = place.run(&[&["auth", "login"], arguments].concat());
        (ran.code(), ran.err())
    };
    let (code, err) = run(&nowhere, &["other"]);
    assert!(code != 0 && err.contains("there is none named \"other\"; configured: acme"), "{err}");
    let fixed = place(&sandbox, "redirect_uri = \"http://127.0.0.1:8421/back\"");
    let (code, err) = run(&fixed, &["acme", "--port", "8422"]);
    assert!(code == 2 && err.contains("whose port is 8421"), "{err}");
    let impatient = place(&sandbox, "");
    let (code, err) = run(&impatient, &["acme", "--no-browser", "--timeout", "50ms"]);
    assert!(code == 1 && err.contains("nobody came back in time"), "{err}");
}

#[test]
fn grants_that_need_no_human_are_had_at_once() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox, "grant = \"client-credentials\"");
    let ran = place.run(&["auth", "login", "acme"]);
    assert_eq!(ran.code(), 0, "{}", ran.err());
    assert!(ran.out().starts_with("acme is Current, epoch 1: "), "{}", ran.out());
    place.write("one.jsonl", &event(1));
    assert_eq!(place.run(&["send", "one.jsonl", "--wait"]).code(), 0);
    assert!(place.json(&["auth", "list"])[0]["epoch"].as_u64().unwrap() >= 1);
}
