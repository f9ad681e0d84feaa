//! The guide to routes says what is so: its configuration, its event, its tables and its output are tried.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use outlast::route::mapping::Mapping;
use outlast::route::subscription::{Code, Subscription};
use outlast::taxonomy::{self, Fate};
use serde_json::{Value, json};

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ROUTES.md")).unwrap()
}

/// The first block that is fenced with this language.
fn block(language: &str) -> String {
    let guide = guide();
    let (_, rest) = guide.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// The rows of the table with this heading, as cells without their backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let guide = guide();
    let (_, rest) = guide.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no table {heading}"));
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    let bare = |cell: &str| {
        // One plain space on either side is the table's; others are what a row is about.
        let cell = cell.strip_prefix(' ').unwrap_or(cell);
        let cell = cell.strip_suffix(' ').unwrap_or(cell);
        cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or(cell).to_owned()
    };
    rows.map(|row| row.trim_matches('|').split('|').map(bare).collect()).collect()
}

fn event() -> Value {
    serde_json::from_str(&block("json")).unwrap()
}

#[test]
fn each_directive_has_an_example_and_gives_what_the_guide_says() {
    let rows = table("| directive | what it does | for example | gives |");
    let mut shown = BTreeSet::new();
    for row in &rows {
        let [name, _, example, gives] = row.as_slice() else { panic!("{row:?}") };
        let example: Value = serde_json::from_str(example).unwrap_or_else(|why| panic!("{why}: {example}"));
        assert!(example.get(name).is_some(), "{name}: {example}");
        let mapping = Mapping::new(&json!({"field": example})).unwrap_or_else(|why| panic!("{name}: {why}"));
        let resolved = mapping.resolve(&event()).unwrap_or_else(|why| panic!("{name}: {why}")).unwrap();
        let gives: Value = serde_json::from_str(gives).unwrap_or_else(|why| panic!("{why}: {gives}"));
        assert_eq!(resolved, json!({"field": gives}), "{name}");
        shown.insert(name.as_str());
    }
    let known = [
        "@path",
        "@template",
        "@literal",
        "@if",
        "@case",
        "@replace",
        "@arrayPath",
        "@flatten",
        "@json",
        "@merge",
        "@transform",
        "@excludeWhenNull",
        "@liquid",
    ];
    assert_eq!(shown, BTreeSet::from(known));
}

#[test]
fn each_quirk_is_found_in_what_the_guide_shows_and_gone_in_what_it_advises() {
    let rows = table("| finding | written | the compatible reading | written so that it holds |");
    assert_eq!(rows.len(), 20);
    for row in &rows {
        let [code, written, _, better] = row.as_slice() else { panic!("{row:?}") };
        // Groups within groups are the one quirk that the strict reading reads as it is meant.
        let found: Vec<Code> = match Subscription::parse(written) {
            Err(why) if Subscription::strict(written).is_ok() => vec![why.finding().code],
            _ => Subscription::findings(written).iter().map(|finding| finding.code).collect(),
        };
        assert_eq!(found.first().map(ToString::to_string).as_ref(), Some(code), "{written}: {found:?}");
        assert!(Subscription::strict(better).is_ok(), "{better}: {:?}", Subscription::findings(better));
    }
}

#[test]
fn subscriptions_that_the_guide_shows_are_strictly_right() {
    for row in table("| written | holds when |") {
        let written = &row[0];
        assert!(Subscription::strict(written).is_ok(), "{written}: {:?}", Subscription::findings(written));
    }
}

#[test]
fn bad_input_becomes_what_the_guide_says() {
    for row in table("| what | becomes | code |") {
        let [what, becomes, code] = row.as_slice() else { panic!("{row:?}") };
        // What the table of codes says of an event that nobody wants is said of routes; past them there is a delivery.
        if code.is_empty() || code == "NOT_SUBSCRIBED" {
            continue;
        }
        let fate = taxonomy::find(code).unwrap_or_else(|| panic!("{code} is no code")).fate;
        let expected = if becomes.starts_with("refused") { Fate::Refused } else { Fate::Failed };
        assert_eq!(fate, expected, "{what}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn trying_the_event_of_the_guide_gives_what_it_shows() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("outlast.toml"), block("toml")).unwrap();
    fs::write(place.path().join("event.json"), block("json")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    command.current_dir(place.path()).args(["try", "event.json"]);
    let ran = command.env_remove("OUTLAST_CONFIG").env_remove("RUST_LOG").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert_eq!(out.trim_end(), block("text"));
}
