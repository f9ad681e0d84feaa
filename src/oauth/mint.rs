//! A token that needs no human, asked for beside the engine.

use outlast_state::Time;

use super::{Client, Outcome, Profile, mint_form, read};
use crate::http::{Http, WITHIN};

/// Asks for a token by client credentials or with a signed assertion, as the profile says. An engine does that by itself when it
/// needs one.
pub async fn mint(http: &Http, profile: &Profile, client: &Client, now: impl Fn() -> Time + Send) -> Outcome {
    match mint_form(profile, client, now()) {
        Ok((form, asked)) => {
            read(asked, &profile.token_shape, http.post_form(&profile.token_url, &form, WITHIN, now).await)
        }
        Err(why) => Outcome::Misconfigured { why },
    }
}
