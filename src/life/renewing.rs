//! A token request.

use std::sync::Arc;

use outlast_state::Time;

use super::{Life, Outgoing};
use crate::driver::Heard;
use crate::driver::acts::Renewal;
use crate::driver::grants::RenewalEnding;
use crate::driver::renewal::Asking;
use crate::exchange::{Answer, NoAnswer};
use crate::oauth::Profile;

/// A token request.
pub struct Renewing {
    pub(super) renewal: Renewal,
    pub(super) profile: Arc<Profile>,
    pub(super) asking: Option<Result<Asking, RenewalEnding>>,
}

impl Renewing {
    /// The request; `None` when there is nothing to ask with, which the engine was told.
    pub fn request(&mut self, life: &mut Life) -> Option<Outgoing> {
        match self.asking.take()? {
            Ok(asking) => {
                let outgoing = Outgoing::form(&self.profile.token_url, asking.form());
                self.asking = Some(Ok(asking));
                Some(outgoing)
            }
            Err(ending) => {
                self.ended(life, ending);
                None
            }
        }
    }

    /// What became of it.
    pub fn heard(mut self, life: &mut Life, answer: Result<Answer, NoAnswer>, now: Time) {
        if let Some(Ok(asking)) = self.asking.take() {
            let ending = asking.ended(&self.renewal, &self.profile, answer, now);
            self.ended(life, ending);
        }
    }

    /// The engine stops before the answer came.
    pub fn give_up(self, life: &mut Life) {
        self.ended(life, RenewalEnding::GivenUp);
    }

    /// Whose token it asks for.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.renewal.credential
    }

    fn ended(&self, life: &mut Life, ending: RenewalEnding) {
        let Renewal { credential, from, .. } = &self.renewal;
        life.hear(Heard::Renewal { credential: credential.clone(), from: *from, ending });
    }
}
