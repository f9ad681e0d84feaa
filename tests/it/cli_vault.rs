//! `outlast vault`, as its users run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use outlast::vault::VaultKey;
use serde_json::{Value, json};

use crate::cli::{Place, Sandbox, event, events};

fn key_of(place: &Place, file: &str) -> VaultKey {
    VaultKey::open(&place.path().join(file)).unwrap()
}

fn problems(view: &Value) -> usize {
    view["records"].as_array().unwrap().iter().filter(|record| !record["problem"].is_null()).count()
}

#[test]
fn the_key_is_changed_under_a_running_engine_and_the_configuration_follows() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.authorise();
    let engine = place.serve();
    let made = place.run(&["vault", "new-key", "new.key"]);
    assert_eq!(made.code(), 0, "{}", made.err());
    let (old, new) = (key_of(&place, "outlast.key").id().to_string(), key_of(&place, "new.key").id().to_string());
    assert!(made.out().contains(&new) && made.out().contains("new.key"), "{}", made.out());

    let before = place.json(&["vault", "check"]);
    assert_eq!(before["ok"], true);
    assert_eq!(before["keys"], json!([{"key": old, "seals": true, "records": 2}]));
    place.write("events.jsonl", &events(20));
    assert_eq!(place.run(&["send", "events.jsonl"]).code(), 0);
    let done = place.json(&["vault", "rekey", "--to-file", "new.key"]);
    assert_eq!((&done["key"], &done["resealed"], &done["already"]), (&json!(new), &json!(2), &json!(0)));
    assert_eq!((&done["configured"], &done["left"]), (&json!(false), &json!([])));
    let next = done["next"][0].as_str().unwrap();
    assert!(next.contains("key_file = ") && next.contains("new.key"), "{next}");
    let after = place.json(&["vault", "check"]);
    assert_eq!(
        after["keys"],
        json!([{"key": new, "seals": true, "records": 2}, {"key": old, "seals": false, "records": 0}])
    );
    assert_eq!(place.run(&["send", "events.jsonl", "--wait"]).code(), 0, "it delivers");
    assert!(engine.terminate().success());

    // Who forgets to change the configuration is told, and nothing is lost by it.
    let wrong = place.run(&["vault", "check"]);
    assert_eq!(wrong.code(), 1, "{}", wrong.out());
    assert!(wrong.out().contains("sealed with another key") && wrong.out().contains(&new), "{}", wrong.out());
    place.edit(|text| text.replace("key_file = \"outlast.key\"", "key_file = \"new.key\""));
    let right = place.json(&["vault", "check"]);
    assert_eq!((&right["ok"], problems(&right)), (&json!(true), 0));
    let _engine = place.serve();
    let more: String = (20..25).map(|number| event(number) + "\n").collect();
    place.write("more.jsonl", &more);
    let sent = place.run(&["send", "more.jsonl", "--wait"]);
    assert_eq!(sent.code(), 0, "{} {}", sent.out(), sent.err());
}

#[test]
fn the_key_is_changed_to_what_the_configuration_names_on_a_store_that_nobody_serves() {
    let place = Place::new();
    place.authorise();
    place.run(&["vault", "new-key", "new.key"]);
    place.edit(|text| {
        text.replace(
            "key_file = \"outlast.key\"",
            "key_file = \"new.key\"\nold_keys = [{ key_file = \"outlast.key\" }]",
        )
    });
    let checked = place.run(&["check"]);
    assert!(
        checked.out().contains("key in new.key") && checked.out().contains("old key in outlast.key"),
        "{}",
        checked.out()
    );
    let ran = place.run(&["vault", "rekey"]);
    assert_eq!(ran.code(), 0, "{}", ran.err());
    assert!(ran.out().contains("2 records sealed anew, 0 were already"), "{}", ran.out());
    assert!(ran.out().contains("next: take old_keys out"), "{}", ran.out());
    let again = place.json(&["vault", "rekey"]);
    assert_eq!((&again["resealed"], &again["already"], &again["configured"]), (&json!(0), &json!(2), &json!(true)));
    place.edit(|text| text.replace("old_keys = [{ key_file = \"outlast.key\" }]\n", ""));
    std::fs::remove_file(place.path().join("outlast.key")).unwrap();
    let view = place.json(&["vault", "check"]);
    assert_eq!((view["ok"].as_bool(), view["records"].as_array().unwrap().len()), (Some(true), 2));
}

#[test]
fn the_key_comes_from_a_command_or_the_environment_too() {
    let place = Place::new();
    place.authorise();
    let (key, text) = another_key(&place);
    let to_env = place.json_with(&[("NEW_KEY", &text)], &["vault", "rekey", "--to-env", "NEW_KEY"]);
    assert_eq!((&to_env["key"], &to_env["resealed"]), (&json!(key.id().to_string()), &json!(2)));
    assert!(to_env["next"][0].as_str().unwrap().contains("key_env = \"NEW_KEY\""), "{to_env}");
    place.edit(|text| text.replace("key_file = \"outlast.key\"", "key_env = \"NEW_KEY\""));
    let unset = place.run(&["vault", "check"]);
    assert_eq!(unset.code(), 2);
    assert!(unset.err().contains("`NEW_KEY` is not set"), "{}", unset.err());

    let back = place.command(&["vault", "rekey", "--json", "--to-command", "cat", "outlast.key"]);
    let back = run(back, &text);
    assert_eq!(back["key"], json!(key_of(&place, "outlast.key").id().to_string()));
    assert!(back["next"][0].as_str().unwrap().contains("key_command = [\"cat\", \"outlast.key\"]"), "{back}");
    place.edit(|text| text.replace("key_env = \"NEW_KEY\"", "key_command = [\"cat\", \"outlast.key\"]"));
    assert_eq!(place.json(&["vault", "check"])["ok"], true);
    place
        .edit(|text| text.replace("[\"cat\", \"outlast.key\"]", "[\"sh\", \"-c\", \"echo canary-words >&2; exit 4\"]"));
    let failed = place.run(&["check"]);
    assert_eq!(failed.code(), 2);
    assert!(failed.err().contains("key command `sh`") && failed.err().contains("exit status: 4"), "{}", failed.err());
    assert!(!failed.err().contains("canary") && !failed.out().contains("canary"), "{}", failed.err());
}

/// A key and its text.
fn another_key(place: &Place) -> (VaultKey, String) {
    place.run(&["vault", "new-key", "another.key"]);
    let text = std::fs::read_to_string(place.path().join("another.key")).unwrap();
    (key_of(place, "another.key"), text.trim().to_owned())
}

fn run(mut command: std::process::Command, key: &str) -> Value {
    let ran = command.env("NEW_KEY", key).output().unwrap();
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&ran.stderr)))
}

#[test]
fn a_new_key_is_private_and_never_replaces_one() {
    let place = Place::new();
    let made = place.json(&["vault", "new-key", "a.key"]);
    assert_eq!(made, json!({"key": key_of(&place, "a.key").id().to_string(), "place": "a.key"}));
    let rights = std::fs::metadata(place.path().join("a.key")).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    let again = place.run(&["vault", "new-key", "a.key"]);
    assert_eq!(again.code(), 1);
    assert!(again.err().contains("exists"), "{}", again.err());
    let text = place.run(&["vault", "new-key", "--stdout"]);
    place.write("b.key", &text.out());
    std::fs::set_permissions(place.path().join("b.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = key_of(&place, "b.key");
    assert_eq!(text.err().trim(), format!("key {}", key.id()));
    for wrong in [&["vault", "new-key"][..], &["vault", "new-key", "c.key", "--stdout"]] {
        assert_eq!(place.run(wrong).code(), 2, "{wrong:?}");
    }
    assert_eq!(place.run(&["vault", "new-key", "--keyring", "outlast"]).code(), 2);
    let two = place.run(&["vault", "rekey", "--to-file", "a.key", "--to-env", "B"]);
    assert_eq!(two.code(), 2, "there is one key");
    assert!(!Path::new(&place.path().join("c.key")).exists());
}

/// A build machine has no keyring, with the feature or without.
#[test]
fn a_keyring_that_cannot_be_asked_is_told_and_what_to_do() {
    let place = Place::new();
    place.edit(|text| text.replace("key_file = \"outlast.key\"", "key_keyring = \"outlast-test/nobody\""));
    let ran = place.run(&["check"]);
    assert_eq!(ran.code(), 2, "{}", ran.out());
    assert!(
        ran.err().contains("keyring entry `outlast-test/nobody`") && ran.err().contains("operator:"),
        "{}",
        ran.err()
    );
    if !cfg!(feature = "keyring") {
        assert!(ran.err().contains("`--features keyring`"), "{}", ran.err());
    }
}
