//! What a profile is that says nothing: the shipped profile `generic`, held against its file by a test.

use std::ops::RangeInclusive;

use outlast_state::Span;
use url::Url;

use super::{Carrier, ClientAuth, GrantKind, Profile, Rotation, TokenShape};
use crate::exchange::Rule;
use crate::guard::Audience;

/// Where tokens are asked for if nobody says: a name that is none (RFC 2606), so that nothing is ever sent there.
pub(super) const NOWHERE: &str = "https://token-url.invalid/";

/// Answers that an API gives only to those whom it knows: success, and complaints about the content. A 403 is left out
/// because permissions are cached apart from tokens; 408, 423, 426, 429 and 5xx because they come from in front of the API.
const PAST_AUTHENTICATION: [RangeInclusive<u16>; 6] =
    [200..=299, 400..=400, 404..=404, 409..=409, 413..=413, 422..=422];

const MINUTE: u64 = 60;

impl Profile {
    pub(crate) fn bare(name: &str) -> Self {
        Profile {
            name: name.to_owned(),
            grant: GrantKind::AuthorizationCode,
            token_url: Url::parse(NOWHERE).expect("the address is a constant that a test reads"),
            token_shape: TokenShape::default(),
            authorize_url: None,
            pkce: true,
            introspect_url: None,
            revoke_url: None,
            client_auth: ClientAuth::Form,
            scopes: Vec::new(),
            scope_separator: ' ',
            audience: Audience::default(),
            carrier: Carrier::Bearer,
            settle: Span::from_secs(MINUTE),
            young: Span::from_secs(MINUTE),
            renew_at: 80,
            refuses: vec![Rule::status(401..=401)],
            proves: PAST_AUTHENTICATION.iter().cloned().map(Rule::status).collect(),
            lacks_scope: Vec::new(),
            scope_delay: Span::from_secs(5 * MINUTE),
            rotation: Rotation::MayChange,
            access_life: Span::from_secs(60 * MINUTE),
            grant_life: None,
            idle_life: None,
            quiet: Span::from_secs(30),
            dedupe: None,
            event_age: None,
            node_header: None,
        }
    }
}
