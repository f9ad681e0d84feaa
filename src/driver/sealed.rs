//! Going through everything that is sealed, a slice each turn, so that deliveries go on: to see whether it opens, or to seal it
//! with another key.
//!
//! A vault that goes over to another key seals with it from the first turn on, and opens with both. So what is written while
//! the pass goes on needs no second look, except a token that was sealed before and is reported after: it is sealed anew when
//! it comes in ([`Heart::sealed_now`]). Each slice is one commit. A crash between two leaves records under both keys, each
//! whole under one, and the next pass finds what is left by the key that each record names.

use std::collections::BTreeSet;

use outlast_state::Epoch;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::acts::Turn;
use super::grants::RenewalEnding;
use super::heart::Heart;
use crate::error::{Error, ErrorKind};
use crate::records::{self, CredentialRecord};
use crate::store::{Key, Store, StoreError, Table};
use crate::vault::{Kind, Place, Vault, VaultError, VaultKey};
use crate::view::{Rekeyed, SealedView, VaultView};

/// One way through all sealed records.
pub(crate) struct Pass {
    goal: Goal,
    /// The table that is being read, and its last record that was met.
    table: Table,
    after: Option<Key>,
}

/// What a pass is for, and what it has found.
enum Goal {
    Check { found: VaultView, reply: oneshot::Sender<Result<VaultView, Error>> },
    Rekey { done: Rekeyed, reply: oneshot::Sender<Result<Rekeyed, Error>> },
}

/// A sealed record, looked at.
struct Looked {
    epoch: Epoch,
    /// As it is to be written, where it is to change.
    anew: Result<Option<Vec<u8>>, VaultError>,
}

impl Pass {
    fn new(goal: Goal) -> Self {
        Pass { goal, table: Table::Token, after: None }
    }

    /// Takes in what became of a record; says what is to be written in its place.
    fn take(&mut self, place: &Place<'_>, sealed: &[u8], anew: Result<Option<Vec<u8>>, VaultError>) -> Option<Vec<u8>> {
        let view = |problem: Option<&VaultError>| SealedView {
            credential: place.credential.to_owned(),
            what: place.kind.what().to_owned(),
            epoch: place.epoch.number(),
            key: Vault::key_of(sealed).map(|key| key.to_string()),
            problem: problem.map(ToString::to_string),
        };
        match (&mut self.goal, anew) {
            (Goal::Check { found, .. }, anew) => {
                found.records.push(view(anew.err().as_ref()));
                None
            }
            (Goal::Rekey { done, .. }, Ok(Some(anew))) => {
                done.resealed = done.resealed.saturating_add(1);
                Some(anew)
            }
            (Goal::Rekey { done, .. }, Ok(None)) => {
                done.already = done.already.saturating_add(1);
                None
            }
            (Goal::Rekey { done, .. }, Err(why)) => {
                warn!(credential = place.credential, "{why}");
                done.left.push(view(Some(&why)));
                None
            }
        }
    }

    /// Tells how it went, once what it wrote is durable.
    fn end(self, turn: &mut Turn) {
        match self.goal {
            Goal::Check { found, reply } => turn.answer(|_| drop(reply.send(Ok(found)))),
            Goal::Rekey { done, reply } => {
                let Rekeyed { key, resealed, already, left } = &done;
                info!(key, resealed, already, left = left.len(), "the vault has gone over to another key");
                turn.answer(|_| drop(reply.send(Ok(done))));
            }
        }
    }
}

impl Heart {
    /// Begins to go over to another key. The first slice is the next turn's: what this one sealed before is in the store then.
    pub(super) fn rekey(&mut self, key: &VaultKey, reply: oneshot::Sender<Result<Rekeyed, Error>>, turn: &mut Turn) {
        let Some(vault) = &self.vault else {
            let _ = reply.send(Err(no_key()));
            return;
        };
        if self.passes.iter().any(|pass| matches!(pass.goal, Goal::Rekey { .. })) {
            let message = "vault: it is going over to another key already; try again when that is done";
            let _ = reply.send(Err(Error::new(ErrorKind::Busy, message)));
            return;
        }
        vault.adopt(key);
        let done = Rekeyed { key: key.id().to_string(), ..Rekeyed::default() };
        info!(key = done.key, "the vault goes over to another key");
        self.passes.push_back(Pass::new(Goal::Rekey { done, reply }));
        turn.wake_at(turn.now);
    }

    /// Begins to look whether everything opens.
    pub(super) fn check_vault(&mut self, reply: oneshot::Sender<Result<VaultView, Error>>, turn: &mut Turn) {
        let Some(vault) = &self.vault else {
            let _ = reply.send(Err(no_key()));
            return;
        };
        let keys = vault.keys().iter().map(ToString::to_string).collect();
        let found = VaultView { keys, records: Vec::new() };
        self.passes.push_back(Pass::new(Goal::Check { found, reply }));
        turn.wake_at(turn.now);
    }

    /// Goes on with the pass whose turn it is, by one slice.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn pass_on(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        let Some(mut pass) = self.passes.pop_front() else { return Ok(()) };
        // The first is the last of the slice before, where it is still there.
        let most = self.slice.saturating_add(1);
        let page = self.store.scan(pass.table, pass.after.as_ref(), most)?;
        let over = page.len() < most;
        for (key, stored) in page {
            if pass.after.as_ref() == Some(&key) {
                continue;
            }
            // What this turn wrote already is newer; what it deleted is gone.
            let sealed = match turn.writes.get(&key) {
                None => Some(stored),
                Some(written) => written.map(<[u8]>::to_vec),
            };
            if let Some(sealed) = sealed
                && let Some(anew) = self.look_at(&mut pass, &key, &sealed)?
            {
                turn.writes.put(key.clone(), anew);
            }
            pass.after = Some(key);
        }
        match (over, pass.table) {
            (false, _) => self.passes.push_front(pass),
            (true, Table::Token) => {
                (pass.table, pass.after) = (Table::Grant, None);
                self.passes.push_front(pass);
            }
            (true, _) => pass.end(turn),
        }
        if !self.passes.is_empty() {
            turn.wake_at(turn.now);
        }
        Ok(())
    }

    /// Looks at one record; says what is to be written in its place.
    fn look_at(&self, pass: &mut Pass, key: &Key, sealed: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(vault) = &self.vault else { return Ok(None) };
        let (credential, kind, epochs) = match key {
            Key::Token(name, epoch) => (name, Kind::Access, vec![*epoch]),
            Key::Grant(name) => (name, Kind::Grant, self.grant_epochs(name)?),
            _ => return Ok(None),
        };
        let place = |epoch| Place { credential, kind, epoch };
        let first = epochs.first().copied().unwrap_or_default();
        let mut looked = Looked { epoch: first, anew: vault.reseal(&place(first), sealed) };
        for epoch in epochs.into_iter().skip(1) {
            if !matches!(looked.anew, Err(VaultError::Damaged { .. })) {
                break;
            }
            let anew = vault.reseal(&place(epoch), sealed);
            if !matches!(anew, Err(VaultError::Damaged { .. })) {
                looked = Looked { epoch, anew };
            }
        }
        Ok(pass.take(&place(looked.epoch), sealed, looked.anew))
    }

    /// The epochs that a grant may have been sealed for, the likeliest first. Its key does not say which, and the record of its
    /// credential may be damaged, or of a credential that is not configured any more.
    fn grant_epochs(&self, name: &str) -> Result<Vec<Epoch>, StoreError> {
        let known = self.machines.credentials.get(name).map(|keeper| keeper.record.credential.epoch);
        let stored = records::get::<CredentialRecord>(self.store.as_ref(), &Key::Credential(name.to_owned()))?;
        let stored = stored.ok().flatten().map(|record| record.credential.epoch);
        let mut epochs: Vec<Epoch> = known.into_iter().chain(stored).collect();
        epochs.extend(token_epochs(self.store.as_ref(), name)?.into_iter().rev());
        let mut seen = BTreeSet::new();
        epochs.retain(|epoch| seen.insert(*epoch));
        Ok(epochs)
    }

    /// A token request that was answered before the vault went over to another key, and reported after.
    pub(super) fn sealed_now(&self, credential: &str, from: Epoch, mut ending: RenewalEnding) -> RenewalEnding {
        let Some(vault) = &self.vault else { return ending };
        if let RenewalEnding::Renewed(brought) = &mut ending {
            let epoch = from.next();
            let sealed = [(Kind::Access, &mut brought.sealed_token), (Kind::Grant, &mut brought.sealed_grant)];
            for (kind, sealed) in sealed {
                // One that cannot be sealed anew opens with the key that it has: the vault knows both.
                if let Ok(Some(anew)) = vault.reseal(&Place { credential, kind, epoch }, sealed) {
                    *sealed = anew;
                }
            }
        }
        ending
    }
}

/// The epochs of the access tokens that a credential has in the store, in their order.
fn token_epochs(store: &dyn Store, name: &str) -> Result<Vec<Epoch>, StoreError> {
    /// It has one or two, or a few that a crash has left.
    const MOST: usize = 16;
    let from = Key::Token(name.to_owned(), Epoch::default());
    let page = store.scan(Table::Token, Some(&from), MOST)?;
    let mine = page.into_iter().map_while(|(key, _)| match key {
        Key::Token(credential, epoch) if credential == name => Some(epoch),
        _ => None,
    });
    Ok(mine.collect())
}

fn no_key() -> Error {
    Error::configuration("vault: there is no key to open it with; configure one")
}

#[cfg(test)]
mod tests;
