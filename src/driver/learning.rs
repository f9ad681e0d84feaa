//! What an answer shows about the credential that its request carried: evidence for its machine, clues for people, lessons
//! about its provider; pure.

use outlast_state::{Came, CredentialInput, Epoch, Evidence, Lack, Load, Span, Verdict, YOUNG};
use tracing::info;

use super::acts::Turn;
use super::machines::Machines;
use super::turn::{Ending, Report};
use crate::oauth;
use crate::records::{self, LearnedRecord};
use crate::store::Key;

/// A 429 that does not say how long holds the credential back for this long.
const SHORTEST_SLOWDOWN: Span = Span::from_secs(1);

impl Machines {
    /// What a request's answer shows about the credential.
    pub(super) fn learn(&mut self, report: &Report, turn: &mut Turn) {
        let (epoch, sent) = (report.epoch, report.sent);
        let Some(name) = report.credential.as_deref() else { return };
        if let Some(keeper) = self.credentials.get_mut(name) {
            let evidence = report.showing.evidence;
            for gate in [&mut keeper.gate, &mut keeper.trial] {
                *gate = gate.map(|gate| gate.answered(epoch, sent, evidence, turn.now));
            }
        }
        self.poke_blocked(name);
        self.sight(name, report, turn);
        match report.showing.evidence {
            Evidence::Accepted => self.credential(name, CredentialInput::Accepted { epoch, sent }, turn),
            Evidence::Refused => self.credential(name, CredentialInput::TokenRefused { epoch, sent }, turn),
            Evidence::Nothing if report.showing.lacks_scope => {
                self.credential(name, CredentialInput::ScopeMissing { epoch }, turn)
            }
            Evidence::Nothing => None,
        };
        let throttled = report.items.iter().filter_map(|told| match told.ending {
            Ending::Verdict(Verdict::Busy { after, load: Load::Throttled }) => Some(after.max(SHORTEST_SLOWDOWN)),
            _ => None,
        });
        if let Some(wait) = throttled.max() {
            let until = turn.now.after(wait);
            info!(credential = name, wait = %wait, "the provider throttles; the whole credential waits");
            self.touch(name, turn, |keeper| keeper.record.slow_until = keeper.record.slow_until.max(until));
        }
    }

    /// The clues of an answer. They are written when they say anything new, which a busy credential's rarely do.
    fn sight(&mut self, name: &str, report: &Report, turn: &mut Turn) {
        let Some(keeper) = self.credentials.get_mut(name) else { return };
        let (showing, credential) = (&report.showing, keeper.record.credential);
        let clues = &mut keeper.record.clues;
        let (epoch, sent) = (report.epoch, report.sent);
        let mut news = clues.heard(&credential, epoch, sent, showing.evidence, showing.node.as_deref());
        if showing.lacks_scope {
            news |= clues.lacks(epoch, sent);
        }
        if news {
            turn.dirty_credentials.insert(name.to_owned());
        }
        self.take_lessons(name, turn);
    }

    /// Takes in what tokens teach whose time to spread is over: once for each of them.
    pub(super) fn take_lessons(&mut self, name: &str, turn: &mut Turn) {
        let Some((keeper, profile)) = self.credentials.get_mut(name).zip(self.settings.profiles.get(name)) else {
            return;
        };
        let Some(lesson) = keeper.record.clues.lesson(profile.settle, profile.young, turn.now) else { return };
        turn.dirty_credentials.insert(name.to_owned());
        let learned = self.learned.entry(profile.name.clone()).or_default();
        learned.take(&lesson, turn.now);
        let record = LearnedRecord { learned: learned.clone() };
        records::put(Key::Learned(profile.name.clone()), &record, &mut turn.writes);
    }

    /// The age below which a credential's new token is tried by one canary at a time: what was learned of its provider,
    /// within what the profile says.
    pub(crate) fn young(&self, credential: &str) -> Span {
        let Some(profile) = self.settings.profiles.get(credential) else { return YOUNG };
        let learned = self.learned.get(&profile.name);
        learned.map_or(profile.young, |learned| learned.young(profile.young, profile.settle))
    }

    /// A token request has ended.
    pub(super) fn request_came(&mut self, name: &str, from: Epoch, came: Came, turn: &mut Turn) {
        let now = turn.now;
        self.touch(name, turn, |keeper| keeper.record.clues.asked(from, came, now));
    }

    /// A token was brought, and the token endpoint said what it permits, or did not. Where that is less than the profile asks
    /// for, it is as if an answer had said so: another may have it. What the one before lacked likewise, after another was
    /// minted for it, is the grant's own, and not minted for again.
    pub(super) fn sight_grant(&mut self, name: &str, epoch: Epoch, scopes: Option<&str>, turn: &mut Turn) {
        let Some((keeper, profile)) = self.credentials.get_mut(name).zip(self.settings.profiles.get(name)) else {
            return;
        };
        let record = &mut keeper.record;
        let missed = |scopes: Option<&str>| scopes.map(|scopes| oauth::missing(profile, scopes)).unwrap_or_default();
        let (before, after) = (missed(record.clues.scopes.as_deref()), missed(scopes));
        let in_vain =
            matches!(record.credential.lack, Lack::Minted { .. }) && after.iter().all(|one| before.contains(one));
        let lacks = !after.is_empty();
        if let Some(token) = record.credential.token(epoch) {
            record.clues.minted(&token);
        }
        record.clues.granted(scopes);
        if lacks {
            info!(credential = name, epoch = epoch.number(), "the token permits less than is asked for");
            record.clues.lacks(epoch, turn.now);
        }
        turn.dirty_credentials.insert(name.to_owned());
        self.take_lessons(name, turn);
        if lacks && !in_vain {
            self.credential(name, CredentialInput::ScopeMissing { epoch }, turn);
        }
    }
}
