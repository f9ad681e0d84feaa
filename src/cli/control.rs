//! What commands ask of an engine, as data: the same question is answered by an engine in this process and, as a line of
//! JSON over a socket, by one in another.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use outlast_state::{DeliveryId, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::authorisation::Authorisation;
use crate::clock;
use crate::destination::Trouble;
use crate::engine::{Engine, Routed};
use crate::error::{Error, ErrorKind};
use crate::parcel::Parcel;
use crate::route::Event;
use crate::secret::Secret;
use crate::vault::VaultKey;
use crate::view::{
    Counts, CredentialCalendar, CredentialDetails, CredentialView, DeliveryName, Details, Filter, Outcome, Redrive,
    Rekeyed, Revocation, Scope, Summary, VaultView,
};

/// The version of this protocol. Both ends are one program, so another number means another release.
pub(crate) const PROTOCOL: u32 = 3;

/// A question. It has no `Debug`, because it may hold tokens and bodies.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Hello,
    Submit {
        offers: Vec<Offer>,
    },
    Ingest {
        events: Vec<Emitted>,
    },
    Outcomes {
        ids: Vec<DeliveryName>,
        patience_ms: u64,
    },
    List {
        filter: Filter,
    },
    Show {
        id: DeliveryName,
    },
    Why {
        id: DeliveryName,
    },
    Counts,
    Credentials,
    Credential {
        name: String,
    },
    Calendar,
    Cancel {
        ids: Vec<DeliveryName>,
    },
    Redrive {
        ids: Vec<DeliveryName>,
        redrive: Redrive,
    },
    Pause {
        scope: Scope,
    },
    Resume {
        scope: Scope,
    },
    Pauses,
    Alerts,
    Refresh {
        credential: String,
    },
    Revoke {
        credential: String,
    },
    Authorise {
        credential: String,
        grant: Grant,
    },
    Perform {
        destination: String,
        operation: String,
        inputs: Value,
    },
    /// With the new key, as text.
    Rekey {
        #[serde(serialize_with = "reveal", deserialize_with = "take")]
        key: Secret,
    },
    Vault,
}

/// A parcel as it is sent to an engine.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    pub(crate) destination: String,
    pub(crate) body: String,
    pub(crate) once: Option<String>,
    pub(crate) lane: Option<String>,
}

/// An event as it is sent to an engine, which asks its routes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emitted {
    pub(crate) body: String,
    pub(crate) once: Option<String>,
    pub(crate) lane: Option<String>,
}

/// What an event became on one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) route: String,
    pub(crate) destination: String,
    pub(crate) delivery: Result<DeliveryName, Fault>,
}

/// A grant as it is sent to an engine: with the key of [`Request::Rekey`] the one place where a secret is written, and only
/// into a socket that belongs to the same user.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    #[serde(serialize_with = "reveal", deserialize_with = "take")]
    pub(crate) access: Secret,
    #[serde(serialize_with = "reveal_some", deserialize_with = "take_some")]
    pub(crate) refresh: Option<Secret>,
    pub(crate) issued: Option<Time>,
    pub(crate) expires: Option<Time>,
    pub(crate) refresh_expires: Option<Time>,
    pub(crate) scope: Option<String>,
}

fn reveal<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn reveal_some<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::reveal).serialize(serializer)
}

fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn take_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
}

/// Who answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) pid: u32,
    pub(crate) protocol: u32,
    pub(crate) version: String,
}

/// Why a question was not answered, or not for one of its items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// In the table of errors, where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

/// [`ErrorKind`] as it goes over the wire: what a command does differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Try again later.
    Busy,
    /// The configuration must change first.
    Configuration,
    /// The engine has ended or its store has failed.
    Ended,
    /// Anything else: this question gets no other answer.
    Refused,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Busy => Kind::Busy,
            ErrorKind::Configuration => Kind::Configuration,
            ErrorKind::Storage | ErrorKind::Stopped | ErrorKind::Held | ErrorKind::Corrupt => Kind::Ended,
            ErrorKind::Caller | ErrorKind::Conflict | ErrorKind::Unknown => Kind::Refused,
        };
        Fault { kind, code: error.code().map(str::to_owned), message: error.to_string() }
    }
}

/// What a question is answered with; [`Response`] holds one of each kind.
pub(crate) trait Answer: Sized {
    /// The answer, if it is of this kind.
    fn from_response(response: Response) -> Option<Self>;
}

macro_rules! answers {
    ($($kind:ident: $type:ty,)*) => {
        /// An answer.
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Response {
            $($kind($type),)*
        }

        $(
            impl From<$type> for Response {
                fn from(answer: $type) -> Self {
                    Response::$kind(answer)
                }
            }

            impl Answer for $type {
                fn from_response(response: Response) -> Option<Self> {
                    match response {
                        Response::$kind(answer) => Some(answer),
                        _ => None,
                    }
                }
            }
        )*
    };
}

answers! {
    Hello: Hello,
    Submitted: Vec<Result<DeliveryName, Fault>>,
    Ingested: Vec<Result<Vec<Made>, Fault>>,
    Outcomes: Vec<Option<Outcome>>,
    Listed: Vec<Summary>,
    Shown: Box<Details>,
    Why: Vec<String>,
    Counts: Counts,
    Credentials: Vec<CredentialView>,
    Credential: Box<CredentialDetails>,
    Calendar: Vec<CredentialCalendar>,
    Changed: Vec<Result<Summary, Fault>>,
    Held: u64,
    Released: bool,
    Pauses: Vec<Scope>,
    Alerts: Vec<Alert>,
    Authorised: Box<CredentialView>,
    Revoked: Box<Revocation>,
    Performed: Result<Value, Trouble>,
    Rekeyed: Rekeyed,
    Vault: VaultView,
}

/// Asks the engine.
pub(crate) async fn execute(engine: &Engine, request: Request) -> Result<Response, Fault> {
    Ok(match request {
        Request::Hello => hello().into(),
        Request::Submit { offers } => submit(engine, offers).await?.into(),
        Request::Ingest { events } => ingest(engine, events).await?.into(),
        Request::Outcomes { ids, patience_ms } => {
            outcomes(engine, &ids, Duration::from_millis(patience_ms)).await?.into()
        }
        Request::List { filter } => engine.list(filter).await?.into(),
        Request::Show { id } => Box::new(engine.show(id.0).await?).into(),
        Request::Why { id } => engine.why(id.0).await?.into(),
        Request::Counts => engine.counts().await?.into(),
        Request::Credential { name } => Box::new(engine.credential(&name).await?).into(),
        Request::Credentials => engine.credentials().await?.into(),
        Request::Calendar => engine.calendar().await?.into(),
        Request::Cancel { ids } => together(ids.iter().map(|id| engine.cancel(id.0))).await.into(),
        Request::Redrive { ids, redrive } => together(ids.iter().map(|id| engine.redrive(id.0, redrive))).await.into(),
        Request::Pause { scope } => engine.pause(scope).await?.into(),
        Request::Resume { scope } => engine.resume(scope).await?.into(),
        Request::Pauses => engine.pauses().await?.into(),
        Request::Alerts => engine.alerts().await?.into(),
        Request::Perform { destination, operation, inputs } => {
            engine.perform(&destination, &operation, &inputs).await?.into()
        }
        Request::Refresh { credential } => Box::new(engine.refresh(&credential).await?).into(),
        Request::Revoke { credential } => Box::new(engine.revoke(&credential).await?).into(),
        Request::Rekey { key } => {
            let key = VaultKey::from_text(&key).map_err(|why| Error::caller(format!("key: {why}")))?;
            engine.rekey(key).await?.into()
        }
        Request::Vault => engine.vault().await?.into(),
        Request::Authorise { credential, grant } => Box::new(engine.authorise(&credential, grant.into()).await?).into(),
    })
}

fn hello() -> Hello {
    Hello { pid: std::process::id(), protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() }
}

async fn submit(engine: &Engine, offers: Vec<Offer>) -> Result<Vec<Result<DeliveryName, Fault>>, Fault> {
    let parcels = offers.into_iter().map(Parcel::from).collect();
    let ids = engine.submit_all(parcels).await?;
    Ok(ids.into_iter().map(|id| id.map(DeliveryName).map_err(Fault::from)).collect())
}

async fn ingest(engine: &Engine, events: Vec<Emitted>) -> Result<Vec<Result<Vec<Made>, Fault>>, Fault> {
    let read = |emitted: Emitted| {
        let event = Event::read(emitted.body).map_err(Error::from)?;
        Ok(event.once(emitted.once).lane(emitted.lane))
    };
    let events: Vec<Result<Event, Error>> = events.into_iter().map(read).collect();
    let sound = events.iter().filter_map(|event| event.as_ref().ok().cloned()).collect();
    let mut made = engine.ingest_all(sound).await?.into_iter();
    let one = |event: Result<Event, Error>| match event {
        Ok(_) => Ok(made.next().unwrap_or_default().into_iter().map(Made::from).collect()),
        Err(error) => Err(Fault::from(error)),
    };
    Ok(events.into_iter().map(one).collect())
}

impl From<Routed> for Made {
    fn from(routed: Routed) -> Self {
        let Routed { route, destination, delivery } = routed;
        Made { route, destination, delivery: delivery.map(DeliveryName).map_err(Fault::from) }
    }
}

/// Asks for all changes before the first is answered, in their order, so that they share barriers.
async fn together<F>(changes: impl Iterator<Item = F>) -> Vec<Result<Summary, Fault>>
where
    F: Future<Output = Result<Summary, Error>>,
{
    let mut open: Vec<_> = changes.map(|change| (Box::pin(change), None)).collect();
    poll_fn(|context| {
        for (change, result) in open.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ended) = change.as_mut().poll(context) {
                *result = Some(ended.map_err(Fault::from));
            }
        }
        if open.iter().all(|(_, result)| result.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    open.into_iter().filter_map(|(_, result)| result).collect()
}

/// What became of these, in their order; `None` for one that has not ended when patience has.
async fn outcomes(engine: &Engine, ids: &[DeliveryName], patience: Duration) -> Result<Vec<Option<Outcome>>, Fault> {
    let never = CancellationToken::new();
    let mut patience = std::pin::pin!(clock::wait(patience, &never));
    let mut over = false;
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        if over {
            outcomes.push(ended(engine, id.0).await?);
            continue;
        }
        tokio::select! {
            biased;
            outcome = engine.outcome(id.0) => outcomes.push(Some(outcome?)),
            _ = &mut patience => {
                over = true;
                outcomes.push(None);
            }
        }
    }
    Ok(outcomes)
}

async fn ended(engine: &Engine, id: DeliveryId) -> Result<Option<Outcome>, Fault> {
    let now = engine.watch(id).await?.next().await;
    match now {
        Some(summary) if summary.ended_ms.is_some() => Ok(Some(engine.outcome(id).await?)),
        _ => Ok(None),
    }
}

impl From<Offer> for Parcel {
    fn from(offer: Offer) -> Self {
        let mut parcel = Parcel::to(offer.destination).bytes(offer.body);
        if let Some(key) = offer.once {
            parcel = parcel.once(key);
        }
        if let Some(lane) = offer.lane {
            parcel = parcel.lane(lane);
        }
        parcel
    }
}

impl From<Grant> for Authorisation {
    fn from(grant: Grant) -> Self {
        let Grant { access, refresh, issued, expires, refresh_expires, scope } = grant;
        Authorisation { access, refresh, issued, expires, refresh_expires, scope }
    }
}
