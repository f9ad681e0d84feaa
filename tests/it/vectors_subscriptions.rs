//! The recorded decisions of the reference implementation, against the compatible reading.

use outlast::route::subscription::Subscription;
use serde_json::Value;

use super::vectors::{Tally, load};

const FILE: &str = "subscriptions.json";

/// The rule by which cases are left out: their note says what they show, and the specification says not to reproduce it.
const LEAKS: (&str, &str) = (
    "built-in object member names",
    "members that no event has, such as `constructor`, are members of every object in the reference's language",
);

/// Whether a text parses, and whether the event matches, in the words of the vectors.
type Decision = (bool, Option<bool>);

/// What the compatible reading makes of a case.
fn decide(case: &Value) -> Result<Decision, String> {
    let text = case["fql"].as_str().ok_or("the case has no text")?;
    let Ok(subscription) = Subscription::parse(text) else { return Ok((false, None)) };
    // Where there is no event at all, nothing is evaluated.
    let Some(event) = case.get("event") else { return Ok((true, Some(false))) };
    let decision = subscription.evaluate(event).ok();
    if subscription.matches(event) != decision.unwrap_or(false) {
        return Err("an error does not count as no match".into());
    }
    Ok((true, decision))
}

#[test]
fn every_recorded_decision_is_made_as_recorded() {
    let mut tally = Tally::new(FILE);
    for case in load(FILE) {
        let note = case["note"].as_str().unwrap_or_default();
        let id = format!("{} for {}, {note}", case["fql"], case["event"]);
        let recorded = (case["parses"] == true, case["matches"].as_bool());
        match decide(&case) {
            _ if note.contains(LEAKS.0) => tally.exclude(id, LEAKS.1),
            Ok(decided) if decided == recorded => tally.pass(),
            other => tally.fail(id, format!("recorded (parses, matches) {recorded:?}, decided {other:?}")),
        }
    }
    tally.finish();
}
