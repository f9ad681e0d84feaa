//! Destinations that each break one law: the kit must find it, and show the least that does.

use std::sync::atomic::{AtomicU32, Ordering};

use outlast_state::{Load, Receipt, Span, Verdict};

use crate::destination::laws::{Broken, Kit, Law, holds};
use crate::destination::{Batching, Conclusion, Conversation, Destination, Item, Memo, Turn};
use crate::exchange::{Method, Request};
use crate::taxonomy::{self, Sent};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    Counts,
    CountsOver,
    Panics,
    PanicsOnOne,
    Asks,
    Forgets,
    Authorises,
    Quotes,
    Shouts,
    Refuses,
    Splits,
    Header,
    ByPlace,
    Hurries,
    Remembers,
}

struct Mutant(Wrong, AtomicU32);

impl Destination for Mutant {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let Mutant(wrong, count) = self;
        let items = conversation.items;
        let request = || {
            let mut request = Request::new(Method::Post, "https://api.example.com/events".parse().unwrap());
            for item in items {
                request = request.header("x-id", item.id.to_string());
            }
            match wrong {
                Wrong::Counts => request.header("x-count", count.fetch_add(1, Ordering::Relaxed).to_string()),
                // Only what is asked for after others differs: two calls in a row agree.
                Wrong::CountsOver => {
                    request.header("x-count", (count.fetch_add(1, Ordering::Relaxed) / 50).to_string())
                }
                Wrong::Authorises => request.bearer().header("authorization", "Bearer me"),
                Wrong::Header => request.header("x-name", "Zoë"),
                Wrong::Quotes => match conversation.so_far.last() {
                    Some(exchange) => request.content("text/plain", exchange.answer.body.clone()),
                    None => request,
                },
                _ => request,
            }
        };
        match conversation.so_far {
            [] => Turn::Ask(request()),
            [..] if *wrong == Wrong::Asks => Turn::Ask(request()),
            [_] if *wrong == Wrong::Quotes => Turn::Ask(request()),
            [.., last] => Turn::Conclude(self.conclude(items, &last.answer)),
        }
    }

    fn batching(&self) -> Batching {
        Batching::up_to(10)
    }

    fn sorts(&self) -> bool {
        true
    }

    fn check(&self, item: &Item<'_>, _: outlast_state::Time) -> Result<(), Conclusion> {
        let refuse = self.0 == Wrong::Refuses && item.body != b"{}";
        let refusal = Conclusion::new(Verdict::Refused { why: outlast_state::Why::Invalid }, "It is not empty.");
        if refuse { Err(refusal) } else { Ok(()) }
    }

    fn lane(&self, _: &Item<'_>) -> Option<String> {
        None
    }

    fn remember(&self, _: &Conversation<'_>) -> Vec<Memo> {
        match self.0 {
            Wrong::Remembers => vec![Memo::keep("page", "x".repeat(2000), Span::from_secs(60))],
            _ => Vec::new(),
        }
    }
}

impl Mutant {
    fn conclude(&self, items: &[Item<'_>], answer: &crate::exchange::Answer) -> Vec<Conclusion> {
        let verdict = taxonomy::read(answer, Sent { items: items.len(), token: false }).verdict;
        let whole = Conclusion::new(verdict, String::from_utf8_lossy(&answer.body));
        let accepted = Conclusion::new(Verdict::Accepted { receipt: Receipt { status: 200 } }, "");
        match self.0 {
            Wrong::Panics => panic!("on purpose"),
            Wrong::PanicsOnOne if items.iter().any(|item| item.body.ends_with(b"2\"}")) => panic!("on purpose"),
            Wrong::Forgets => vec![whole; items.len().min(2)],
            Wrong::Shouts => {
                let shouted = String::from_utf8_lossy(&answer.body).to_uppercase();
                vec![Conclusion::new(verdict, shouted); items.len()]
            }
            Wrong::Refuses => vec![Conclusion::new(Verdict::TokenRefused, ""); items.len()],
            Wrong::Splits => vec![Conclusion::new(Verdict::Split, ""); items.len()],
            Wrong::ByPlace => {
                (0..items.len()).map(|at| if at == 0 { accepted.clone() } else { whole.clone() }).collect()
            }
            Wrong::Hurries if matches!(verdict, Verdict::Busy { .. }) => {
                let hurried = Verdict::Busy { after: Span::from_secs(1), load: Load::Failing };
                vec![Conclusion::new(hurried, ""); items.len()]
            }
            _ => vec![whole; items.len()],
        }
    }
}

const BODIES: [&[u8]; 5] =
    [b"{\"id\":\"1\"}", b"{\"id\":\"2\"}", b"{\"id\":\"3\"}", b"{\"id\":\"4\"}", b"{\"id\":\"5\"}"];

fn broken(wrong: Wrong) -> Option<Box<Broken>> {
    let mutant = Mutant(wrong, AtomicU32::new(0));
    BODIES.iter().fold(Kit::new(&mutant).rounds(20), |kit, body| kit.body(*body)).check().err()
}

#[test]
fn a_sound_destination_breaks_no_law() {
    assert_eq!(broken(Wrong::Nothing), None);
}

#[test]
fn each_law_is_seen_to_be_broken() {
    for (wrong, law) in [
        (Wrong::Counts, Law::Pure),
        (Wrong::CountsOver, Law::Pure),
        (Wrong::Panics, Law::Total),
        (Wrong::PanicsOnOne, Law::Total),
        (Wrong::Asks, Law::Ends),
        (Wrong::Forgets, Law::OneVerdict),
        (Wrong::Authorises, Law::NoToken),
        (Wrong::Quotes, Law::NoToken),
        (Wrong::Shouts, Law::NoToken),
        (Wrong::Splits, Law::Split),
        (Wrong::Header, Law::Sendable),
        (Wrong::ByPlace, Law::Order),
        (Wrong::Hurries, Law::Wait),
        (Wrong::Remembers, Law::Memos),
    ] {
        let found = broken(wrong).unwrap_or_else(|| panic!("{wrong:?} was not found"));
        assert_eq!(found.law, law, "{wrong:?}: {found}");
    }
}

#[test]
fn the_least_is_shown_that_breaks_the_law() {
    let found = broken(Wrong::Forgets).unwrap();
    assert_eq!(found.items.len(), 3, "two conclusions are enough for two: {found}");
    let found = broken(Wrong::ByPlace).unwrap();
    assert_eq!(found.items.len(), 2, "{found}");
    let found = broken(Wrong::PanicsOnOne).unwrap();
    let page = found.to_string();
    assert!(page.starts_with("the law \"total\" does not hold: converse panicked after 1 answers"), "{page}");
    assert!(page.contains("\n  item 1   (as it is) {\"id\":\"2\"}"), "{page}");
    assert!(page.contains("\n  asked 1  POST https://api.example.com/events"), "{page}");
    assert!(page.contains("\n  heard 1  "), "{page}");
}

#[test]
fn a_kit_that_came_to_no_request_says_so() {
    let mutant = Mutant(Wrong::Refuses, AtomicU32::new(0));
    let found = holds(&mutant, &BODIES, &[]).unwrap_err();
    assert_eq!((found.law, found.why.contains("It is not empty.")), (Law::Playable, true), "{found}");
    assert_eq!(holds(&mutant, &[], &[]).unwrap_err().law, Law::Playable);
    assert_eq!(holds(&mutant, &[b"{}"], &[]).unwrap_err().law, Law::TokenRefused);
}

#[test]
fn a_lane_that_changes_its_mind_is_found() {
    struct Fickle(AtomicU32);
    impl Destination for Fickle {
        fn converse(&self, conversation: &Conversation<'_>) -> Turn {
            Mutant(Wrong::Nothing, AtomicU32::new(0)).converse(conversation)
        }
        fn actions(&self) -> &[crate::route::Action] {
            static ACTIONS: std::sync::LazyLock<[crate::route::Action; 1]> =
                std::sync::LazyLock::new(|| [crate::route::Action::new("send", "Send")]);
            ACTIONS.as_slice()
        }
        fn sorts(&self) -> bool {
            true
        }
        fn lane(&self, _: &Item<'_>) -> Option<String> {
            Some(self.0.fetch_add(1, Ordering::Relaxed).to_string())
        }
    }
    let found = holds(&Fickle(AtomicU32::new(0)), &[b"{\"type\":\"track\"}"], &[]).unwrap_err();
    assert_eq!(found.law, Law::Pure, "{found}");
    assert!(found.why.contains("lane"), "{found}");
}
