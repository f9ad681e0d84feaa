//! Subscriptions, mappings and events, as people and sources write them.

use serde_json::Value;

use crate::route::fields::Empties;
use crate::route::mapping::Mapping;
use crate::route::subscription::Subscription;
use crate::route::{Action, Draft, Event, Route};

/// A line that is a subscription, a line that is a mapping, and an event.
///
/// # Panics
/// What a subscription was read as reads otherwise when it is written and read again, or decides otherwise; a mapping gives
/// two results for one event; or something is refused without a reason.
pub fn routes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let (when, mapping) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let event = match Event::read(lines.next().unwrap_or_default()) {
        Ok(event) => event,
        Err(why) => {
            assert!(why.message.starts_with("event: ") && crate::taxonomy::find(why.code).is_some(), "{why:?}");
            return;
        }
    };
    subscription(when, event.value());
    let Ok(mapping) = serde_json::from_str::<Value>(mapping) else { return };
    resolves(&mapping, event.value());
    if let Value::Object(mapping) = mapping {
        let (action, when) = (Action::new("any", "Any"), Some(when.to_owned()));
        let route = Route::new("fuzz", &action, &Draft { when, mapping, ..Draft::default() });
        let payload = route.map(|route| route.payload(event.value(), Empties::Blank));
        if let Ok(Err(misfit)) = payload {
            assert!(crate::taxonomy::find(misfit.code).is_some() && !misfit.advice.is_empty(), "{misfit:?}");
        }
    }
}

fn subscription(text: &str, event: &Value) {
    let findings = Subscription::findings(text);
    for finding in &findings {
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?} is not of {text:?}");
        assert!(finding.caret(text).contains('^') && !finding.remedy.is_empty(), "{finding:?}");
    }
    let Ok(read) = Subscription::parse(text) else { return };
    let decided = read.evaluate(event);
    assert_eq!(decided, read.evaluate(event), "{text:?} decides twice");
    assert!(!read.explain(event).to_string().is_empty(), "{text:?} is explained");
    if let Ok(strict) = Subscription::strict(text) {
        let again = Subscription::strict(&strict.to_string());
        let again = again.unwrap_or_else(|findings| panic!("{text:?} is written as {strict}: {findings:?}"));
        assert_eq!(again.evaluate(event), strict.evaluate(event), "{text:?} is written as {strict}");
    }
}

fn resolves(mapping: &Value, event: &Value) {
    match Mapping::new(mapping) {
        Ok(read) => {
            let (first, second) = (read.resolve(event), read.resolve(event));
            assert_eq!(format!("{first:?}"), format!("{second:?}"), "{mapping} is a function of the event");
            drop(read.paths());
        }
        Err(why) => assert!(!why.faults().is_empty() && !why.to_string().is_empty(), "{mapping}"),
    }
}
