//! The demonstration as its users run it: the program itself, its processes, its exit code.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    command.arg("demo").current_dir(folder).stdin(Stdio::null());
    command
}

fn object(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {errors}"))
}

fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_else(|| panic!("{name} of {object}"))
}

/// Whether a process with this id exists.
fn lives(pid: &str) -> bool {
    let asked = Command::new("sh").args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", pid]).status();
    asked.expect("there is a shell").success()
}

#[test]
fn a_small_demonstration_passes_and_its_numbers_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        demo(folder.path()).args(["--events", "300", "--seed", "3", "--json", "--keep", "kept"]).output().unwrap();
    let told = object(&output);
    assert!(output.status.success(), "{told:#}");
    let of = |name: &str| number(&told, name);
    assert_eq!(of("accepted"), of("delivered") + of("failed"));
    assert_eq!(of("accepted") + of("repeated"), 300);
    assert_eq!((of("refreshes"), of("conflicts"), of("crashes")), (1, 0, 1));
    assert!(of("refused") > 0 && of("refused") <= of("in_flight_at_refusal") + 24, "{told:#}");
    assert!(of("duplicates") <= of("in_flight_at_kill"), "{told:#}");
    let reasons: u64 = told["reasons"].as_array().unwrap().iter().map(|reason| reason[1].as_u64().unwrap()).sum();
    assert_eq!(reasons, of("failed"));

    let kept = folder.path().join("kept");
    let log = std::fs::read_to_string(kept.join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let applied = lines.iter().flat_map(|line| line["applied"].as_array().unwrap());
    let ids: BTreeSet<&str> = applied.filter_map(|applied| applied["value"]["eventId"].as_str()).collect();
    assert_eq!(u64::try_from(ids.len()).unwrap(), of("delivered"), "counted anew from the provider's log");
    assert!(std::fs::read_to_string(kept.join("outlast-demo.svg")).unwrap().contains("</svg>"));

    let config = kept.join("outlast.toml");
    let mut list = Command::new(env!("CARGO_BIN_EXE_outlast"));
    let listed = list.arg("--config").arg(config).args(["list", "--state", "Failed", "--json"]).output().unwrap();
    let failed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(u64::try_from(failed.len()).unwrap(), of("failed"));
    for delivery in failed {
        assert!(delivery["detail"].as_str().unwrap().contains('`'), "{delivery:#}");
    }
}

#[test]
fn retrying_once_loses_events() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path())
        .args(["--naive", "retry-once", "--events", "600", "--seed", "3", "--json"])
        .output()
        .unwrap();
    let told = object(&output);
    assert!(output.status.success(), "{told:#}");
    let of = |name: &str| number(&told, name);
    assert!(of("lost") > 50 && of("refreshes") > 50, "{told:#}");
    // Repeats count as delivered once and are seen again as duplicates.
    let seen = of("delivered") + of("duplicates") + of("failed") + of("lost") + of("unfinished");
    assert_eq!((seen, of("unfinished")), (600, 0), "{told:#}");
    assert!(folder.path().join("outlast-demo.svg").exists());
}

#[test]
fn a_signal_ends_the_demonstration_and_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = demo(folder.path());
    command.args(["--events", "400"]).env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("half through")));
    let place = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let logs = std::fs::read_to_string(place.join("engine.log")).unwrap();
    let pid = logs.split("ready: pid ").nth(1).unwrap().split(',').next().unwrap();
    assert!(lives(pid));
    let id = demo.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &id]).status().unwrap().success());
    let told: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(!demo.wait().unwrap().success());
    assert!(told.iter().any(|line| line.contains("SIGINT")), "{told:?}");
    assert!(!lives(pid), "the engine lives on");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{} is still there", place.display());
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let rows: [(&[&str], &str); 4] = [
        (&["--keep", "."], "not empty"),
        (&["--kill-at", "never"], "a share of the valid events"),
        (&["--events", "7"], "100"),
        (&["--naive", "hope"], "retry-once"),
    ];
    for (args, expected) in rows {
        let output = demo(folder.path()).args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert!(errors.contains(expected), "{args:?}: {errors}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
