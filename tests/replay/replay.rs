//! The inputs that a fuzzer found worth keeping, each in the function that it was found for (`tests/fuzz`). No fuzzer and
//! no other toolchain is needed for it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use outlast::verify::fuzz::{TARGETS, Target};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn inputs(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(corpus().join(name)).unwrap_or_else(|why| panic!("the corpus of {name}: {why}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The largest corpus of a target; `cargo fuzz cmin` makes it smaller.
const MOST: usize = 300;

fn replay(name: &str) {
    let (_, target): Target = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let paths = inputs(name);
    assert!((10..=MOST).contains(&paths.len()), "{} inputs are kept for {name}", paths.len());
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let kept = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        assert!(kept.is_ok(), "{} breaks what {name} promises; the message is above", path.display());
    }
    println!("{name}: {} inputs", paths.len());
}

#[test]
fn records_that_anybody_may_have_written() {
    replay("records");
}

#[test]
fn keys_that_anybody_may_have_written() {
    replay("keys");
}

#[test]
fn answers_of_any_provider() {
    replay("answers");
}

#[test]
fn configurations_of_any_operator() {
    replay("config");
}

#[test]
fn events_of_any_source() {
    replay("events");
}

#[test]
fn routes_of_any_operator() {
    replay("routes");
}

#[test]
fn questions_of_any_program() {
    replay("socket");
}

#[test]
fn requests_of_any_client_to_the_sandbox() {
    replay("sandbox");
}

/// A function, its fuzz target and its corpus have one name.
#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(corpus()), names);
    assert_eq!(listed(corpus().with_file_name("targets")), names);
}
