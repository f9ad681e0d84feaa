//! What happened when, from the provider's log and the kills: the data of both pictures.

use super::audit::Audit;
use super::play::Kill;

/// Times are milliseconds since the first event was offered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    pub(super) title: String,
    /// How long it took.
    pub(super) length: u64,
    pub(super) applied: Vec<u64>,
    pub(super) refused: Vec<u64>,
    /// In the order of time.
    pub(super) marks: Vec<Mark>,
    /// From when until when nodes did not know the new token.
    pub(super) spread: Option<(u64, u64)>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Revoked,
    Refreshed,
    Killed,
    Restarted,
}

impl What {
    pub(super) fn words(self) -> &'static str {
        match self {
            What::Revoked => "token revoked",
            What::Refreshed => "token refreshed",
            What::Killed => "engine killed (SIGKILL)",
            What::Restarted => "engine ready again",
        }
    }
}

impl Timeline {
    pub(super) fn new(title: String, audit: &Audit, kills: &[Kill], began_ms: u64, ended_ms: u64) -> Self {
        let since = |ms: u64| ms.saturating_sub(began_ms);
        let mark = |what| move |ms: u64| Mark { at: since(ms), what };
        let mut marks: Vec<Mark> = audit.revoked_ms.into_iter().map(mark(What::Revoked)).collect();
        // A rule that refreshes on every refusal has a thousand of them; the first is the one to see.
        marks.extend(audit.refreshed_ms.first().copied().map(mark(What::Refreshed)));
        for kill in kills {
            marks.push(mark(What::Killed)(kill.at_ms));
        }
        marks.extend(kills.last().map(|kill| mark(What::Restarted)(kill.ready_ms)));
        marks.sort_by_key(|mark| mark.at);
        let refreshed = audit.refreshed_ms.first().copied();
        let spread = refreshed.zip(audit.renewed_refused_ms.max(audit.renewed_applied_ms));
        Timeline {
            title,
            length: since(ended_ms).max(1),
            applied: audit.applied_ms.iter().copied().map(since).collect(),
            refused: audit.refused_ms.iter().copied().map(since).collect(),
            marks,
            spread: spread.map(|(from, to)| (since(from), since(to))),
        }
    }

    /// How many a second there were of these, in each of `columns` equal parts of the time.
    pub(super) fn rates(&self, times: &[u64], columns: u32) -> Vec<f64> {
        let columns = columns.max(1);
        let mut counts = vec![0_u32; usize::try_from(columns).unwrap_or(1)];
        for time in times {
            let column = self.column(*time, columns);
            if let Some(count) = usize::try_from(column).ok().and_then(|column| counts.get_mut(column)) {
                *count = count.saturating_add(1);
            }
        }
        let seconds = number(self.length) / 1000.0 / f64::from(columns);
        counts.into_iter().map(|count| f64::from(count) / seconds).collect()
    }

    /// In which of `columns` equal parts a time lies.
    pub(super) fn column(&self, time: u64, columns: u32) -> u32 {
        let column = time.saturating_mul(u64::from(columns)).checked_div(self.length).unwrap_or(0);
        u32::try_from(column).unwrap_or(u32::MAX).min(columns.saturating_sub(1))
    }

    /// The most that were applied in any second.
    pub(super) fn peak(&self) -> u64 {
        let mut times = self.applied.clone();
        times.sort_unstable();
        let mut most = 0;
        let mut first = 0;
        for (last, time) in times.iter().enumerate() {
            while times.get(first).is_some_and(|early| early.saturating_add(1000) <= *time) {
                first = first.saturating_add(1);
            }
            most = most.max(last.saturating_sub(first).saturating_add(1));
        }
        u64::try_from(most).unwrap_or(u64::MAX)
    }
}

/// A count or a time as a number that can be drawn. Nothing drawn here is near the limit.
pub(super) fn number(value: u64) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}

/// Thousands set apart.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli::demo) fn example() -> Timeline {
        let audit = Audit {
            applied_ms: (0..400)
                .map(|number: u64| number.saturating_mul(10).saturating_add(1_000))
                .chain((0..600).map(|number: u64| number.saturating_mul(7).saturating_add(12_000)))
                .collect(),
            refused_ms: vec![5_050, 5_060, 6_000, 9_000],
            refreshed_ms: vec![5_150],
            revoked_ms: Some(5_000),
            renewed_refused_ms: Some(11_000),
            ..Audit::default()
        };
        let kill = Kill { at_ms: 13_000, ready_ms: 13_400, ..Kill::default() };
        Timeline::new("An <example> & its end".into(), &audit, &[kill], 1_000, 17_000)
    }

    #[test]
    fn marks_are_in_order_and_relative() {
        let timeline = example();
        let marks: Vec<(u64, What)> = timeline.marks.iter().map(|mark| (mark.at, mark.what)).collect();
        let expected =
            [(4_000, What::Revoked), (4_150, What::Refreshed), (12_000, What::Killed), (12_400, What::Restarted)];
        assert_eq!(marks, expected);
        assert_eq!(timeline.spread, Some((4_150, 10_000)));
    }

    #[test]
    fn rates_add_up_to_what_happened() {
        let timeline = example();
        for columns in [1, 7, 60, 5_000] {
            let rates = timeline.rates(&timeline.applied, columns);
            let sum: f64 = rates.iter().map(|rate| rate * 16.0 / f64::from(columns)).sum();
            assert!((sum - 1000.0).abs() < 0.001, "{columns}: {sum}");
        }
        assert_eq!(timeline.peak(), 143);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
