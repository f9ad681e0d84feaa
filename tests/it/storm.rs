//! `outlast sim storm` as its users run it: the rows, the account that they can be made again from, and what the engine's must
//! be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn storm(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    command.current_dir(folder).args(["sim", "storm"]).args(args).env_remove("RUST_LOG").output().unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What an account says of each of its runs, counted here once more.
fn counted(account: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for line in account.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["kind"].as_str().unwrap() {
            "run" => runs.push(Run { told: line, ..Run::default() }),
            "end" => runs.last_mut().unwrap().end = line,
            "request" => runs.last_mut().unwrap().requests.push(line),
            "token" => runs.last_mut().unwrap().tokens.push(line),
            other => panic!("what is {other}?"),
        }
    }
    runs
}

#[derive(Default)]
struct Run {
    told: Value,
    requests: Vec<Value>,
    tokens: Vec<Value>,
    end: Value,
}

impl Run {
    fn row(&self) -> Value {
        let number = |value: &Value| value.as_i64().unwrap();
        let mut arrived = BTreeMap::new();
        for request in self.requests.iter().filter(|request| request["status"] == 201) {
            let at = number(&request["answered_ms"]);
            let first = arrived.entry(number(&request["delivery"])).or_insert(at);
            *first = at.min(*first);
        }
        let asked = number(&self.told["deliveries"]);
        let last = arrived.iter().filter(|(delivery, _)| **delivery < asked).map(|(_, at)| *at).max();
        json!({
            "policy": self.told["policy"], "deliveries": asked, "propagation_s": self.told["propagation_s"],
            "refreshes": self.tokens.iter().filter(|token| token["minted"].is_number()).count(),
            "refused": self.requests.iter().filter(|request| request["status"] == 401).count(),
            "lost": number(&self.end["accepted"]) - i64::try_from(arrived.len()).unwrap(),
            "last_s": last.map(|last| f64::from(i32::try_from(last).unwrap()) / 1000.0),
        })
    }

    /// Requests that were refused before the second token was a minute old.
    fn refused_young(&self) -> u64 {
        let young = self.tokens.first().map_or(i64::MAX, |token| token["answered_ms"].as_i64().unwrap() + 60_000);
        let is_young = |request: &&Value| request["status"] == 401 && request["sent_ms"].as_i64().unwrap() <= young;
        u64::try_from(self.requests.iter().filter(is_young).count()).unwrap()
    }

    /// Requests in the air when the first refusal arrived.
    fn in_flight_at_refusal(&self) -> u64 {
        let time = |request: &Value, which: &str| request[which].as_i64().unwrap();
        let refusals = self.requests.iter().filter(|request| request["status"] == 401);
        let Some(first) = refusals.map(|request| time(request, "answered_ms")).min() else { return 0 };
        let spans = |request: &&Value| time(request, "sent_ms") <= first && first <= time(request, "answered_ms");
        u64::try_from(self.requests.iter().filter(spans).count()).unwrap()
    }
}

#[test]
fn rows_are_what_the_account_says_and_the_engine_weathers_the_storm() {
    let folder = tempfile::tempdir().unwrap();
    let output = storm(folder.path(), &["--json", "--deliveries", "1,20", "--audit", "account.jsonl"]);
    let rows = rows(&output);
    assert_eq!(rows.len(), 5 * 2 * 3);
    let runs = counted(&fs::read_to_string(folder.path().join("account.jsonl")).unwrap());
    assert_eq!(rows, runs.iter().map(Run::row).collect::<Vec<_>>());
    for (row, run) in rows.iter().zip(&runs) {
        let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["policy", "deliveries", "propagation_s", "refreshes", "refused", "lost", "last_s"]);
        weathered(row, run);
    }
    let again = storm(folder.path(), &["--json", "--recompute", "account.jsonl"]);
    assert_eq!(again.stdout, output.stdout);
    assert_eq!(
        shown("| 1 |", "| 20 |"),
        rows.iter().map(cells).collect::<BTreeSet<_>>(),
        "docs/STORM.md is not up to date"
    );
}

/// What must hold of a row, whatever the seed.
fn weathered(row: &Value, run: &Run) {
    let (deliveries, propagation) = (row["deliveries"].as_u64().unwrap(), row["propagation_s"].as_f64().unwrap());
    let count = |name: &str| row[name].as_u64().unwrap();
    match row["policy"].as_str().unwrap() {
        "ours" => {
            assert_eq!((count("refreshes"), count("lost")), (1, 0), "{row}");
            assert!(row["last_s"].as_f64().unwrap() <= propagation + 8.0, "{row}");
            assert!(run.refused_young() <= run.in_flight_at_refusal() + 24, "{row}");
            assert!(propagation > 60.0 || count("refused") == run.refused_young(), "{row}");
        }
        "ours+make-before-break" => {
            assert_eq!((count("refreshes"), count("refused"), count("lost")), (1, 0, 0), "{row}");
            assert!(row["last_s"].as_f64().unwrap() < 2.0, "there is no pause: {row}");
            let waits = run.requests.iter().map(|request| request["waited_ms"].as_u64().unwrap());
            assert!(waits.max().unwrap() < 1_000, "there is no pause while the next token is tried: {row}");
            let tokens: BTreeSet<u64> = run.requests.iter().map(|request| request["token"].as_u64().unwrap()).collect();
            assert_eq!(tokens, BTreeSet::from([1, 2]), "both tokens served: {row}");
        }
        "refresh-and-drop" => assert!(count("lost") > 0 && count("refused") > deliveries, "{row}"),
        "never-refresh" => {
            assert_eq!((count("refreshes"), count("lost")), (0, deliveries), "{row}");
            assert_eq!(row["last_s"], Value::Null, "{row}");
        }
        "refresh-and-retry" => assert!(count("refreshes") >= count("refused") && count("refused") > 0, "{row}"),
        other => panic!("there is no {other}"),
    }
}

/// The rows of the page whose lines begin so.
fn shown(one: &str, other: &str) -> BTreeSet<Vec<String>> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/STORM.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with(one) || line.starts_with(other));
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    lines.map(|line| line.trim_matches('|').split('|').map(cell).collect()).collect()
}

fn cells(row: &Value) -> Vec<String> {
    let text = |name: &str| row[name].to_string();
    let propagation = format!("{} s", row["propagation_s"].as_f64().unwrap());
    let last = row["last_s"].as_f64().map_or("never".to_owned(), |last| format!("{last:.2} s"));
    let policy = row["policy"].as_str().unwrap().to_owned();
    vec![text("deliveries"), propagation, policy, text("refreshes"), text("refused"), text("lost"), last]
}

#[test]
fn a_seed_is_one_storm() {
    let folder = tempfile::tempdir().unwrap();
    let run = |seed: &str, audit: &str| {
        let grid = ["--deliveries", "20", "--propagation", "10", "--policy", "ours,refresh-and-retry"];
        let output = storm(folder.path(), &[&["--json", "--seed", seed, "--audit", audit][..], &grid].concat());
        (rows(&output), fs::read(folder.path().join(audit)).unwrap())
    };
    let (first, second, other) = (run("7", "first"), run("7", "second"), run("8", "other"));
    assert!(first == second, "the same seed is the same storm, byte for byte");
    assert!(first.1 != other.1, "another seed is another storm");
}

#[test]
fn what_cannot_be_recomputed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = r#"{"kind":"run","policy":"ours","deliveries":1,"propagation_s":0.5,"seed":1}"#;
    let end = r#"{"kind":"end","at_ms":5,"accepted":1}"#;
    for (account, fault) in [
        ("{}", "line 1"),
        (end, "line 1 is out of place"),
        (run, "the last run has no end"),
        (&format!("{run}\n{end}\n{end}"), "line 3 is out of place"),
    ] {
        fs::write(folder.path().join("account.jsonl"), account).unwrap();
        let output = storm(folder.path(), &["--recompute", "account.jsonl"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.contains(fault)), (Some(2), true), "{told}");
    }
    let none = storm(folder.path(), &["--recompute", "none.jsonl"]);
    assert_eq!(none.status.code(), Some(2), "{}", String::from_utf8_lossy(&none.stderr));
    let slow = storm(folder.path(), &["--propagation", "601"]);
    assert!(String::from_utf8_lossy(&slow.stderr).contains("not from 0 to 600"));
    let naive = storm(folder.path(), &["--real-time", "--policy", "never-refresh"]);
    assert!(String::from_utf8_lossy(&naive.stderr).contains("demo --naive"));
}
