//! `outlast doctor`, as an operator runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::fs;
use std::process::{Command, Output};

use outlast::store::{Key, StoreKind};
use serde_json::Value;

use crate::place::{Place, made};

on_each_kind! {
    the_doctor_says_by_its_exit_code_whether_all_is_well,
    the_doctor_names_the_engine_that_has_the_store,
    a_salvage_that_is_killed_leaves_no_store_and_is_done_again,
}

fn doctor(place: &Place, arguments: &[&str]) -> Command {
    fs::write(place.beside("outlast.toml"), "[store]\npath = \"data\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    let config = place.beside("outlast.toml");
    command
        .args(["doctor", "--config"])
        .arg(config)
        .args(arguments)
        .current_dir(place.beside("."))
        .env_remove("RUST_LOG");
    command
}

fn run(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = doctor(place, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

async fn the_doctor_says_by_its_exit_code_whether_all_is_well(kind: StoreKind) {
    let (place, ids) = made(kind, 0).await;
    let (code, out, _) = run(&place, &[]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("all is well") && out.contains("opens          yes"), "{out}");

    place.behind([(Key::Delivery(ids[3]), Some(b"junk".to_vec()))]);
    let (code, out, _) = run(&place, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains(&format!("delivery {}", ids[3])) && out.contains("1 finding"), "{out}");
    let (code, out, _) = run(&place, &["--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["ok"], told["findings"].as_array().unwrap().len()), (1, &Value::Bool(false), 1));

    // Also where a reader such as `head` has gone before.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(doctor(&place, &[]).stdout(writer).status().unwrap().code(), Some(1));
    let (code, out, _) = run(&place, &["--salvage", "saved", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["deliveries"].as_u64()), (1, Some(3)), "what was left is told by the exit code too: {out}");
    let (code, _, err) = run(&place, &["--salvage", "saved"]);
    assert_eq!(code, 2);
    assert!(err.contains("it is not empty"), "{err}");

    fs::remove_file(place.path().join("mark")).unwrap();
    assert!(run(&place, &[]).1.contains("--accept-gap"));
    let (code, out, _) = run(&place, &["--accept-gap"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("nobody knows"), "{out}");
    assert!(run(&place, &[]).1.contains("1 finding"));
}

async fn the_doctor_names_the_engine_that_has_the_store(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    let engine = place.open().await;
    let (code, _, err) = run(&place, &[]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("pid {}", std::process::id())), "{err}");
    engine.stop().await.unwrap();
}

/// Killed at each stage that can be seen from outside. What is there then is no store; the next salvage takes its place.
async fn a_salvage_that_is_killed_leaves_no_store_and_is_done_again(kind: StoreKind) {
    let (place, _) = made(kind, 400).await;
    let saved = place.beside("saved");
    let scratch = || {
        let names = fs::read_dir(&saved).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        names.into_iter().find(|path| path.to_string_lossy().contains(".outlast-doctor-"))
    };
    let mut killed = 0;
    let base = place.base_name();
    let stages = ["", &format!("whole/{base}"), &format!("try-0/{base}"), "begun/lock", &format!("begun/{base}")];
    for stage in stages {
        let mut child = doctor(&place, &["--salvage", "saved"]).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && !scratch().is_some_and(|path| path.join(stage).exists()) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if !saved.join(base).exists() {
            killed += 1;
            assert!(scratch().is_some(), "{stage}: it was killed in its work");
        }
        let (code, out, err) = run(&place, &["--salvage", "saved"]);
        assert!(code == 0 || saved.join(base).exists(), "{stage}: {out}{err}");
        assert!(out.contains("404 deliveries") || err.contains("not empty"), "{stage}: {out}{err}");
        assert_eq!(scratch(), None, "{stage}");
        fs::remove_dir_all(&saved).unwrap();
    }
    assert!(killed > 2, "{killed} were killed in time: the test is blind");
}
