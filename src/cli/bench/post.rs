//! The bench's own destination: it posts a body as it is, and notes when the API had it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast_state::{Load, Receipt, Span, Verdict};
use tokio::sync::Notify;
use url::Url;

use super::event;
use crate::clock::Stopwatch;
use crate::destination::{Conclusion, Conversation, Destination, Turn};
use crate::exchange::{Method, Request};

/// Posts to one address.
pub(super) struct Post {
    url: Url,
    bearer: bool,
    record: Option<Arc<Record>>,
}

impl Post {
    pub(super) fn new(url: Url) -> Self {
        Post { url, bearer: false, record: None }
    }

    /// Sends the credential's token along.
    pub(super) fn bearer(mut self) -> Self {
        self.bearer = true;
        self
    }

    /// Notes there when an event is delivered.
    pub(super) fn record(mut self, record: &Arc<Record>) -> Self {
        self.record = Some(Arc::clone(record));
        self
    }
}

/// The request that carries this event: the engine's and the baseline's are the same.
pub(super) fn request(url: &Url, body: &[u8]) -> Request {
    Request::new(Method::Post, url.clone()).content("application/json", body)
}

impl Destination for Post {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let body = conversation.items.first().map(|item| item.body).unwrap_or_default();
        let Some(exchange) = conversation.so_far.last() else {
            let request = request(&self.url, body);
            return Turn::Ask(if self.bearer { request.bearer() } else { request });
        };
        let answer = &exchange.answer;
        let (verdict, detail) = if answer.is_success() {
            if let (Some(record), Some(number)) = (&self.record, event::number(body)) {
                record.delivered(number);
            }
            (Verdict::Accepted { receipt: Receipt { status: answer.status } }, String::new())
        } else {
            let verdict = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
            (verdict, format!("the sink answered {}", answer.status))
        };
        Turn::Conclude(vec![Conclusion::new(verdict, detail)])
    }
}

/// When each event was due, accepted and delivered, in nanoseconds of one stopwatch. 0 is not yet.
pub(super) struct Record {
    pub(super) watch: Stopwatch,
    events: Vec<Moments>,
    left: AtomicU64,
    over: Notify,
}

#[derive(Default)]
struct Moments {
    due: AtomicU64,
    accepted: AtomicU64,
    delivered: AtomicU64,
}

impl Record {
    /// For the events with the numbers below `events`.
    pub(super) fn of(events: u64) -> Arc<Self> {
        let count = usize::try_from(events).unwrap_or(usize::MAX);
        let moments = std::iter::repeat_with(Moments::default).take(count).collect();
        Arc::new(Record {
            watch: Stopwatch::start(),
            events: moments,
            left: AtomicU64::new(events),
            over: Notify::new(),
        })
    }

    fn moments(&self, number: u64) -> Option<&Moments> {
        usize::try_from(number).ok().and_then(|number| self.events.get(number))
    }

    fn now(&self) -> u64 {
        nanos(self.watch.elapsed())
    }

    /// It is offered now.
    pub(super) fn begin(&self, number: u64) {
        self.due_at(number, self.watch.elapsed());
    }

    /// It was to be offered at this moment, whatever kept it.
    pub(super) fn due_at(&self, number: u64, at: Duration) {
        if let Some(moments) = self.moments(number) {
            moments.due.store(nanos(at), Ordering::Relaxed);
        }
    }

    /// `submit` returned.
    pub(super) fn accepted(&self, number: u64) {
        if let Some(moments) = self.moments(number) {
            moments.accepted.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The API has it. Only the first time counts.
    fn delivered(&self, number: u64) {
        let Some(moments) = self.moments(number) else { return };
        if moments.delivered.swap(self.now(), Ordering::Relaxed) == 0 && self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.over.notify_waiters();
        }
    }

    /// How many there are in all.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    /// How many are not delivered yet.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Waits until the API has them all.
    pub(super) async fn all_delivered(&self) {
        let notified = self.over.notified();
        if self.left() > 0 {
            notified.await;
        }
    }

    /// How long `submit` took, from when each was due, for those that were accepted.
    pub(super) fn accepting(&self) -> Vec<Duration> {
        self.spans(|moments| &moments.accepted)
    }

    /// How long it took from when each was due until the API had it.
    pub(super) fn delivering(&self) -> Vec<Duration> {
        self.spans(|moments| &moments.delivered)
    }

    /// That, for those that were due between these moments.
    pub(super) fn delivering_due(&self, from: Duration, to: Duration) -> Vec<Duration> {
        let (from, to) = (nanos(from), nanos(to));
        let within = self.ended(|moments| &moments.delivered).filter(|(due, _)| (from..to).contains(due));
        within.map(|(due, end)| Duration::from_nanos(end.saturating_sub(due))).collect()
    }

    fn spans(&self, until: impl Fn(&Moments) -> &AtomicU64) -> Vec<Duration> {
        self.ended(until).map(|(due, end)| Duration::from_nanos(end.saturating_sub(due))).collect()
    }

    /// When each delivered event was delivered, counted from when the first was due, and how long it had been under way.
    pub(super) fn deliveries(&self) -> Vec<(Duration, Duration)> {
        let all: Vec<(u64, u64)> = self.ended(|moments| &moments.delivered).collect();
        let first = all.iter().map(|(due, _)| *due).min().unwrap_or(0);
        let since = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
        all.into_iter().map(|(due, end)| (since(first, end), since(due, end))).collect()
    }

    fn ended(&self, until: impl Fn(&Moments) -> &AtomicU64) -> impl Iterator<Item = (u64, u64)> {
        let both =
            move |moments: &Moments| (moments.due.load(Ordering::Relaxed), until(moments).load(Ordering::Relaxed));
        self.events.iter().map(both).filter(|(_, end)| *end > 0)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_each_event_once() {
        let record = Record::of(2);
        record.due_at(0, Duration::ZERO);
        record.delivered(0);
        record.delivered(0);
        record.delivered(9);
        assert_eq!((record.left(), record.delivering().len(), record.accepting().len()), (1, 1, 0));
        record.accepted(0);
        record.delivered(1);
        assert_eq!((record.left(), record.delivering().len(), record.accepting().len()), (0, 2, 1));
    }
}
