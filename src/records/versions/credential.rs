//! A credential as version 1 wrote it: before refreshes were planned, issuers asked and scopes missed.

use std::collections::VecDeque;

use outlast_state::{Cause, Credential, CredentialState, Epoch, Grant, Need, Span, Terms, Time};
use serde::{Deserialize, Serialize};

use crate::records::CredentialRecord;

/// The record.
#[derive(Serialize, Deserialize)]
pub(super) struct First {
    credential: Held,
    journal: Journal,
    slow_until: Time,
    grant_ends: Time,
    note: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Held {
    state: CredentialState,
    epoch: Epoch,
    renewed: Time,
    fruitless: u8,
    grant: Grant,
    settle: Span,
}

/// Its journal is read only to come to what stands behind it: its inputs said less than today's, and are not folded again.
#[derive(Serialize, Deserialize)]
struct Journal {
    snapshot: Held,
    entries: VecDeque<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    at: Time,
    input: Input,
    repeats: u32,
}

#[derive(Serialize, Deserialize)]
enum Input {
    Needed { past: Epoch, why: Need },
    RefreshDue,
    Renewed { from: Epoch, issued: Time, expires: Time },
    RefusedForGood { from: Epoch, cause: Cause },
    Misconfigured { from: Epoch },
    Unknown { from: Epoch, retry_at: Time },
    Accepted { epoch: Epoch, sent: Time },
    TokenRefused { epoch: Epoch, sent: Time },
    Interrupted,
    Authorised { issued: Time, expires: Time },
    ConfigurationChanged { settle: Span },
    Revoked,
}

impl From<First> for CredentialRecord {
    fn from(first: First) -> Self {
        let First { credential, slow_until, grant_ends, note, .. } = first;
        let Held { state, epoch, renewed, fruitless, grant, settle } = credential;
        let fresh = Credential::unauthorised(Terms::of(settle), Time::ZERO);
        let credential = Credential { state, epoch, renewed, fruitless, grant, ends: grant_ends, ..fresh };
        CredentialRecord { slow_until, note, ..CredentialRecord::new(credential) }
    }
}

#[cfg(test)]
mod tests {
    use outlast_state::{CredentialInput, Token};

    use super::*;
    use crate::records::{decode, put};
    use crate::store::codec::{self, Damage};
    use crate::store::{Key, Writes};

    #[test]
    fn a_credential_of_version_one_is_read_and_written_as_the_newest() {
        let at = Time::from_millis;
        let serving = Token::minted(Epoch::from_number(3), at(5), at(500));
        let state = CredentialState::Current { serving, next: None };
        let (epoch, grant, settle) = (serving.epoch, Grant::Alive, Span::from_secs(600));
        let held = Held { state, epoch, renewed: at(5), fruitless: 1, grant, settle };
        let inputs = [
            Input::Authorised { issued: at(1), expires: at(9) },
            Input::ConfigurationChanged { settle },
            Input::Renewed { from: epoch, issued: at(2), expires: at(3) },
            Input::Accepted { epoch, sent: at(4) },
        ];
        let entries = inputs.into_iter().map(|input| Entry { at: at(1), input, repeats: 2 }).collect();
        let journal = Journal { snapshot: held, entries };
        let first = First { credential: held, journal, slow_until: at(7), grant_ends: at(900), note: "n".into() };
        let (key, mut writes) = (Key::Credential("acme".into()), Writes::new());
        put(key.clone(), &first, &mut writes);
        let read: CredentialRecord = decode(&key, writes.get(&key).flatten().unwrap()).unwrap();
        assert_eq!((read.credential.state, read.credential.epoch), (state, epoch));
        assert_eq!((read.credential.ends, read.credential.renewed, read.credential.fruitless), (at(900), at(5), 1));
        assert_eq!((read.slow_until, read.note.as_str(), read.journal.fold()), (at(7), "n", read.credential));
        assert_eq!(read.credential.step(CredentialInput::Interrupted, at(8)), read.credential);
        read.put("acme", &mut writes);
        let bytes = writes.get(&key).flatten().unwrap();
        assert_eq!(codec::open(&key, bytes).map(|(version, _)| version), Ok(2));
        assert_eq!(decode(&key, bytes), Ok(read));
        let newer = codec::seal(&key, 3, &first);
        assert_eq!(decode::<CredentialRecord>(&key, &newer), Err(Damage::Version(3)));
    }
}
