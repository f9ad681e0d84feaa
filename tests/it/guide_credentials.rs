//! The guide to credentials says what is so: its configuration is read, and its commands are played against the sandbox.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Place, Running};
use crate::login::{Login, visit};

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CREDENTIALS.md")).unwrap()
}

/// The blocks that are fenced with this language.
fn blocks(language: &str) -> Vec<String> {
    let guide = guide();
    let fence = format!("```{language}\n");
    guide.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let here = |text: &str| text.replace("127.0.0.1:9000", &format!("127.0.0.1:{port}"));
    let (shown, played) = (blocks("toml"), blocks("sh"));

    let sandbox = here(&played[0]);
    let sandbox: Vec<&str> = sandbox.trim().strip_prefix("outlast ").unwrap().split(' ').collect();
    let _sandbox = Running::start(Command::new(env!("CARGO_BIN_EXE_outlast")).args(sandbox));

    let place = Place::new();
    place.write("outlast.toml", &here(&shown[0]));
    for line in played[1].trim().lines() {
        let arguments: Vec<&str> = line.strip_prefix("outlast ").unwrap().split(' ').collect();
        if line == "outlast auth login acme" {
            // The browser's part is the test's, and so is that it is not started.
            let login = Login::start(&place, &[]);
            let (status, _, page) = visit(&visit(&login.page).1);
            assert!(status == 200 && page.contains("Credential acme has its grant"), "{page}");
            assert_eq!(login.end().0, 0);
            continue;
        }
        let ran = place.run(&arguments);
        let refused = line.starts_with("outlast auth refresh");
        assert_eq!(ran.code(), i32::from(refused), "{line}: {}{}", ran.out(), ran.err());
        match line {
            "outlast auth login robot" => assert!(ran.out().starts_with("robot is Current, epoch "), "{}", ran.out()),
            "outlast auth list" => {
                let all = ran.out();
                assert!(all.lines().skip(1).all(|line| line.contains("Current")) && all.contains("key "), "{all}");
            }
            "outlast auth refresh robot" => {
                assert!(ran.err().contains("younger than the settle window"), "{}", ran.err());
            }
            "outlast auth list --json" => {
                let all: Value = serde_json::from_str(&ran.out()).unwrap();
                let states: Vec<&str> =
                    all.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
                assert_eq!(states, ["Dead", "Current", "Current"]);
            }
            _ => {}
        }
    }
    place.write(
        "tokens.json",
        r#"{"access_token": "a", "expires_in": 5184000, "refresh_token": "r", "token_type": "Bearer"}"#,
    );
    for line in played[2].trim().lines() {
        let arguments: Vec<&str> = line.strip_prefix("outlast ").unwrap().split(' ').collect();
        let mut command = place.command(&arguments);
        let ran = command.env("ACME_ACCESS_TOKEN", "b").env("ACME_EXPIRES_IN", "3600").output().unwrap();
        let out = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && out.starts_with("acme is Current, epoch "), "{line}: {out}");
    }
    assert_eq!(place.json(&["auth", "list"])[0]["epoch"], 3, "each of them brought one");
}

#[test]
fn each_configuration_of_the_guide_is_sound() {
    for shown in blocks("toml").iter().skip(1) {
        let place = Place::new();
        place.write("outlast.toml", &format!("[vault]\nkey_file = \"outlast.key\"\n{shown}"));
        let mut command = place.command(&["check", "--json"]);
        for name in ["ROBOT_ID", "ROBOT_SECRET", "SALESFORCE_CLIENT_ID"] {
            command.env(name, "value");
        }
        let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/oauth/assertion/rsa_pkcs8.pem");
        let ran = command.env("SALESFORCE_KEY", fs::read_to_string(key).unwrap()).output().unwrap();
        let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!((&told["ok"], &told["errors"]), (&Value::Bool(true), &Value::Array(Vec::new())), "{shown}");
    }
}
