//! Every example runs, and prints what the file beside it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LARGEST: usize = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The names, without ending, of the files in `folder` that have this one.
fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    named.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn prints(name: &str) {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--example", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
    // A log on the same output would differ from run to run.
    let run = command.env_remove("RUST_LOG").output().unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "example {name} failed: {told}");
    let expected = fs::read_to_string(folder().join("expected").join(format!("{name}.txt"))).unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), expected, "example {name}; it also said: {told}");
}

#[cfg(feature = "cli")]
#[test]
fn crm() {
    prints("crm");
}

#[test]
fn embed() {
    prints("embed");
}

#[test]
fn own_destination() {
    prints("own_destination");
}

#[test]
fn policy() {
    prints("policy");
}

#[test]
fn propagation() {
    prints("propagation");
}

#[test]
fn watch() {
    prints("watch");
}

#[test]
fn each_is_short_and_has_its_output() {
    let known = names(&folder(), "rs");
    assert_eq!(known, names(&folder().join("expected"), "txt"));
    let run: BTreeSet<String> =
        ["crm", "embed", "own_destination", "policy", "propagation", "watch"].map(str::to_owned).into();
    assert_eq!(known, run, "an example without its test above");
    for name in known {
        let lines = fs::read_to_string(folder().join(format!("{name}.rs"))).unwrap().lines().count();
        assert!(lines < LARGEST, "example {name} has {lines} lines; keep it under {LARGEST}");
    }
}
