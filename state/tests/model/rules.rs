//! The rules that a model runs: the shipping ones, unless a known-bad one is put in their place.

use outlast_state::{
    Choice, Credential, CredentialInput, Delivery, Input, Offer, Policy, Span, Standard, Time, Trouble,
};

/// What is asked of the rules. Each is a function of the crate, called and not written again.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) delivery: fn(Delivery, Input, Time) -> Delivery,
    pub(crate) credential: fn(Credential, CredentialInput, Time) -> Credential,
    pub(crate) offer: fn(&Credential, Time) -> Offer,
    pub(crate) choose: fn(&Delivery, Trouble, Time) -> Choice,
}

/// What ships.
pub(crate) const SHIPPING: Rules =
    Rules { delivery: Delivery::step, credential: Credential::step, offer: Credential::offer, choose };

/// What the shipping policy chooses, with waits of seconds.
fn choose(delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
    let waits = Standard { first: Span::from_secs(1), longest: Span::from_secs(8), ..Standard::default() };
    waits.choose(delivery, trouble, now)
}
