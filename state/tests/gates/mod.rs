//! Every gate that is reached by any sequence of requests, answers and waits over a few moments of a token's life.

use std::collections::HashSet;

use outlast_state::laws::{GateFact, met};
use outlast_state::{Epoch, Evidence, Gate, Room, Span, Time, Token, TokenProof};

pub(crate) const EPOCH: Epoch = Epoch::NONE.next();
const ISSUED: Time = Time::from_millis(1_000_000);

/// Moments of a token's life, in milliseconds of its age: each wait of the gate is now over, now not, and it turns 60 s.
const AGES: [u64; 8] = [0, 1_999, 2_000, 24_000, 59_999, 60_000, 62_000, 66_500];

/// No more than this many requests are let fly at once, and no gate that lets so many more fly is opened further.
const MOST: u32 = 4;

pub(crate) fn moments() -> impl Iterator<Item = Time> {
    AGES.into_iter().map(|age| ISSUED.after(Span::from_millis(age)))
}

/// What may happen to a gate at `now`.
pub(crate) fn facts(now: Time) -> Vec<GateFact> {
    let mut all = Vec::new();
    for epoch in [EPOCH, EPOCH.next()] {
        all.push(GateFact::Sent { epoch });
        for sent in moments().filter(|sent| *sent <= now) {
            for evidence in [Evidence::Accepted, Evidence::Refused, Evidence::Nothing] {
                all.push(GateFact::Answered { epoch, sent, evidence });
            }
        }
    }
    all
}

/// How many requests fly once that is done, where the gate's user does it: it sends where there is room, and hears of
/// what it sent.
fn flying(gate: &Gate, fact: GateFact, now: Time, flying: u32) -> Option<u32> {
    let room = match gate.room(now) {
        Room::Open { requests, .. } => requests,
        Room::From(_) | Room::Full => 0,
    };
    match fact {
        GateFact::Sent { .. } if room > 0 && flying < MOST => flying.checked_add(1),
        GateFact::Answered { evidence: Evidence::Accepted, .. } if room > MOST => None,
        GateFact::Answered { .. } => flying.checked_sub(1),
        GateFact::Sent { .. } => None,
    }
}

/// All of them, found depth first.
pub(crate) fn reached() -> HashSet<(Gate, Time)> {
    let proofs = [TokenProof::Unproven { refusals: 0 }, TokenProof::Accepted { sent: Time::ZERO, refusals: 0 }];
    let fresh = proofs.map(|proof| Gate::of(&Token { proof, ..Token::minted(EPOCH, ISSUED, Time::NEVER) }));
    let mut open: Vec<(Gate, Time, u32)> = fresh.into_iter().map(|gate| (gate, ISSUED, 0)).collect();
    let mut known: HashSet<(Gate, Time, u32)> = open.iter().copied().collect();
    while let Some((gate, now, up)) = open.pop() {
        let own = |fact: &GateFact| matches!(fact, GateFact::Sent { epoch } | GateFact::Answered { epoch, .. } if *epoch == EPOCH);
        let stays = facts(now).into_iter().filter(own);
        let mut next: Vec<_> =
            stays.filter_map(|fact| Some((met(gate, fact, now), now, flying(&gate, fact, now, up)?))).collect();
        next.extend(moments().find(|later| *later > now).map(|later| (gate, later, up)));
        for moment in next {
            if known.insert(moment) {
                open.push(moment);
            }
        }
    }
    known.into_iter().map(|(gate, now, _)| (gate, now)).collect()
}
