//! An answer's body as it goes out: at once, in drips, or not all of it.

use super::server::{Closing, Shared};
use super::wire::{Ending, Pace};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body that follows its steps. The request counts as in flight until it is dropped.
pub(super) struct Paced {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    left: u64,
    shared: Arc<Shared>,
    _closing: Closing,
}

enum Step {
    Wait(u64),
    Send(Bytes),
    /// Lets what was sent so far reach the socket.
    Flush,
    Fail,
}

impl Paced {
    pub(super) fn new(body: &Bytes, pace: Pace, ending: Ending, shared: Arc<Shared>, closing: Closing) -> Self {
        let mut steps = VecDeque::new();
        match ending {
            Ending::Cut(after) => {
                steps.push_back(Step::Send(body.slice(..after.min(body.len()))));
                steps.extend([Step::Flush, Step::Fail]);
            }
            _ => pieces(body, pace, &mut steps),
        }
        let left = length(body);
        Self { steps, waiting: None, left, shared, _closing: closing }
    }
}

fn pieces(body: &Bytes, pace: Pace, steps: &mut VecDeque<Step>) {
    let count = usize::try_from(pace.pieces).unwrap_or(usize::MAX).max(1);
    let size = body.len().div_ceil(count);
    let mut rest = body.clone();
    while !rest.is_empty() {
        if pace.between_ms > 0 {
            steps.push_back(Step::Wait(pace.between_ms));
        }
        steps.push_back(Step::Send(rest.split_to(size.min(rest.len()))));
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                std::task::ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Wait(ms)) => {
                    let shared = Arc::clone(&self.shared);
                    self.waiting = Some(Box::pin(async move { shared.wait(ms).await }));
                }
                Some(Step::Send(bytes)) => {
                    self.left = self.left.saturating_sub(length(&bytes));
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Fail) => return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
