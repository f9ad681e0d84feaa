//! Ids and times, as people and stores see them.

use outlast_state::{Attempt, Batch, CredentialState, DeliveryId, Epoch, NotAnId, Span, State, Time, Token, table};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_id_is_read_as_it_is_written(bits: u128) {
        let id = DeliveryId::from_u128(bits);
        let text = id.to_string();
        prop_assert_eq!(text.len(), 26);
        prop_assert_eq!(text.parse(), Ok(id));
        prop_assert_eq!(text.to_lowercase().parse(), Ok(id));
        prop_assert_eq!(id.as_u128(), bits);
    }

    #[test]
    fn ids_sort_as_their_texts_do(one: u128, other: u128) {
        let (a, b) = (DeliveryId::from_u128(one), DeliveryId::from_u128(other));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        prop_assert_eq!(a.cmp(&b), one.cmp(&other));
    }

    #[test]
    fn no_text_makes_an_id_that_is_written_otherwise(text in "\\PC{0,30}|[0-9A-Za-z]{26}") {
        if let Ok(id) = text.parse::<DeliveryId>() {
            prop_assert_eq!(id.to_string(), text.to_uppercase());
        }
    }

    #[test]
    fn time_saturates(at: u64, more: u64) {
        let (time, span) = (Time::from_millis(at), Span::from_millis(more));
        prop_assert_eq!(time.after(span).as_millis(), at.saturating_add(more));
        prop_assert_eq!(time.since(Time::from_millis(more)).as_millis(), at.saturating_sub(more));
        prop_assert!(time.after(span) >= time);
    }
}

#[test]
fn known_ids() {
    assert_eq!(DeliveryId::from_u128(0).to_string(), "00000000000000000000000000");
    assert_eq!(DeliveryId::from_u128(u128::MAX).to_string(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert_eq!(DeliveryId::from_u128(0x1F).to_string(), "0000000000000000000000000Z");
    assert_eq!("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<DeliveryId>().unwrap().as_u128() >> 80, 1_469_922_850_259);
    assert_eq!(DeliveryId::from_u128((7 << 64) | 9).seed(), 9, "jitter takes the lower half");
}

#[test]
fn what_is_not_an_id_is_refused() {
    let bad = [
        "",
        "0000000000000000000000000",
        "000000000000000000000000000",
        "80000000000000000000000000",
        "0000000000000000000000000I",
        "0000000000000000000000000L",
        "0000000000000000000000000O",
        "0000000000000000000000000U",
        "0000000000000000000000000-",
        "000000000000000000000000é",
        " 0000000000000000000000000",
    ];
    for text in bad {
        assert_eq!(text.parse::<DeliveryId>(), Err(NotAnId), "{text:?}");
    }
    assert!(NotAnId.to_string().contains("26 characters"));
}

#[test]
fn numbers_count_from_nothing() {
    assert_eq!(Attempt::NONE.next().next().count(), 2);
    assert_eq!(Attempt::NONE.next().to_string(), "1");
    assert_eq!(Epoch::NONE.next(), Epoch::from_number(1));
    assert_eq!(Epoch::from_number(u32::MAX).next().number(), u32::MAX);
    assert_eq!(Epoch::from_number(12).to_string(), "12");
    assert_eq!(Batch::from_number(9).number(), 9);
}

#[test]
fn spans_saturate() {
    assert_eq!(Span::from_secs(10).times(3).part(4), Span::from_millis(7_500));
    assert_eq!(Span::from_secs(10).part(0), Span::from_secs(10));
    assert_eq!(Span::from_secs(u64::MAX).times(2), Span::from_millis(u64::MAX));
}

#[test]
fn a_token_is_as_old_as_the_time_since_it_was_minted() {
    let token = Token::minted(Epoch::from_number(1), Time::from_millis(5), Time::NEVER);
    assert_eq!(token.age(Time::from_millis(12)), Span::from_millis(7));
    assert_eq!(token.age(Time::from_millis(4)), Span::ZERO);
}

/// Its name is the first word of how a state is written.
#[test]
fn states_are_called_as_they_are_written() {
    let word = |written: String| written.split(' ').next().unwrap_or_default().to_owned();
    for row in table::delivery() {
        let state = row.sample.before.state;
        assert_eq!(state.name(), word(format!("{state:?}")));
        assert!(State::NAMES.contains(&state.name()));
    }
    for row in table::credential() {
        let state = row.sample.before.state;
        assert_eq!(state.name(), word(format!("{state:?}")));
        assert!(CredentialState::NAMES.contains(&state.name()));
    }
}
