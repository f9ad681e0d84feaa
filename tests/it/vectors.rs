//! What all vector tests share: where the recorded cases lie, and the tally that is printed of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

/// Names another folder than `tests/vectors`.
const FOLDER: &str = "OUTLAST_VECTORS";

/// The cases of a file.
pub(crate) fn load(file: &str) -> Vec<Value> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let path = std::env::var_os(FOLDER).map_or_else(default, PathBuf::from).join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read ({FOLDER} names its folder): {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{} is no list of cases: {error}", path.display()))
}

/// How the cases of a file went. Nothing stops at the first difference.
#[derive(Default)]
#[must_use = "a tally that is not finished fails nothing"]
pub(crate) struct Tally {
    file: String,
    passed: usize,
    failures: Vec<(String, String)>,
    excluded: BTreeMap<String, Vec<String>>,
}

impl Tally {
    pub(crate) fn new(file: &str) -> Self {
        Tally { file: file.into(), ..Tally::default() }
    }

    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// The case that `id` (or its note) names went otherwise than recorded.
    pub(crate) fn fail(&mut self, id: impl Into<String>, why: impl Into<String>) {
        self.failures.push((id.into(), why.into()));
    }

    /// A stance of this project speaks against the case; `reason` says which.
    pub(crate) fn exclude(&mut self, id: impl Into<String>, reason: impl Into<String>) {
        self.excluded.entry(reason.into()).or_default().push(id.into());
    }

    /// The line of counts, then every failure and every exclusion.
    fn report(&self) -> String {
        let excluded: usize = self.excluded.values().map(Vec::len).sum();
        let (file, passed, failed) = (&self.file, self.passed, self.failures.len());
        let mut lines = vec![format!("vectors {file}: {passed} passed, {failed} failed, {excluded} excluded")];
        lines.extend(self.failures.iter().map(|(id, why)| format!("  failed: {id}: {why}")));
        for (reason, ids) in &self.excluded {
            lines.push(format!("  {} excluded, because {reason}:", ids.len()));
            lines.extend(ids.iter().map(|id| format!("    {id}")));
        }
        lines.join("\n")
    }

    /// Prints the tally, also where the output of tests is captured: the counts are to be seen.
    ///
    /// # Panics
    /// A case failed, or none was run.
    pub(crate) fn finish(self) {
        writeln!(std::io::stdout(), "{}", self.report()).expect("the output is open");
        self.check();
    }

    fn check(&self) {
        assert!(self.failures.is_empty(), "{} of {} differ from what was recorded", self.failures.len(), self.file);
        assert!(self.passed > 0, "no case of {} was run", self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_tally_names_every_failure_and_every_exclusion_with_its_reason() {
        let mut tally = Tally::new("some.json");
        tally.pass();
        tally.fail("one", "1 is not 2");
        tally.exclude("two", "we do it right");
        tally.exclude("three", "we do it right");
        let expected = "vectors some.json: 1 passed, 1 failed, 2 excluded\n  failed: one: 1 is not 2\n  \
                        2 excluded, because we do it right:\n    two\n    three";
        assert_eq!(tally.report(), expected);
    }

    #[test]
    #[should_panic(expected = "1 of some.json differ from what was recorded")]
    fn a_failure_fails_the_tally() {
        let mut tally = Tally::new("some.json");
        tally.pass();
        tally.fail("one", "1 is not 2");
        tally.check();
    }

    #[test]
    #[should_panic(expected = "no case of some.json was run")]
    fn a_tally_of_nothing_fails() {
        Tally::new("some.json").check();
    }
}
