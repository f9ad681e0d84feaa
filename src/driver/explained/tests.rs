use std::collections::BTreeSet;

use outlast_state::laws::{any_clues, any_credential, any_time};
use outlast_state::table;
use proptest::prelude::*;

use super::*;
use crate::driver::why::tests::reads_well;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_known_reads_well(credential in any_credential(), clues in any_clues(), now in any_time(), scope: bool) {
        let missing: Vec<String> = scope.then(|| "rw_conversions".to_owned()).into_iter().collect();
        let sentences = explained(&credential, &clues, &missing, now);
        let finding = diagnose(&credential, &clues, now).finding;
        prop_assert_eq!(finding == Finding::Working, !sentences.iter().any(|one| one.starts_with("Diagnosis")));
        for sentence in sentences {
            reads_well(&tamed(&sentence));
        }
    }
}

/// What is drawn may have a token of epoch 0 and spans of a million years; what is real has neither.
fn tamed(sentence: &str) -> String {
    let mut digits = 0_u32;
    let kept = sentence.chars().filter(|letter| {
        digits = if letter.is_ascii_digit() { digits.saturating_add(1) } else { 0 };
        digits <= 6
    });
    kept.collect::<String>().replace("poch 0", "poch 7")
}

#[test]
fn every_finding_but_one_says_who_must_act() {
    let mut seen = BTreeSet::new();
    for row in table::diagnosis() {
        let sentences = explained(&row.credential, &row.clues, &[], row.now);
        let acts =
            ["Nobody needs to act", "Whoever can consent must act", "An operator must act", "An operator should look"];
        let told = sentences.iter().filter(|one| acts.iter().any(|act| one.starts_with(act))).count();
        assert_eq!(told, usize::from(row.finding != Finding::Working), "{row:?}: {sentences:?}");
        seen.insert(row.finding);
    }
    assert_eq!(seen.len(), Finding::ALL.len());
}
