//! The network: the only user of the HTTP client, and the one that turns a [`Request`] into an [`Answer`].
//!
//! It sends what it is given, once, to where it is told, or says why not. It follows no redirect, obeys no proxy from the
//! environment, decodes no content, and reads no more of an answer than the cap: answers and the network are hostile.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use outlast_state::{Span, Time};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect};
use rustls::crypto::{CryptoProvider, ring};
use tokio::sync::OnceCell;
use url::Url;
use zeroize::Zeroizing;

use crate::Secret;
use crate::exchange::{Answer, Carrier, FRAMING, Form, Method, NoAnswer, Request, unfit_header_name};
use crate::guard::{Audience, Denied, Guard, is_localhost, is_private_line};

/// How long a request may take, answer included, unless its sender says otherwise.
pub const WITHIN: Span = Span::from_secs(30);

/// What of the network configuration may change.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Whether loopback addresses may be connected to: for a sandbox or a test.
    pub allow_loopback: bool,
    /// Hosts, as names or addresses, that may be connected to although their addresses are reserved.
    pub allow_hosts: Vec<String>,
    /// Idle connections that are kept for each host. At least the number of requests in flight, or connections churn.
    pub idle_per_host: usize,
    /// How long making a connection may take, name and TLS included.
    pub connect_within: Span,
    /// How much of an answer's body is read, in bytes. The rest is dropped, and the connection with it.
    pub body_cap: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            allow_loopback: false,
            allow_hosts: Vec::new(),
            idle_per_host: 256,
            connect_within: Span::from_secs(5),
            body_cap: 64 * 1024,
        }
    }
}

/// A token, and who may see it.
#[derive(Clone, Copy)]
pub struct Bearer<'a> {
    /// The access token.
    pub token: &'a Secret,
    /// The origins that it was issued for.
    pub audience: &'a Audience,
    /// Where it stands.
    pub carrier: &'a Carrier,
}

/// The network. One for each engine: it holds the connections.
pub struct Http {
    options: HttpOptions,
    guard: Guard,
    lookup: Lookup,
    plain: Client,
    /// Built at the first https request: it needs the machine's CA certificates, and a machine that only talks to a
    /// sandbox may have none.
    secure: OnceCell<Client>,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built: {0}")]
pub struct HttpError(String);

impl Http {
    /// Makes the client. Nothing is connected yet.
    ///
    /// # Errors
    /// The TLS library refused its settings.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        Http::resolving_with(options, Arc::new(|host| Box::pin(system_lookup(host))))
    }

    fn resolving_with(options: HttpOptions, lookup: Lookup) -> Result<Self, HttpError> {
        let guard = Guard::new(options.allow_loopback, &options.allow_hosts);
        let plain = builder(&options, &guard, &lookup)
            .tls_backend_preconfigured(trusting_nobody()?)
            .build()
            .map_err(|error| HttpError(innermost(&error)))?;
        Ok(Http { options, guard, lookup, plain, secure: OnceCell::new() })
    }

    /// Sends `request` and reads its answer, all `within` that time; `now` stamps the answer. The token is written only
    /// if the request asks for it, only to its audience, and only over a line that nobody else reads.
    ///
    /// # Errors
    /// There is no answer, and whether the request may have arrived.
    pub async fn send(
        &self,
        request: &Request,
        bearer: Option<Bearer<'_>>,
        within: Span,
        now: impl Fn() -> Time + Send,
    ) -> Result<Answer, NoAnswer> {
        let url = request.url();
        self.guard.url(url).map_err(|denied| forbidden(denied.to_string()))?;
        let mut headers = checked(request.headers())?;
        if request.wants_bearer() {
            let (name, value) = authorization(url, bearer)?;
            headers.insert(name, value);
        }
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        self.exchange(method, url, headers, request.body().to_vec(), within, now).await
    }

    /// Posts a form to an OAuth endpoint, as [`Http::send`] would. No part of it is ever printed.
    ///
    /// # Errors
    /// There is no answer, and whether the request may have arrived.
    pub async fn post_form(
        &self,
        url: &Url,
        form: &Form,
        within: Span,
        now: impl Fn() -> Time + Send,
    ) -> Result<Answer, NoAnswer> {
        self.guard.url(url).map_err(|denied| forbidden(denied.to_string()))?;
        private_line(url)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        if let Some(client) = form.authorization() {
            headers.insert(AUTHORIZATION, sensitive(client.reveal(), "the client's id or secret")?);
        }
        self.exchange(reqwest::Method::POST, url, headers, form.encoded(), within, now).await
    }

    async fn exchange(
        &self,
        method: reqwest::Method,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        within: Span,
        now: impl Fn() -> Time + Send,
    ) -> Result<Answer, NoAnswer> {
        // Not by the client's builder, which would put the headers one by one into a map of its own.
        let mut outgoing = reqwest::Request::new(method, url.clone());
        *outgoing.headers_mut() = headers;
        *outgoing.timeout_mut() = Some(duration(within));
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        }
        let sent = self.client(url).await?.execute(outgoing).await;
        let mut response = sent.map_err(|error| no_answer(error, url, within))?;
        let status = response.status().as_u16();
        let headers = readable(response.headers());
        let cap = self.options.body_cap;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(error, url, within))? {
            let room = cap.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() >= cap {
                break;
            }
        }
        Ok(Answer { status, headers, body, received: now() })
    }

    async fn client(&self, url: &Url) -> Result<&Client, NoAnswer> {
        if url.scheme() == "http" {
            return Ok(&self.plain);
        }
        let made = self.secure.get_or_try_init(|| async { self.trusting_the_machine() }).await;
        // Not sent, not forbidden: the next attempt tries again, so that installing the certificates is enough.
        made.map_err(|HttpError(why)| NoAnswer::NotSent {
            cause: format!(
                "{why}; operator: install the machine's CA certificates (ca-certificates) or set SSL_CERT_FILE"
            ),
        })
    }

    fn trusting_the_machine(&self) -> Result<Client, HttpError> {
        // The client takes its cryptography from the process. A host program may have chosen one; then that one is used.
        if CryptoProvider::get_default().is_none() {
            drop(ring::default_provider().install_default());
        }
        let client = builder(&self.options, &self.guard, &self.lookup).tls_backend_rustls().https_only(true).build();
        client.map_err(|error| HttpError(innermost(&error)))
    }
}

/// What both clients share. The client's own repetition of a request stays on: it covers only what HTTP/2 says was never
/// processed (a refused stream, a graceful shutdown; RFC 9113, section 8.7), so no attempt is counted twice by it.
fn builder(options: &HttpOptions, guard: &Guard, lookup: &Lookup) -> ClientBuilder {
    let mut always = HeaderMap::new();
    always.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Client::builder()
        .user_agent(concat!("outlast/", env!("CARGO_PKG_VERSION")))
        .default_headers(always)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(duration(options.connect_within))
        .pool_max_idle_per_host(options.idle_per_host)
        .tcp_nodelay(true)
        .dns_resolver(Arc::new(Names { guard: guard.clone(), lookup: Arc::clone(lookup) }))
}

/// TLS settings for the client that makes no TLS connection: they must exist, and trust no certificate.
fn trusting_nobody() -> Result<rustls::ClientConfig, HttpError> {
    let settings = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError(error.to_string()))?;
    Ok(settings.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// The request's headers, each checked: a line break in a value would be a header of its own.
fn checked(headers: &[(Cow<'static, str>, String)]) -> Result<HeaderMap, NoAnswer> {
    let mut map = HeaderMap::with_capacity(headers.len().saturating_add(1));
    for (name, value) in headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| forbidden(format!("`{}` is not a header name", name.escape_default())))?;
        if FRAMING.contains(&key.as_str()) {
            return Err(forbidden(format!(
                "header `{name}` is written by the HTTP client; remove it from the request"
            )));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| forbidden(format!("header `{name}` holds a character that HTTP forbids; remove it")))?;
        map.insert(key, value);
    }
    Ok(map)
}

/// The header that carries the token.
pub(crate) fn authorization(url: &Url, bearer: Option<Bearer<'_>>) -> Result<(HeaderName, HeaderValue), NoAnswer> {
    let Some(Bearer { token, audience, carrier }) = bearer else {
        return Err(forbidden("the request needs a token and has none; give its destination a credential"));
    };
    if !audience.admits(url) {
        let origin = url.origin().ascii_serialization();
        return Err(forbidden(format!(
            "the credential's token is not for {origin}; correct the destination's address"
        )));
    }
    private_line(url)?;
    let (name, prefix) = carrier.header();
    if let Some(why) = unfit_header_name(name) {
        let name = name.escape_default();
        return Err(forbidden(format!(
            "`{name}`, which is to carry the token, {why}; correct the credential's header"
        )));
    }
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| forbidden("the name of the header that is to carry the token is no header's"))?;
    let text = Zeroizing::new(format!("{prefix}{}", token.reveal()));
    Ok((name, sensitive(&text, "the token")?))
}

/// A header's value that nobody is shown.
fn sensitive(text: &str, what: &str) -> Result<HeaderValue, NoAnswer> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        forbidden(format!("{what} holds a character that HTTP forbids; authorise the credential again"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn private_line(url: &Url) -> Result<(), NoAnswer> {
    if is_private_line(url) {
        return Ok(());
    }
    let origin = url.origin().ascii_serialization();
    Err(forbidden(format!("a secret is never sent over plain http to {origin}; use https")))
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    headers.iter().filter_map(text).collect()
}

fn forbidden(cause: impl Into<String>) -> NoAnswer {
    NoAnswer::Forbidden { cause: cause.into() }
}

/// What the client's error means for the request. A connection that was not made carried nothing; after that, anything
/// may have arrived.
fn no_answer(error: reqwest::Error, url: &Url, within: Span) -> NoAnswer {
    let (error, origin) = (error.without_url(), url.origin().ascii_serialization());
    if let Some(denied) = cause_of::<Denied>(&error) {
        // A name can resolve to nonsense for a while, behind a captive portal for example. That must not end a delivery.
        return NoAnswer::NotSent { cause: denied.to_string() };
    }
    if error.is_connect() {
        return NoAnswer::NotSent { cause: format!("cannot connect to {origin}: {}", innermost(&error)) };
    }
    if error.is_builder() {
        return forbidden(format!("a request to {origin} cannot be written: {}", innermost(&error)));
    }
    if error.is_timeout() {
        return NoAnswer::Lost { cause: format!("{origin} did not answer within {} ms", within.as_millis()) };
    }
    NoAnswer::Lost { cause: format!("{origin} broke off: {}", innermost(&error)) }
}

/// What the deepest cause says, which is the system's, the TLS library's or the parser's own words: none of them quotes
/// addresses, headers or bodies. The client's errors may, so they are left out.
fn innermost(error: &reqwest::Error) -> String {
    let deepest = chain(error).filter(|error| !error.is::<reqwest::Error>()).last();
    let text = deepest.map_or_else(|| "no reason given".to_owned(), ToString::to_string);
    text.chars().filter(|c| !c.is_control()).take(CAUSE_CAP).collect()
}

fn cause_of<E: StdError + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

fn duration(span: Span) -> Duration {
    Duration::from_millis(span.as_millis())
}

type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;
type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The client's resolver. The guard sits here, because the address that passes is then the one that is connected to.
struct Names {
    guard: Guard,
    lookup: Lookup,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let guard = self.guard.clone();
        let found: Found = if is_localhost(&host) {
            // Never asked of anybody (RFC 6761, section 6.3), so that plain http to it stays on this machine.
            Box::pin(async { Ok(vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]) })
        } else {
            (self.lookup)(host.clone())
        };
        Box::pin(async move {
            let passed = guard.resolved(&host, found.await?)?;
            Ok(Box::new(passed.into_iter()) as Addrs)
        })
    }
}

async fn system_lookup(host: String) -> io::Result<Vec<SocketAddr>> {
    // Port 0 is replaced by the client with the one of the URL.
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// How much of a cause's text is kept.
const CAUSE_CAP: usize = 160;

#[cfg(test)]
pub(crate) mod loopback;
#[cfg(test)]
mod tests;
