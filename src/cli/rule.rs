//! Three rules for refused tokens that look reasonable. They know the answers and no history. `outlast demo --naive` has them
//! at work on a sandbox, `outlast sim storm` in simulated time.

use outlast_state::{Span, jittered};

/// What to do about a refused token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rule {
    /// Refresh, send once more at once, then drop
    RetryOnce,
    /// Never refresh on this code; send again later
    RetryLater,
    /// Refresh on every refusal; send again later
    RefreshEach,
}

/// What a rule does next with an event whose token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Asks for a token and sends it again at once.
    RefreshAndSend,
    /// Asks for a token and sends it again after a wait.
    RefreshAndWait,
    /// Sends it again after a wait.
    Wait,
    /// Gives it up.
    Drop,
}

/// The longest wait between two attempts, before jitter.
const LONGEST: Span = Span::from_secs(600);

impl Rule {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Rule::RetryOnce => "refresh on 401, retry once at once, then drop",
            Rule::RetryLater => "never refresh on this code, retry later",
            Rule::RefreshEach => "refresh on every such 401, retry later",
        }
    }

    /// What it does about a refusal. `again`: of what it has just sent again at once.
    pub(crate) fn refused(self, again: bool) -> Next {
        match self {
            Rule::RetryOnce if again => Next::Drop,
            Rule::RetryOnce => Next::RefreshAndSend,
            Rule::RetryLater => Next::Wait,
            Rule::RefreshEach => Next::RefreshAndWait,
        }
    }
}

/// How long the event of this number waits after `tries` attempts, not counting the last: 2^k seconds, jittered, at most ten
/// minutes.
pub(crate) fn wait(tries: u32, event: u64) -> Span {
    let doubled = Span::from_secs(1_u64.checked_shl(tries.saturating_add(1)).unwrap_or(u64::MAX));
    jittered(doubled.min(LONGEST), event, u64::from(tries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_does_what_its_words_say() {
        assert_eq!([false, true].map(|again| Rule::RetryOnce.refused(again)), [Next::RefreshAndSend, Next::Drop]);
        assert_eq!(Rule::RetryLater.refused(false), Next::Wait);
        assert_eq!(Rule::RefreshEach.refused(false), Next::RefreshAndWait);
    }

    #[test]
    fn waits_double_up_to_ten_minutes() {
        for (tries, least) in [(0, 2), (1, 4), (8, 512), (9, 600), (63, 600), (64, 600), (u32::MAX, 600)] {
            let (least, waits) = (Span::from_secs(least), wait(tries, 7));
            assert!(least <= waits && waits.as_millis() <= least.as_millis() * 5 / 4, "{tries}: {waits}");
        }
    }
}
