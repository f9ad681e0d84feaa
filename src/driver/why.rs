//! What a delivery waits for, in sentences: from the delivery to its cause.

use outlast_state::{
    Credential, CredentialState, Delivery, Epoch, Held, Input, Load, Need, Offer, Reason, Room, Span, State, Then,
    Time, Token, TokenProof, Verdict, Want, Why,
};

use super::machines::Machines;
use super::shown::reason_in_words;
use crate::admission::Place;
use crate::alert::cause_in_words;
use crate::oauth::GrantKind;
use crate::records::DeliveryRecord;

impl Machines {
    /// What it waits for, since when, and what would release it.
    pub(super) fn why(&self, record: &DeliveryRecord, now: Time) -> Vec<String> {
        let delivery = record.delivery;
        let mut sentences = stands(record, now);
        match delivery.wants() {
            Want::Nothing => return sentences,
            Want::Answer { by, .. } => {
                sentences.extend(in_the_air(&delivery, by, now));
                return sentences;
            }
            Want::Admission { from } if from > now => {
                sentences.push(format!("It may be sent again in {}.", from.since(now)));
            }
            Want::Admission { .. } => sentences.push("It may be sent as soon as there is room.".into()),
            Want::Token { past } => sentences.push(format!("It needs a token newer than epoch {past}.")),
        }
        sentences.extend(self.held_back(record, now));
        if !record.note.is_empty() {
            sentences.push(format!("The last answer: {}.", record.note.trim_end_matches('.')));
        }
        sentences.push(given_up(&delivery, now));
        sentences
    }

    /// What beside its own state keeps a waiting delivery: a pause, its lane, its credential, the gate, its destination.
    fn held_back(&self, record: &DeliveryRecord, now: Time) -> Vec<String> {
        let mut sentences = Vec::new();
        let (id, destination, lane) = (record.delivery.id, record.destination.as_str(), record.lane.as_deref());
        if self.is_unmet(record) {
            sentences.push("The engine has just started and has not come to it yet.".into());
        }
        if let Some(scope) = self.is_paused(destination, lane) {
            sentences.push(format!("An operator paused {scope}; resuming it releases the delivery."));
        }
        let Some(outlet) = self.settings.outlets.get(destination) else {
            sentences.push(format!(
                "Its destination {destination} is not in the configuration any more; put it back, or cancel."
            ));
            return sentences;
        };
        let queue = self.queues.get(destination);
        if let Some(head) = lane.and_then(|lane| queue.and_then(|queue| queue.head_before(id, lane))) {
            sentences.push(format!("Delivery {head} is before it in its lane and has not ended."));
        }
        sentences.extend(self.why_cut_off(destination, now));
        let busy = queue.map_or(0, |queue| queue.in_flight);
        if let Some(most) = outlet.outdated(record.accepted, now) {
            sentences.push(format!(
                "Its provider takes events of at most {most}: it fails with that reason when its turn comes, without a request."
            ));
        }
        if let Some((queue, name)) = queue.zip(outlet.credential.as_deref())
            && !self.is_parked(destination)
            && let Some(waiting) = Place::of(record.delivery.wants()).and_then(|place| queue.backlog_around(place))
        {
            sentences.push(format!(
                "It waited while credential {name} was dead. The {waiting} that did leave in order, one request in four \
                 while newer work is due, and half of the slots otherwise."
            ));
        }
        if busy >= outlet.concurrency {
            sentences.push(format!("All {busy} requests that may be in the air for {destination} are."));
        }
        if let Some(name) = outlet.credential.as_deref() {
            sentences.extend(self.why_credential(name, now));
        }
        if self.settings.hold {
            sentences.push("No engine is running: `outlast serve` sends it.".into());
        }
        sentences
    }

    /// How a credential stands, in a sentence or two.
    pub(super) fn credential_stands(&self, name: &str, now: Time) -> Vec<String> {
        let Some(keeper) = self.credentials.get(name) else {
            return vec![format!(
                "Its credential {name} is not in the configuration any more; put it back, or cancel."
            )];
        };
        let credential = keeper.record.credential;
        if keeper.quarantined {
            return vec![
                format!("Credential {name}: its record in the store does not verify, and it counts as dead."),
                format!("`outlast auth import {name}` writes a new one and releases what waits for it."),
            ];
        }
        let mut sentences = match credential.offer(now) {
            Offer::Token(token) => vec![serving(name, &token, &credential, now)],
            Offer::Expired { past } => {
                vec![format!("Credential {name}: the token of epoch {past} is expired and is replaced.")]
            }
            Offer::Refreshing => vec![refreshing(name, &credential, now)],
            Offer::Dead => {
                let grant = self.settings.profiles.get(name).map(|profile| profile.grant);
                dead(name, &credential, grant, now)
            }
        };
        if keeper.record.slow_until > now {
            sentences.push(format!("The provider throttles it for another {}.", keeper.record.slow_until.since(now)));
        }
        if let (Offer::Token(token), Some(gate)) = (credential.offer(now), keeper.gate)
            && gate.epoch() == token.epoch
        {
            match gate.room(now) {
                Room::From(at) => sentences
                    .push(format!("Its gate lets one request at a time through, the next in {}.", at.since(now))),
                Room::Full => sentences.push("As many requests as its gate allows are in the air.".into()),
                Room::Open { .. } => {}
            }
        }
        sentences
    }
}

fn stands(record: &DeliveryRecord, now: Time) -> Vec<String> {
    let (delivery, to) = (record.delivery, record.destination.as_str());
    let (attempts, since) = (delivery.attempt.count(), now.since(record.accepted));
    match delivery.state {
        State::Pending { .. } if attempts == 0 => vec![format!("Accepted {since} ago for {to}, and not sent yet.")],
        State::Pending { .. } => {
            vec![format!("Accepted {since} ago for {to}; {} did not deliver it.", counted(attempts, "attempt"))]
        }
        State::Sending { epoch, .. } => {
            vec![format!("Attempt {attempts} to {to} is in the air{}.", carrying(epoch))]
        }
        State::AwaitingPropagation { epoch, .. } => vec![
            format!(
                "The token of epoch {epoch} was refused at attempt {attempts}, which means nothing yet: a node of the \
                 provider may not have heard of it."
            ),
            "The same token is tried again.".into(),
        ],
        State::Refreshing { rejected } => {
            vec![format!("The token of epoch {rejected} was refused at attempt {attempts}, and is no longer good.")]
        }
        State::Done { at, .. } => vec![format!("Delivered {} ago, at attempt {attempts}.", now.since(at))],
        State::Failed { at, reason, in_doubt } => {
            let reason = reason_in_words(reason, record);
            let failed = format!("Failed {} ago: {}.", now.since(at), reason.trim_end_matches('.'));
            let doubt = in_doubt.then(|| "The destination may have it all the same.".to_owned());
            std::iter::once(failed).chain(doubt).collect()
        }
    }
}

/// What becomes of a delivery that is in the air.
fn in_the_air(delivery: &Delivery, by: Time, now: Time) -> Vec<String> {
    let left = by.since(now);
    let State::Sending { then: Then::Stop { reason }, .. } = delivery.state else {
        return vec![
            format!("If no answer comes within {left}, the request counts as lost and is made again."),
            given_up(delivery, now),
        ];
    };
    let came = if reason == Reason::Cancelled { "It was cancelled" } else { "Its deadline passed" };
    vec![format!("{came} meanwhile: it is given up unless the answer, due within {left}, accepts it.")]
}

fn given_up(delivery: &Delivery, now: Time) -> String {
    let (left, spent) = (delivery.deadline.since(now), delivery.spent);
    if left == Span::ZERO {
        return "Its deadline has passed, and it is given up after one more chance.".into();
    }
    let budget = counted(delivery.budget, "failed attempt");
    format!("It is given up in {left}, or after {budget} (so far {spent}).")
}

/// Which token a request carries, where it carries one.
fn carrying(epoch: Epoch) -> String {
    if epoch == Epoch::NONE { String::new() } else { format!(" with the token of epoch {epoch}") }
}

/// `1 request`, `2 requests`.
pub(super) fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn serving(name: &str, token: &Token, credential: &Credential, now: Time) -> String {
    let (epoch, age) = (token.epoch, token.age(now));
    let settles = token.issued.after(credential.terms.settle).since(now);
    match token.proof {
        TokenProof::Unproven { refusals: 0 } => {
            format!(
                "Credential {name} serves epoch {epoch}, minted {age} ago, and no request with it was answered yet."
            )
        }
        TokenProof::Unproven { refusals } => {
            let refused = counted(refusals, "request");
            let then = if credential.is_questioned() {
                "what its issuer says of it decides, and no refusal replaces it".to_owned()
            } else if settles == Span::ZERO {
                "one more refusal replaces it".to_owned()
            } else {
                format!("it is not replaced for the next {settles}, since it may still be spreading")
            };
            format!(
                "Credential {name} serves epoch {epoch}, minted {age} ago, with {refused} refused and none accepted; {then}."
            )
        }
        TokenProof::Accepted { refusals: 0, .. } => {
            format!("Credential {name} serves epoch {epoch}, minted {age} ago, and it works.")
        }
        TokenProof::Accepted { refusals, .. } => {
            let refused = counted(refusals, "time");
            format!(
                "Credential {name} serves epoch {epoch}, minted {age} ago; it was accepted before, then refused {refused} \
                 in a row."
            )
        }
    }
}

fn refreshing(name: &str, credential: &Credential, now: Time) -> String {
    let CredentialState::Refreshing { tries, not_before, why, held, .. } = credential.state else {
        return String::new();
    };
    let because = match why {
        Need::Refused => "was refused",
        Need::Expired => "is expired",
        Need::Planned => "is due for renewal",
        Need::Scope => "lacks a scope that its grant should have",
        Need::Reconfigured => "could not be renewed before the configuration was changed",
    };
    let epoch = match held {
        Held::Serving(token) | Held::Lost(token) => token.epoch,
    };
    let next = if not_before > now {
        format!("the next try is in {}", not_before.since(now))
    } else {
        "the request is out".into()
    };
    let so_far = if tries == 0 { String::new() } else { format!("{} had no outcome, and ", counted(tries, "request")) };
    format!("Credential {name} is being refreshed because its token of epoch {epoch} {because}; {so_far}{next}.")
}

fn dead(name: &str, credential: &Credential, grant: Option<GrantKind>, now: Time) -> Vec<String> {
    let CredentialState::Dead { cause, since } = credential.state else { return Vec::new() };
    let why = cause_in_words(cause, grant == Some(GrantKind::Static));
    let then = match grant {
        Some(GrantKind::Static) => {
            "Another token in the configuration, and a start with it, releases what waits for it.".to_owned()
        }
        Some(GrantKind::ClientCredentials | GrantKind::JwtBearer) => {
            format!("`outlast auth login {name}` asks for a token anew and releases what waits for it.")
        }
        Some(GrantKind::AuthorizationCode) | None => {
            format!("`outlast auth login {name}`, or `outlast auth import {name}`, releases what waits for it.")
        }
    };
    vec![format!("Credential {name} {why} (since {}).", now.since(since)), then]
}

/// An input in words, for the journal.
pub(super) fn input_in_words(input: &Input) -> String {
    match input {
        Input::Admitted { attempt, epoch, of, .. } => {
            format!("attempt {attempt} begun{}, in a request of {of}", carrying(*epoch))
        }
        Input::Answered { attempt, verdict, .. } => format!("attempt {attempt}: {}", verdict_in_words(verdict)),
        Input::Interrupted { attempt, clean: true, .. } => format!("attempt {attempt}: given up by a clean stop"),
        Input::Interrupted { attempt, clean: false, .. } => format!("attempt {attempt}: interrupted by a crash"),
        Input::DeadlinePassed => "the deadline passed".into(),
        Input::Cancelled => "cancelled".into(),
        Input::Redriven { budget, .. } => format!("redriven, with a budget of {budget}"),
    }
}

fn verdict_in_words(verdict: &Verdict) -> String {
    let asked = |after: Span| if after == Span::ZERO { String::new() } else { format!(", and asks for {after}") };
    match verdict {
        Verdict::Accepted { receipt } => format!("accepted with status {}", receipt.status),
        Verdict::Busy { after, load: Load::Throttled } => format!("the provider throttles{}", asked(*after)),
        Verdict::Busy { after, load: Load::Failing } => format!("the destination fails{}", asked(*after)),
        Verdict::NotYet { after } => format!("not yet{}", asked(*after)),
        Verdict::TokenRefused => "the token was refused".into(),
        Verdict::Refused { why: Why::Invalid } => "invalid, so it was not sent".into(),
        Verdict::Refused { why: Why::Rejected { status } } => format!("rejected with status {status}"),
        Verdict::Split => "the batch was refused as a whole; smaller ones are tried".into(),
        Verdict::Unknown => "no answer; it may have arrived".into(),
    }
}

#[cfg(test)]
pub(super) mod tests;
