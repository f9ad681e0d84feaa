//! Events as lines of JSON, and what LinkedIn is sent of them.

use outlast_state::{DeliveryId, Time, Verdict, Why};
use serde_json::Value;

use super::first_line;
use crate::cli::control::Offer;
use crate::cli::send::events::{Events, Field};
use crate::destination::linkedin::{self, Conversions};
use crate::destination::{Conclusion, Conversation, Destination as _, Routes, Turn};
use crate::exchange::Request;
use crate::parcel::LARGEST_BODY;

/// 2026-03-15T12:00:00Z.
const NOW: Time = Time::from_millis(1_773_576_000_000);

/// The most events of one input that are looked at.
const MOST: usize = 30;

/// A first line `ONCE LANE`, each the path of a field, `none` or `default`; then events.
///
/// # Panics
/// A line is neither an event nor refused with a reason, or an event is neither made into a request that LinkedIn can read
/// nor refused with the field and the remedy.
pub fn events(bytes: &[u8]) {
    let (words, text) = first_line(bytes);
    let [once, lane] = [0, 1].map(|place| match words.get(place) {
        None | Some(&"default") => Field::key(),
        Some(path) => Field::asked(path),
    });
    let lines = u64::try_from(text.split(|byte| *byte == b'\n').count()).unwrap_or(u64::MAX);
    let mut offers = Vec::new();
    let mut last = 0;
    for event in Events::new(text, "conversions".to_owned(), once, lane).take(MOST) {
        let event = event.expect("bytes can be read");
        assert!(last < event.line && event.line <= lines, "line {} after {last} of {lines}", event.line);
        last = event.line;
        match event.offer {
            Ok(offer) => offers.push(checked(offer)),
            Err(unfit) => assert!(unfit.to_string().len() > 2, "line {last} is refused without a reason"),
        }
    }
    for compat in [false, true] {
        for batch_size in [1, 5000] {
            let settings = linkedin::conversions().rule("789123").batch_size(batch_size).compat(compat);
            let destination = settings.build().expect("the settings fit");
            for group in offers.chunks(usize::try_from(batch_size).unwrap_or(1)) {
                group_is_sent_or_refused(&destination, group, compat);
            }
        }
    }
}

fn checked(offer: Offer) -> Offer {
    assert!(offer.body.len() <= LARGEST_BODY, "a body of {} bytes", offer.body.len());
    let body: Value = serde_json::from_str(&offer.body).expect("an offer's body is JSON");
    assert!(body.is_object(), "an offer's body is an object");
    offer
}

fn group_is_sent_or_refused(destination: &Conversions, group: &[Offer], compat: bool) {
    let routes = Routes::of(destination, Vec::new()).expect("its own route is sound");
    let prepared: Vec<_> = group.iter().map(|offer| routes.prepare(None, offer.body.as_bytes())).collect();
    let mut items = Vec::new();
    for ((number, offer), prepared) in (1_u128..).zip(group).zip(&prepared) {
        match prepared {
            Err(conclusion) => refused(conclusion, compat),
            Ok(prepared) => {
                let item = prepared.item(DeliveryId::from_u128(number), offer.body.as_bytes());
                match destination.check(&item, NOW) {
                    Err(conclusion) => refused(&conclusion, compat),
                    Ok(()) => items.push(item),
                }
            }
        }
    }
    let conversation = Conversation::begin(&items, NOW);
    match (destination.converse(&conversation), destination.converse(&conversation)) {
        (Turn::Ask(request), Turn::Ask(same)) => {
            assert!(request == same, "the same events make the same request");
            readable(&request, items.len(), compat);
        }
        (Turn::Conclude(conclusions), Turn::Conclude(_)) => {
            assert!(conclusions.is_empty() && items.is_empty(), "what was checked is sent");
        }
        _ => panic!("the same events are once sent and once not"),
    }
}

fn readable(request: &Request, most: usize, compat: bool) {
    let body: Value = serde_json::from_slice(request.body()).expect("a request's body is JSON");
    let batch = body.get("elements").and_then(Value::as_array);
    let conversions = batch.map_or_else(|| std::slice::from_ref(&body), Vec::as_slice);
    assert!((1..=most).contains(&conversions.len()), "{} conversions of {most}", conversions.len());
    assert!(request.wants_bearer(), "S12: a request without the token");
    for conversion in conversions {
        assert_eq!(conversion.get("conversion").and_then(Value::as_str), Some("urn:lla:llaPartnerConversion:789123"));
        assert!(conversion.get("conversionHappenedAt").is_some_and(Value::is_i64), "{conversion}");
        let ids = conversion.pointer("/user/userIds").and_then(Value::as_array).map_or(0, Vec::len);
        assert!(ids > 0, "nobody converted: {conversion}");
        let id = conversion.get("eventId").and_then(Value::as_str);
        assert!(compat || id.is_some_and(|id| !id.is_empty()), "LinkedIn could not tell a repeat: {conversion}");
    }
}

fn refused(conclusion: &Conclusion, compat: bool) {
    let Conclusion { verdict, detail, .. } = conclusion;
    assert_eq!(*verdict, Verdict::Refused { why: Why::Invalid }, "{detail}");
    let advised = ["Field `", "column ", "elsewhere"].iter().any(|words| detail.contains(words));
    assert!(!detail.is_empty() && (compat || advised), "a refusal without field and remedy: {detail}");
}
