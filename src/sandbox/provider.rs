//! The provider without sockets: a request and the time in, an answer and its manner out.

use super::audit::{self, Line, Recent};
use super::choices::NotVisible;
use super::draw::{between, draw, opaque, purpose};
use super::faults::{Action, Rules, Sight};
use super::field::FieldError;
use super::manner::Manner;
use super::nodes;
use super::oauth;
use super::options::{Options, Switches};
use super::reshape::{self, Shaped};
use super::resource::{self, Call, Stores};
use super::tokens::{Access, Grant, Mint, Standing, Tokens, ordinal};
use super::wire::{Answer, Effects, Ending, Head, Incoming, Reply, Ticket};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// A fake LinkedIn, or the provider of a profile. Deterministic: the same options and the same calls at the same times give the same answers.
pub struct Provider {
    pub(super) initial: Options,
    pub(super) switches: Switches,
    manner: Manner,
    pub(super) start: u64,
    pub(super) tokens: Tokens,
    pub(super) stores: Stores,
    pub(super) rules: Rules,
    pub(super) recent: Recent,
    pub(super) counts: Summary,
    turns: u64,
    seq: u64,
    /// The last number before this life, so that draws start again with it.
    before: u64,
    /// Grows with each reset, so that an answer from before it is not counted after it.
    life: u64,
}

/// Counts since the start or the last reset, cheap enough to poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Requests to the API, whatever became of them.
    pub requests: u64,
    /// API requests that were answered 401, or as the profile has it that the token is refused.
    pub refused: u64,
    /// State changes of resources: conversions that counted, members that joined or left, contacts, segments and rules that came to be.
    pub applied: u64,
    /// Repeats with the same body.
    pub duplicates: u64,
    /// Repeats with another body.
    pub conflicts: u64,
    /// Refreshes that minted a token, whether or not the answer arrived.
    pub refreshes_ok: u64,
    /// Calls of the token endpoint with a refresh token.
    pub refresh_calls: u64,
    /// Calls of the token endpoint of any kind, also those of which nothing was read.
    pub token_calls: u64,
    /// The most calls that ever were in flight at once with one refresh token.
    pub max_refresh_in_flight: u64,
    /// Requests of any kind whose answer is not out yet.
    pub in_flight: u64,
    /// The most that there ever were.
    pub max_in_flight: u64,
}

/// A request whose head has been seen. Which node serves it, what the node makes of the token and whether a fault rule fires is settled;
/// nothing has taken effect.
pub struct Begun {
    head: Head,
    /// The path as it was sent.
    path: String,
    now: u64,
    turn: u64,
    node: Option<usize>,
    access: Option<usize>,
    standing: Option<Standing>,
    fault: Option<(String, Action)>,
}

impl Begun {
    /// Whether the answer that it deserves refuses the token, and nothing else is answered.
    fn refuses_token(&self) -> bool {
        self.fault.is_none() && self.node.is_some() && self.standing.is_some_and(|standing| standing != Standing::Good)
    }

    /// Whether the connection is to be reset before the body is read.
    #[must_use]
    pub fn resets_unread(&self) -> bool {
        matches!(self.fault, Some((_, Action::ResetBeforeRead | Action::Refuse)))
    }
}

impl Provider {
    /// A provider that starts now.
    ///
    /// # Errors
    /// Names the option that does not fit.
    pub fn new(options: Options, now_ms: u64) -> Result<Self, FieldError> {
        let mut provider = Self {
            switches: options.switches.clone(),
            manner: options.profile.as_ref().map_or_else(Manner::usual, Manner::of),
            initial: options,
            start: now_ms,
            tokens: Tokens::default(),
            stores: Stores::default(),
            rules: Rules::default(),
            recent: Recent::default(),
            counts: Summary::default(),
            turns: 0,
            seq: 0,
            before: 0,
            life: 0,
        };
        provider.begin_life(now_ms)?;
        Ok(provider)
    }

    /// Answers a request. It counts as in flight until its ticket is [closed](Self::close).
    pub fn respond(&mut self, request: &Incoming, now_ms: u64) -> Reply {
        let begun = self.begin(request.head.clone(), now_ms);
        let body = if begun.resets_unread() { Bytes::new() } else { request.body.clone() };
        self.finish(begun, &body)
    }

    /// Takes a request's head.
    pub fn begin(&mut self, head: Head, now_ms: u64) -> Begun {
        let path = head.path.clone();
        let head = self.manner.read(head);
        let is_api = !head.path.starts_with(oauth::PREFIX);
        let turn = self.turns;
        let mut begun = Begun { head, path, now: now_ms, turn, node: None, access: None, standing: None, fault: None };
        if is_api {
            self.turns = turn.saturating_add(1);
            begun.node = nodes::serving(&self.switches, self.initial.seed, turn, &begun.head);
            let presented = self.tokens.presented(&begun.head);
            begun.access = presented.ok();
            begun.standing = Some(match (presented, begun.node) {
                (Ok(access), Some(node)) => self.tokens.standing(access, node, self.mint(now_ms)),
                (Ok(_), None) => Standing::Unknown,
                (Err(standing), _) => standing,
            });
        }
        begun.fault = self.fire(&begun);
        begun
    }

    /// Answers a request whose body has been read.
    pub fn finish(&mut self, begun: Begun, body: &[u8]) -> Reply {
        let body = &*self.manner.body(&begun.head, body);
        let parsed = if audit::is_secret(&begun.head) { None } else { serde_json::from_slice::<Value>(body).ok() };
        let mut answer = self.decide(&begun, body, parsed.as_ref());
        if begun.standing.is_some() {
            self.mark(&begun, &mut answer);
        }
        let (effects, refresh) = (std::mem::take(&mut answer.effects), answer.refresh);
        let mut shaped = reshape::shape(answer, begun.fault.as_ref().map(|(_, action)| action));
        shaped.pace.before_ms = shaped.pace.before_ms.saturating_add(self.latency(&begun));
        self.seq = self.seq.saturating_add(1);
        let ticket = Ticket { seq: self.seq, life: self.life, refresh };
        self.count(&begun, &shaped, &effects, ticket);
        let line = self.line(&begun, body, parsed, &shaped, &effects);
        let line = Line { refresh_in_flight: self.refresh_in_flight(ticket), ..line }.text();
        self.recent.keep(self.seq, &line, self.switches.audit_keep_lines);
        drop(begun);
        let Shaped { status, headers, body, pace, ending } = shaped;
        Reply { status, headers, body, pace, ending, ticket, line }
    }

    /// Tells that an answer is out, or never will be.
    pub fn close(&mut self, ticket: Ticket) {
        if ticket.life != self.life {
            return;
        }
        self.counts.in_flight = self.counts.in_flight.saturating_sub(1);
        if let Some(call) = ticket.refresh {
            oauth::close_call(&mut self.tokens, call);
        }
    }

    pub(super) fn mint(&self, now: u64) -> Mint<'_> {
        Mint { seed: self.initial.seed, switches: &self.switches, now }
    }

    pub(super) fn begin_life(&mut self, now: u64) -> Result<(), FieldError> {
        self.initial.switches.check().map_err(|error| error.under("switches"))?;
        self.rules = Rules::new(&self.initial.faults)?;
        self.switches = self.initial.switches.clone();
        (self.tokens, self.stores, self.counts) = (Tokens::default(), Stores::default(), Summary::default());
        self.recent.clear();
        (self.start, self.turns, self.before) = (now, 0, self.seq);
        self.life = self.life.saturating_add(1);
        let mint = Mint { seed: self.initial.seed, switches: &self.switches, now };
        for (id, secret) in &self.initial.clients {
            self.tokens.register(id, secret);
        }
        for (index, seed) in self.initial.grants.iter().enumerate() {
            if let Some((member, problem)) = self.tokens.objection(seed) {
                return Err(FieldError::new(format!("grants[{index}].{member}"), problem));
            }
            self.tokens.grant(seed, mint);
        }
        Ok(())
    }

    /// Writes a line about a change through the control interface.
    pub(super) fn note(&mut self, path: &str, what: Value, now: u64) -> std::sync::Arc<str> {
        self.seq = self.seq.saturating_add(1);
        let (seq, in_flight) = (self.seq, self.counts.in_flight);
        let line = Line { seq, t_ms: now, method: "POST", path, body: what, in_flight, ..Line::default() };
        let text = Line { answer_status: Some(200), ..line }.text();
        self.recent.keep(seq, &text, self.switches.audit_keep_lines);
        text
    }

    fn fire(&mut self, begun: &Begun) -> Option<(String, Action)> {
        let grant = presented(&self.tokens, begun).map(|(_, grant)| grant);
        let sight = Sight {
            head: &begun.head,
            node: begun.node.and_then(|node| self.switches.nodes.get(node)).map(String::as_str),
            token: begun.access.map(ordinal),
            member: grant.map(|grant| grant.member.as_str()),
            app: grant.map(|grant| grant.client_id.as_str()),
            now: begun.now,
            start: self.start,
        };
        self.rules.fire(self.initial.seed, &sight)
    }

    fn decide(&mut self, begun: &Begun, body: &[u8], parsed: Option<&Value>) -> Answer {
        let action = begun.fault.as_ref().map(|(_, action)| action);
        let instead = action.and_then(|action| reshape::instead(action, begun.now));
        if action.is_some_and(|action| !action.lets_apply()) {
            let refresh = oauth::count_spoilt(&mut self.tokens, begun.now, &begun.head, body);
            return Answer { refresh, ..instead.unwrap_or_else(|| Answer::empty(200)) };
        }
        let deserved = self.deserve(begun, body, parsed);
        match instead {
            Some(answer) => Answer { effects: deserved.effects, refresh: deserved.refresh, ..answer },
            None => deserved,
        }
    }

    fn deserve(&mut self, begun: &Begun, body: &[u8], parsed: Option<&Value>) -> Answer {
        let mint = Mint { seed: self.initial.seed, switches: &self.switches, now: begun.now };
        let Some(standing) = begun.standing else {
            let answer = oauth::answer(&mut self.tokens, mint, &begun.head, body);
            return self.manner.token_answer(answer, begun.now);
        };
        if begun.node.is_none() {
            return Answer::error(400, "ILLEGAL_ARGUMENT", "X-Sandbox-Node names no node");
        }
        if standing != Standing::Good {
            return self.refusal(standing, begun.turn);
        }
        let resource = resource::find(&begun.head.path);
        let Some((access, grant)) = presented(&self.tokens, begun) else {
            return self.refusal(Standing::Unknown, begun.turn);
        };
        let has = |scope: &str| access.scope.split([',', ' ']).any(|held| held == scope);
        if resource.is_some_and(|resource| !resource.scopes().iter().any(|scope| has(scope))) {
            let message = format!("Not enough permissions to access: {} {}", begun.head.method, begun.head.path);
            return self.manner.complaint(Answer::service_error(403, 100, "ACCESS_DENIED", &message));
        }
        let call = Call {
            head: &begun.head,
            body: parsed,
            member: &grant.member,
            now: begun.now,
            switches: &self.switches,
            element_statuses: reshape::element_statuses(begun.fault.as_ref().map(|(_, action)| action)),
        };
        resource::answer(&mut self.stores, resource, &call)
    }

    // A revoked token and one that this node has not learnt go through the same arm: nothing in the answer can tell them apart.
    fn refusal(&self, standing: Standing, turn: u64) -> Answer {
        self.manner.refusal(self.usual_refusal(standing, turn), turn)
    }

    fn usual_refusal(&self, standing: Standing, turn: u64) -> Answer {
        let said = match standing {
            Standing::Missing => {
                return Answer::service_error(401, 65604, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token");
            }
            Standing::NotVisible => nodes::not_visible(&self.switches, self.initial.seed, turn),
            Standing::Expired => NotVisible::Expired,
            Standing::Revoked => NotVisible::Revoked,
            Standing::Unknown | Standing::Good => NotVisible::Invalid,
        };
        let (number, code, message) = match said {
            NotVisible::Revoked => {
                (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user")
            }
            NotVisible::Expired => (65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
            NotVisible::Invalid => (65600, "INVALID_ACCESS_TOKEN", "Invalid access token"),
            NotVisible::NoBody => return Answer::empty(401),
        };
        Answer::service_error(401, number, code, message)
    }

    fn mark(&self, begun: &Begun, answer: &mut Answer) {
        let fabric = begun.node.and_then(|node| self.switches.nodes.get(node));
        answer
            .headers
            .extend(fabric.zip(self.manner.node_header()).map(|(name, header)| (header.to_owned(), name.clone())));
        let id = opaque("AAY", self.initial.seed, &[purpose::REQUEST_ID, self.life, begun.turn]);
        answer.headers.push(("x-li-uuid".to_owned(), id));
    }

    fn latency(&self, begun: &Begun) -> u64 {
        let of_api = begun.standing.is_some();
        let span = if of_api { self.switches.api_latency_ms } else { self.switches.token_latency_ms };
        between(
            span.min_ms,
            span.max_ms,
            draw(self.initial.seed, &[purpose::LATENCY, self.seq.saturating_sub(self.before)]),
        )
    }

    fn count(&mut self, begun: &Begun, shaped: &Shaped, effects: &Effects, ticket: Ticket) {
        let refreshes = effects.applied.iter().filter(|applied| applied.resource == oauth::MINTED);
        let refreshes = if ticket.refresh.is_some() { count(refreshes) } else { 0 };
        let is_api = begun.standing.is_some();
        let seen = matches!(shaped.ending, Ending::Whole | Ending::Cut(_));
        let counts = &mut self.counts;
        add(&mut counts.requests, u64::from(is_api));
        let is_refused = shaped.status == 401 || begun.refuses_token();
        add(&mut counts.refused, u64::from(is_api && seen && is_refused));
        add(&mut counts.token_calls, u64::from(begun.head.path == oauth::TOKEN_PATH));
        add(&mut counts.refresh_calls, u64::from(ticket.refresh.is_some()));
        add(&mut counts.refreshes_ok, refreshes);
        add(&mut counts.applied, if is_api { count(effects.applied.iter()) } else { 0 });
        add(&mut counts.duplicates, count(effects.duplicate.iter()));
        add(&mut counts.conflicts, count(effects.conflict.iter()));
        add(&mut counts.in_flight, 1);
        counts.max_in_flight = counts.max_in_flight.max(counts.in_flight);
        let most = self.refresh_in_flight(ticket).unwrap_or(0).max(self.counts.max_refresh_in_flight);
        self.counts.max_refresh_in_flight = most;
    }

    fn refresh_in_flight(&self, ticket: Ticket) -> Option<u64> {
        let token = self.tokens.refresh.get(ticket.refresh?.token?)?;
        Some(token.counters.in_flight)
    }

    fn line<'a>(
        &'a self,
        begun: &'a Begun,
        body: &[u8],
        parsed: Option<Value>,
        shaped: &Shaped,
        effects: &'a Effects,
    ) -> Line<'a> {
        let head = &begun.head;
        let secret = audit::is_secret(head);
        let (bytes_sent, closed_by) = match shaped.ending {
            Ending::Whole => (shaped.body.len(), None),
            Ending::Cut(after) => (after, Some("cut")),
            Ending::Reset => (0, Some("reset")),
            Ending::Hang => (0, Some("client")),
        };
        let answered = matches!(shaped.ending, Ending::Whole | Ending::Cut(_));
        let access = presented(&self.tokens, begun).map(|(access, _)| access);
        let shown = match parsed {
            _ if secret => serde_json::to_value(audit::form(body, &self.tokens)).unwrap_or_default(),
            Some(value) => value,
            None if body.is_empty() => Value::Null,
            None => String::from_utf8_lossy(body).into(),
        };
        let line = Line {
            seq: self.seq,
            t_ms: begun.now,
            node: begun.node.and_then(|node| self.switches.nodes.get(node)).map(String::as_str),
            method: &head.method,
            path: &begun.path,
            query: audit::query(head, &self.tokens),
            headers: audit::headers(head, begun.access.map(ordinal)),
            token_ordinal: begun.access.map(ordinal),
            token_state: begun.standing.map(Standing::word),
            token_age_ms: access.map(|token| begun.now.saturating_sub(token.issued)),
            connection: access.map(|token| ordinal(token.grant)),
            tcp: Some(head.tcp),
            in_flight: self.counts.in_flight,
            body_sha256: (!secret && !body.is_empty()).then(|| audit::sha256(body)),
            body: shown,
            answer_status: answered.then_some(shaped.status),
            answer_body: if answered { audit::answer_body(head, &shaped.body) } else { Value::Null },
            fault_rule: begun.fault.as_ref().map(|(name, _)| name.as_str()),
            delay_ms: shaped.pace.before_ms,
            bytes_sent,
            closed_by,
            ..Line::default()
        };
        line.changed(effects)
    }
}

// Apart from `self`, so that the stores and the rules can be borrowed beside it.
fn presented<'a>(tokens: &'a Tokens, begun: &Begun) -> Option<(&'a Access, &'a Grant)> {
    let access = tokens.access.get(begun.access?)?;
    Some((access, tokens.grants.get(access.grant)?))
}

fn add(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more);
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
