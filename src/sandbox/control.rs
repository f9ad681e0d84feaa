//! The control interface: a second port, JSON in and out. What does not fit is a 400 that names the member.

use super::field::{self, FieldError};
use super::options::GrantSeed;
use super::server::{LARGEST_BODY, Shared};
use super::steer::Consent;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum TokenCommand {
    Issue {
        #[serde(default)]
        grant: GrantSeed,
    },
    Revoke {
        #[serde(default)]
        access: Option<u32>,
    },
    RevokeGrant {
        grant: u32,
    },
    Expire {
        #[serde(default)]
        access: Option<u32>,
    },
    Code {
        consent: Consent,
    },
    List {},
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ClockCommand {
    Set(u64),
    Advance(u64),
    Mode(ClockWord),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClockWord {
    Real,
    Manual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultCommand {
    rules: Vec<super::faults::Rule>,
}

enum Trouble {
    NoSuchPath,
    BadField(FieldError),
    Log(std::io::Error),
}

impl From<FieldError> for Trouble {
    fn from(error: FieldError) -> Self {
        Self::BadField(error)
    }
}

pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        tokio::select! {
            () = shared.cancel.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.tasks.spawn(converse(Arc::clone(&shared), stream));
                }
                Err(error) => tracing::warn!(%error, "the sandbox could not accept a control connection"),
            }
        }
    }
}

async fn converse(shared: Arc<Shared>, stream: tokio::net::TcpStream) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    let connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = shared.cancel.cancelled() => {}
        ended = connection => if let Err(error) = ended {
            tracing::trace!(%error, "a control connection to the sandbox ended early");
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/__ctl/").unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let answered = match parts.method.as_str() {
        "GET" => look(&shared, path, query),
        "POST" => match Limited::new(incoming, LARGEST_BODY).collect().await {
            Ok(body) => read_body(&body.to_bytes()).and_then(|body| change(&shared, path, &body)),
            Err(_) => Err(FieldError::new("body", "could not be read, or is too large").into()),
        },
        _ => Err(Trouble::NoSuchPath),
    };
    let (status, kind, body) = match answered {
        Ok(Said::Json(value)) => (200, "application/json", value.to_string()),
        Ok(Said::Lines(lines)) => (200, "application/x-ndjson", lines),
        Err(trouble) => {
            let (status, value) = trouble.told();
            (status, "application/json", value.to_string())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

enum Said {
    Json(Value),
    Lines(String),
}

impl Trouble {
    fn told(&self) -> (u16, Value) {
        match self {
            Self::NoSuchPath => {
                (404, json!({"error": "there is no such control, see the documentation of the sandbox"}))
            }
            Self::BadField(error) => (400, json!({"error": error.to_string(), "field": error.field()})),
            Self::Log(error) => (500, json!({"error": format!("the audit log cannot be written: {error}")})),
        }
    }
}

fn look(shared: &Shared, path: &str, query: &str) -> Result<Said, Trouble> {
    let core = shared.core();
    let provider = &core.provider;
    let value = match path {
        "summary" => json!(provider.summary()),
        "state" => provider.state(),
        "config" => json!(provider.switches()),
        "faults" => provider.faults(),
        "token" => provider.token_list(),
        "clock" => clock(shared, provider.start),
        "log" => {
            let (from, limit) = (number(query, "from", 0)?, number(query, "limit", u64::MAX)?);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let lines = provider.log_from(from).take(limit);
            return Ok(Said::Lines(lines.fold(String::new(), |text, line| text + line + "\n")));
        }
        _ => return Err(Trouble::NoSuchPath),
    };
    Ok(Said::Json(value))
}

fn change(shared: &Shared, path: &str, body: &Value) -> Result<Said, Trouble> {
    let now = shared.time.now();
    let mut core = shared.core();
    let provider = &mut core.provider;
    let (said, noted) = match path {
        "reset" => {
            provider.reset(now);
            (json!({}), json!({}))
        }
        "config" => {
            let switches = provider.switches().changed(body)?;
            provider.configure(switches)?;
            (json!(provider.switches()), body.clone())
        }
        "faults" => {
            let command: FaultCommand = field::read(body)?;
            provider.set_faults(&command.rules)?;
            (provider.faults(), body.clone())
        }
        "clock" => {
            turn_clock(shared, &field::read(body)?, now);
            (clock(shared, provider.start), body.clone())
        }
        "token" => token(provider, field::read(body)?, now)?,
        _ => return Err(Trouble::NoSuchPath),
    };
    let line = provider.note(&format!("/__ctl/{path}"), noted, now);
    core.write(&line).map_err(Trouble::Log)?;
    drop(core);
    shared.rules_changed.send_replace(());
    Ok(Said::Json(said))
}

/// What to answer, with secrets, and what to write down, without.
fn token(
    provider: &mut super::provider::Provider,
    command: TokenCommand,
    now: u64,
) -> Result<(Value, Value), FieldError> {
    let same = |value: Value| (value.clone(), value);
    Ok(match command {
        TokenCommand::Issue { grant } => {
            let issued = provider.issue(&grant, now).map_err(|error| error.under("grant"))?;
            let noted = json!({"action": "issue", "grant": issued.grant, "access": issued.access});
            let said = json!({
                "action": "issue", "grant": issued.grant, "access": issued.access,
                "access_token": issued.access_token.expose(), "refresh_token": issued.refresh_token.expose(),
            });
            (said, noted)
        }
        TokenCommand::Revoke { access } => {
            let found = provider.revoke_access(access, now)?;
            same(json!({"action": "revoke", "access": found}))
        }
        TokenCommand::RevokeGrant { grant } => {
            provider.revoke_grant(grant, now)?;
            same(json!({"action": "revoke_grant", "grant": grant}))
        }
        TokenCommand::Expire { access } => {
            let found = provider.expire_access(access, now)?;
            same(json!({"action": "expire", "access": found}))
        }
        TokenCommand::Code { consent } => {
            let noted = json!({"action": "code", "client_id": consent.client_id});
            let code = provider.consent(consent, now).map_err(|error| error.under("consent"))?;
            (json!({"action": "code", "code": code.expose()}), noted)
        }
        TokenCommand::List {} => (provider.token_list(), json!({"action": "list"})),
    })
}

fn turn_clock(shared: &Shared, command: &ClockCommand, now: u64) {
    shared.time.set(match command {
        ClockCommand::Set(at) => Some(*at),
        ClockCommand::Advance(ms) => Some(now.saturating_add(*ms)),
        ClockCommand::Mode(ClockWord::Manual) => Some(now),
        ClockCommand::Mode(ClockWord::Real) => None,
    });
}

fn clock(shared: &Shared, start: u64) -> Value {
    let (now, mode) = (shared.time.now(), if shared.time.is_manual() { "manual" } else { "real" });
    json!({"now_ms": now, "start_ms": start, "since_start_ms": now.saturating_sub(start), "mode": mode})
}

fn read_body(body: &Bytes) -> Result<Value, Trouble> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|error| FieldError::new("body", format!("is not JSON: {error}")).into())
}

fn number(query: &str, name: &str, default: u64) -> Result<u64, FieldError> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    match pairs.find(|(known, _)| known == name) {
        None => Ok(default),
        Some((_, text)) => text.parse().map_err(|_| FieldError::new(name, "must be a whole number")),
    }
}
