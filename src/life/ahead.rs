//! What lies ahead of the credentials of a life.

use super::{Life, Reply};
use crate::driver::{Ask, Look};
use crate::view::CredentialCalendar;

impl Life {
    /// As [`Engine::calendar`](crate::Engine::calendar).
    pub fn calendar(&mut self) -> Reply<Vec<CredentialCalendar>> {
        self.ask(|reply| Ask::Look(Look::Calendar { reply }))
    }
}
