//! Where the browser comes back to (RFC 8252, section 7.3): a listener on loopback that takes one answer and serves nothing else.
//!
//! Any page in the browser, and any program of this machine, can send something here. So only a GET of the one path with the
//! right host is looked at, only a right `state` ends the wait, and everything is bounded: sizes, connections, time.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::page::{self, Page};
use crate::cli::failure::Failure;
use crate::clock;
use crate::oauth::{Code, NoCode};

/// The longest head of a request that is read.
const LONGEST: usize = 16 * 1024;

/// How long a connection may take to say what it wants. Browsers open some that they never use.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// So many connections are read at once.
const AT_ONCE: usize = 16;

/// Where the browser comes back to.
pub(super) struct Redirect {
    /// As it was written; it goes to the provider to the letter.
    written: Option<String>,
    url: Url,
    port: Option<u16>,
}

impl Redirect {
    /// The configured address, or one of this machine.
    pub(super) fn of(written: Option<&str>, port: Option<u16>) -> Result<Self, Failure> {
        let text = written.unwrap_or("http://127.0.0.1/");
        let url =
            Url::parse(text).map_err(|why| Failure::usage(format!("redirect_uri: {text:?} is no address: {why}")))?;
        if let (Some(fixed), Some(asked)) = (url.port(), port)
            && fixed != asked
        {
            let message =
                format!("--port {asked}: redirect_uri is {text}, whose port is {fixed}, and providers compare it");
            return Err(
                Failure::usage(message).help("leave --port out, or change redirect_uri here and at the provider")
            );
        }
        Ok(Redirect { written: written.map(str::to_owned), url, port })
    }

    /// Whether this machine can listen there.
    pub(super) fn is_here(&self) -> bool {
        self.url.scheme() == "http" && self.place().is_some()
    }

    /// The address as the provider gets it where nobody listens.
    pub(super) fn address(&self) -> String {
        self.written.clone().unwrap_or_else(|| self.url.to_string())
    }

    fn place(&self) -> Option<std::net::IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()).filter(|_| address.is_loopback()),
            Host::Ipv6(address) => Some(address.into()).filter(|_| address == Ipv6Addr::LOCALHOST),
            Host::Domain(name) => name.eq_ignore_ascii_case("localhost").then_some(Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Listens; the address as the provider gets it.
    pub(super) async fn listen(self) -> Result<(String, Option<Listener>), Failure> {
        let Some(place) = self.place() else { return Ok((self.address(), None)) };
        let port = self.url.port().or(self.port).unwrap_or(0);
        let listening = TcpListener::bind(SocketAddr::from((place, port))).await;
        let listening = listening.map_err(|why| {
            Failure::new(format!("port {port} of {place} cannot be listened on: {why}"))
                .help("choose another with --port, or use --manual")
        })?;
        let bound =
            listening.local_addr().map_err(|why| Failure::new(format!("the listener has no address: {why}")))?;
        let mut url = self.url;
        let had_port = url.port().is_some();
        // The scheme is http and there is a host, so it has room for a port.
        let _ = url.set_port(Some(bound.port()));
        let address = self.written.filter(|_| had_port).unwrap_or_else(|| url.to_string());
        let authority = format!("{}:{}", url.host_str().unwrap_or_default(), bound.port());
        Ok((address, Some(Listener { listening, path: url.path().to_owned(), authority })))
    }
}

/// Takes one answer.
pub(super) struct Listener {
    listening: TcpListener,
    path: String,
    authority: String,
}

/// An answer that ends the wait, and the browser that brought it.
pub(super) struct Arrived {
    pub(super) result: Result<Code, NoCode>,
    pub(super) browser: Browser,
}

/// A connection that waits for its page.
pub(super) struct Browser(TcpStream);

impl Listener {
    /// Waits for the answer that `read` takes for its own.
    pub(super) async fn wait(
        self,
        patience: Duration,
        read: impl Fn(&str) -> Result<Code, NoCode>,
    ) -> Result<Arrived, Failure> {
        let never = CancellationToken::new();
        let mut over = std::pin::pin!(clock::wait(patience, &never));
        let mut reading = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut over => {
                    return Err(Failure::new("nobody came back in time; nothing has changed")
                        .help("begin again; --timeout waits longer, and --manual does without the browser's way back"));
                }
                accepted = self.listening.accept(), if reading.len() < AT_ONCE => {
                    if let Ok((stream, _)) = accepted {
                        reading.spawn(head(stream));
                    } else {
                        // Out of descriptors, most likely: not in a busy loop.
                        clock::wait(Duration::from_millis(100), &never).await;
                    }
                }
                Some(read_head) = reading.join_next(), if !reading.is_empty() => {
                    let Ok(Some((head, stream))) = read_head else { continue };
                    let mut browser = Browser(stream);
                    match self.query(&head) {
                        Err(page) => browser.answer(&page).await,
                        Ok(query) => match read(&query) {
                            Err(NoCode::Foreign) => browser.answer(&page::foreign()).await,
                            result => return Ok(Arrived { result, browser }),
                        },
                    }
                }
            }
        }
    }

    /// The query of a request that may be the answer.
    fn query(&self, head: &str) -> Result<String, Page> {
        let mut lines = head.split("\r\n");
        let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, target, version] = first.as_slice() else {
            return Err(page::stray("400 Bad Request", "This is no request of HTTP."));
        };
        if !matches!(*version, "HTTP/1.1" | "HTTP/1.0") {
            return Err(page::stray("505 HTTP Version Not Supported", "Only HTTP/1 is spoken here."));
        }
        if *method != "GET" {
            return Err(page::stray("405 Method Not Allowed", "Only GET is answered here."));
        }
        // A page that had its own name resolved to this machine would send that name (DNS rebinding).
        let hosts: Vec<&str> = lines
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|(_, value)| value.trim())
            .collect();
        if hosts != [self.authority.as_str()] {
            return Err(page::stray("421 Misdirected Request", "This is not the host that was asked for."));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != self.path {
            return Err(page::stray("404 Not Found", "Only the way back from the consent ends here."));
        }
        Ok(query.to_owned())
    }
}

/// The head of a request, read to its end; nothing of one that is too long, too slow, or cut off.
async fn head(mut stream: TcpStream) -> Option<(Zeroizing<String>, TcpStream)> {
    let never = CancellationToken::new();
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    let read = async {
        loop {
            if stream.read_buf(&mut *bytes).await.ok()? == 0 || bytes.len() > LONGEST {
                return None;
            }
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                return std::str::from_utf8(bytes.get(..end)?).ok().map(|head| Zeroizing::new(head.to_owned()));
            }
        }
    };
    let head = tokio::select! {
        head = read => head?,
        _ = clock::wait(HEAD_WITHIN, &never) => return None,
    };
    Some((head, stream))
}

impl Browser {
    /// Shows a page. A browser that has gone misses it, and the terminal says the same.
    pub(super) async fn answer(&mut self, page: &Page) {
        let Page { status, body } = page;
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
             referrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
             content-security-policy: default-src 'none'\r\nconnection: close\r\n\r\n{body}"
        );
        let never = CancellationToken::new();
        let written = async {
            self.0.write_all(text.as_bytes()).await?;
            self.0.shutdown().await
        };
        tokio::select! {
            written = written => drop(written),
            _ = clock::wait(HEAD_WITHIN, &never) => {}
        }
    }
}

#[cfg(test)]
mod tests;
