//! The provider in simulated time: the sandbox without its sockets, and the account of what it was asked.

use std::collections::HashMap;
use std::io::Write;

use super::line::{End, Line, Request, Token};
use super::scene::{ACCESS_TOKEN, START, Scene};
use super::tally::{Beside, Row, Tally};
use crate::cli::failure::Failure;
use crate::sandbox::{Incoming, Provider, Reply};

/// The provider, and what lies between it and its clients.
pub(super) struct Api<'a> {
    scene: Scene,
    provider: Provider,
    /// Requests that have left.
    left: u64,
    /// The ordinals of its tokens.
    tokens: HashMap<String, u32>,
    tally: Tally,
    log: Option<&'a mut dyn Write>,
}

/// A request to the API on its way, there and back.
pub(super) struct Flight {
    pub(super) incoming: Incoming,
    pub(super) delivery: u64,
    /// When that was accepted.
    pub(super) since: u64,
    pub(super) sent: u64,
}

impl<'a> Api<'a> {
    /// A provider whose first token is good.
    pub(super) fn new(scene: Scene, log: Option<&'a mut dyn Write>, now: u64) -> Result<Self, Failure> {
        let provider = Provider::new(scene.options()?, now).map_err(|why| Failure::new(why.to_string()))?;
        let tokens = HashMap::from([(ACCESS_TOKEN.to_owned(), 1)]);
        let mut api = Api { scene, provider, left: 0, tokens, tally: Tally::new(scene.run()), log };
        api.write(&Line::Run(scene.run()))?;
        Ok(api)
    }

    /// The first token is dead from now on, and nobody is told.
    pub(super) fn kill_token(&mut self, now: u64) -> Result<(), Failure> {
        self.provider.revoke_access(Some(1), now).map(drop).map_err(|why| Failure::new(why.to_string()))
    }

    /// How long the next request travels.
    pub(super) fn leg(&mut self) -> u64 {
        self.left = self.left.saturating_add(1);
        self.scene.leg(self.left)
    }

    /// A request arrives. Its answer does, on the other side, after [`Pace::before_ms`](crate::sandbox::Pace::before_ms).
    pub(super) fn answer(&mut self, incoming: &Incoming, now: u64) -> Reply {
        self.provider.respond(incoming, now)
    }

    /// The answer to a request of the API has arrived.
    pub(super) fn answered(&mut self, flight: &Flight, reply: &Reply, now: u64) -> Result<(), Failure> {
        self.provider.close(reply.ticket);
        let header = |name: &str| reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let bearer = flight.incoming.head.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        self.note(&Line::Request(Request {
            sent_ms: since_start(flight.sent),
            answered_ms: since_start(now),
            delivery: flight.delivery,
            waited_ms: now.saturating_sub(flight.since),
            token: bearer.and_then(|token| self.tokens.get(token)).copied().unwrap_or(0),
            node: header("x-li-fabric").unwrap_or_default(),
            status: Some(reply.status),
        }))
    }

    /// The answer to a request of the token endpoint has arrived. The token that it brings.
    pub(super) fn told_token(&mut self, sent: u64, reply: &Reply, now: u64) -> Result<Option<String>, Failure> {
        self.provider.close(reply.ticket);
        let token = token_in(reply);
        let minted = token.as_ref().map(|token| {
            let ordinal = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX).saturating_add(1);
            *self.tokens.entry(token.clone()).or_insert(ordinal)
        });
        let (sent_ms, answered_ms) = (since_start(sent), since_start(now));
        self.note(&Line::Token(Token { sent_ms, answered_ms, status: Some(reply.status), minted }))?;
        Ok(token)
    }

    fn note(&mut self, line: &Line) -> Result<(), Failure> {
        self.tally.take(line);
        self.write(line)
    }

    fn write(&mut self, line: &Line) -> Result<(), Failure> {
        let Some(log) = &mut self.log else { return Ok(()) };
        super::write(*log, line)
    }

    /// The run is over, with so many deliveries in all.
    ///
    /// The provider's own counts must agree with the account, or the account is worth nothing.
    pub(super) fn end(mut self, accepted: u64, now: u64) -> Result<(Row, Beside), Failure> {
        let end = End { at_ms: since_start(now), accepted };
        self.write(&Line::End(end))?;
        let counts = self.provider.summary();
        let ours = (self.tally.refreshes(), self.tally.refused(), self.tally.delivered());
        let theirs = (counts.refreshes_ok, counts.refused, counts.applied);
        if ours != theirs {
            let message = format!("the account has (refreshes, refused, delivered) {ours:?}, the provider {theirs:?}");
            return Err(Failure::new(message).help("this is a mistake of the program; please report it"));
        }
        Ok((self.tally.row(end), self.tally.beside()))
    }
}

fn token_in(reply: &Reply) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    body.get("access_token")?.as_str().map(str::to_owned)
}

fn since_start(at: u64) -> i64 {
    let (at, start) = (i64::try_from(at).unwrap_or(i64::MAX), i64::try_from(START).unwrap_or(i64::MAX));
    at.saturating_sub(start)
}
