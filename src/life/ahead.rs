//! What a life says of its credentials: what lies ahead of them, and what operators were told.

use super::{Life, Reply};
use crate::alert::Alert;
use crate::driver::{Ask, Look};
use crate::view::CredentialCalendar;

impl Life {
    /// As [`Engine::calendar`](crate::Engine::calendar).
    pub fn calendar(&mut self) -> Reply<Vec<CredentialCalendar>> {
        self.ask(|reply| Ask::Look(Look::Calendar { reply }))
    }

    /// As [`Engine::alerts`](crate::Engine::alerts).
    pub fn alerts(&mut self) -> Reply<Vec<Alert>> {
        self.ask(|reply| Ask::Look(Look::Alerts { reply }))
    }
}
