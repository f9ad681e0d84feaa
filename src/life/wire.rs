//! Between the engine's data and the local provider's.

use outlast_state::Time;

use crate::clock;
use crate::exchange::{Answer, Form, Method, NoAnswer};
use crate::sandbox::{Ending, Head, Incoming, Reply};

/// A request on its way, as it stands on the wire.
pub struct Outgoing {
    /// What the provider gets.
    pub incoming: Incoming,
}

impl Outgoing {
    /// A destination's request, without a token.
    #[cfg(feature = "cli")]
    pub(crate) fn bare(request: &crate::exchange::Request) -> Self {
        let headers = request.headers().iter().map(|(name, value)| (name.clone().into_owned(), value.clone()));
        Outgoing::new(request.method().as_str(), request.url(), headers, request.body())
    }

    pub(crate) fn new(
        method: &str,
        url: &url::Url,
        headers: impl IntoIterator<Item = (String, String)>,
        body: &[u8],
    ) -> Self {
        let head = Head {
            method: method.to_owned(),
            path: url.path().to_owned(),
            query: url.query().map(ToOwned::to_owned),
            headers: headers.into_iter().collect(),
            tcp: 1,
        };
        Outgoing { incoming: Incoming { head, body: body.to_vec().into() } }
    }

    /// A form on its way to an OAuth endpoint.
    pub(super) fn form(url: &url::Url, form: &Form) -> Self {
        let kind = ("content-type".to_owned(), form.content_type().to_owned());
        let client = form.authorization().map(|it| ("authorization".to_owned(), it.reveal().to_owned()));
        Outgoing::new(Method::Post.as_str(), url, [kind].into_iter().chain(client), &form.encoded())
    }
}

/// What the client makes of a reply that it received in full at `received`, or of one that broke off.
///
/// # Errors
/// Nothing came, or not all of it.
pub fn answered(reply: &Reply, received: Time) -> Result<Answer, NoAnswer> {
    let lost = |cause: &str| Err(NoAnswer::Lost { cause: cause.to_owned() });
    match reply.ending {
        Ending::Whole => {
            Ok(Answer { status: reply.status, headers: reply.headers.clone(), body: reply.body.to_vec(), received })
        }
        Ending::Cut(_) => lost("the answer broke off"),
        Ending::Reset => lost("the connection was reset"),
        Ending::Hang => lost("there was no answer in time"),
    }
}

/// Engine time after `elapsed_ms` of steady time, with the wall clock at `wall`: the rule of the system's clock.
#[must_use]
pub fn steady_time(now: Time, elapsed_ms: u64, wall: Time) -> Time {
    clock::advance(now, outlast_state::Span::from_millis(elapsed_ms), wall)
}

/// Where engine time starts when a store is opened: the rule of the system's clock.
#[must_use]
pub fn waking_time(stored: Time, wall: Time) -> Time {
    clock::started(stored, wall).0
}
