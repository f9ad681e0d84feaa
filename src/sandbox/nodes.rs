//! The API's nodes: who serves a request, and when who learns of a token.

use super::choices::{NodePolicy, NotVisible, Visibility};
use super::draw::{between, draw, purpose};
use super::options::Switches;
use super::wire::Head;

/// The index of the node that serves the API request number `turn`; nothing if the request names a node that does not exist.
pub(super) fn serving(switches: &Switches, seed: u64, turn: u64, head: &Head) -> Option<usize> {
    let count = u64::try_from(switches.nodes.len()).unwrap_or(u64::MAX);
    let pick = |number: u64| usize::try_from(number.checked_rem(count)?).ok();
    match switches.node_policy {
        NodePolicy::RoundRobin => pick(turn),
        NodePolicy::SeededRandom => pick(draw(seed, &[purpose::NODE, turn])),
        NodePolicy::StickyByConnection => pick(draw(seed, &[purpose::NODE, head.tcp])),
        NodePolicy::Header => match head.header("x-sandbox-node") {
            Some(name) => switches.nodes.iter().position(|node| node == name),
            None => Some(0),
        },
    }
}

/// When each node learns of the access token `ordinal`, issued now; `None` is never.
pub(super) fn visible_at(switches: &Switches, seed: u64, ordinal: u32, now_ms: u64) -> Vec<Option<u64>> {
    let delay = |index: u64, name: &String| match &switches.visibility {
        _ if switches.never_visible_on.contains(name) => None,
        Visibility::Fixed(delays) => delays.get(name).copied().unwrap_or(Some(0)),
        Visibility::Uniform(span) => {
            let drawn = draw(seed, &[purpose::VISIBILITY, index, u64::from(ordinal)]);
            Some(between(span.min_ms, span.max_ms, drawn))
        }
        Visibility::Listed(lists) => {
            let listed = lists.get(&ordinal).and_then(|list| list.get(usize::try_from(index).ok()?));
            listed.copied().unwrap_or(Some(0))
        }
    };
    let delays = (0_u64..).zip(&switches.nodes).map(|(index, name)| delay(index, name));
    delays.map(|delay| delay.map(|ms| now_ms.saturating_add(ms))).collect()
}

/// What the node says about a token that it has not learnt, drawn for the API request number `turn`.
pub(super) fn not_visible(switches: &Switches, seed: u64, turn: u64) -> NotVisible {
    let weights = &switches.not_visible_code;
    let total: u64 = weights.values().map(|weight| u64::from(*weight)).sum();
    let mut left = between(0, total.saturating_sub(1), draw(seed, &[purpose::REFUSAL, turn]));
    for (code, weight) in weights {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return *code,
        }
    }
    NotVisible::Revoked
}
