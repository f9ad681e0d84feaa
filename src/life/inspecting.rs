//! A question to an issuer about a token.

use std::sync::Arc;

use super::{Life, Outgoing};
use crate::driver::Heard;
use crate::driver::acts::Inspection;
use crate::driver::inspection::{question, unasked};
use crate::exchange::{Answer, NoAnswer};
use crate::oauth::{self, Profile};

/// A question to an issuer about a token.
pub struct Inspecting {
    pub(super) inspection: Inspection,
    pub(super) profile: Arc<Profile>,
}

impl Inspecting {
    /// The request; `None` when there is nothing to ask with, which the engine was told.
    pub fn request(&mut self, life: &mut Life) -> Option<Outgoing> {
        let vault = life.vault.as_deref();
        match question(life.store.as_ref(), vault, &life.clients, &self.profile, &self.inspection) {
            Ok((url, form)) => Some(Outgoing::form(&url, &form)),
            Err(why) => {
                self.told(life, unasked(&why));
                None
            }
        }
    }

    /// What became of it.
    pub fn heard(self, life: &mut Life, answer: Result<Answer, NoAnswer>) {
        self.told(life, oauth::standing(answer));
    }

    /// Whose token it asks about.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.inspection.credential
    }

    fn told(&self, life: &mut Life, (standing, note): (outlast_state::Standing, String)) {
        let (credential, epoch) = (self.inspection.credential.clone(), self.inspection.epoch);
        life.hear(Heard::Inspection { credential, epoch, standing, note });
    }
}
