//! What holds for every state, input and time, as plain functions; and strategies to draw them from (feature `laws`).
//!
//! Each law takes what it speaks about and says `Ok`, or names the invariant that does not hold and why. This crate's own
//! tests run them over every combination of small domains and over drawn ones. They are public because a
//! [`Policy`](crate::Policy) is yours to write; five lines check it:
//!
//! ```
//! use outlast_state::{Choice, Delivery, Policy, Span, Time, Trouble, laws};
//! use proptest::prelude::*;
//!
//! /// Every minute, for ever.
//! struct EveryMinute;
//!
//! impl Policy for EveryMinute {
//!     fn choose(&self, _: &Delivery, _: Trouble, now: Time) -> Choice {
//!         Choice::Again { at: now.after(Span::from_secs(60)) }
//!     }
//! }
//!
//! proptest!(|(delivery in laws::any_delivery(), trouble in laws::any_trouble(), now in laws::any_time())| {
//!     laws::policy(&EveryMinute, &delivery, trouble, now)?;
//! });
//! ```

extern crate std;

mod broken;
mod circuit;
mod credential;
mod delivery;
mod doubt;
mod evidence;
mod gate;
mod gates;
mod journal;
mod policy;
mod sequence;
mod serving;
mod strategy;

pub use broken::{Broken, Law};
pub use circuit::{CircuitEvent, circuit_spaces_and_never_stays_off};
pub use credential::{
    CREDENTIAL_LAWS, CredentialLaw, epochs_only_grow, no_refresh_while_young, one_renewal_per_epoch,
    planned_refresh_waits, refresh_is_retried, refused_token_is_left, renewals_keep_their_distance,
    stale_outcome_ignored,
};
pub use delivery::{
    DELIVERY_LAWS, DeliveryLaw, accepted_is_done, answers_of_others_ignored, attempts_only_grow, deadline_ends,
    doubt_stays, final_is_final, not_early, provider_is_heard, refusal_is_ruled, split_halves, stale_refusal_resends,
    stop_is_heeded, total, waiting_is_left_by_admission, waiting_never_spends,
};
pub use doubt::{idle_grant_is_kept_alive, issuer_is_asked_first, planned_is_in_time, scope_is_minted_for_once};
pub use evidence::{
    any_clues, any_lesson, clues_are_bounded, learned_keeps_its_bounds, nothing_is_called_without_ground,
};
pub use gate::{GateEvent, gate_never_starves, gate_of_others, one_canary_while_young};
pub use gates::{
    Blur, GATE_LAWS, GateFact, GateLaw, blurred, gate_counts_what_flies, gate_grows_by_acceptance,
    gate_halves_once_a_round, gate_heeds_its_own_token, gate_lets_one_canary_through, gate_opens_by_itself,
    gate_spaces_after_a_refusal, gate_widens_after_the_streak, met,
};
pub use journal::{credential_journal_folds, journal_folds};
pub use policy::{policy, policy_is_pure, policy_never_before_now};
pub use sequence::{fitted, fitted_credential, renewals_spaced};
pub use serving::{dead_needs_a_human, death_has_a_cause, evidence_counts, make_before_break, never_serves_expired};
pub use strategy::{
    any_circuit_event, any_credential, any_credential_input, any_delivery, any_epoch, any_evidence, any_gate_event,
    any_input, any_seen, any_span, any_state, any_terms, any_time, any_token, any_trouble, any_verdict,
};
