//! Where a connection may go, and who may see a token.
//!
//! A destination's address is configuration, but a name is resolved by whoever answers the question, and addresses can
//! come from an operator's typing error. Without a guard, a webhook can be pointed at the machine's own metadata service.
//! So only global unicast addresses may be connected to, unless configuration says otherwise.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Origin, Url};

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    loopback: bool,
    hosts: Vec<String>,
}

impl Guard {
    /// A guard that lets global unicast addresses pass, loopback if `loopback` says so, and the named `hosts` (names or
    /// addresses, compared exactly, without regard to case) whatever they resolve to.
    #[must_use]
    pub fn new(loopback: bool, hosts: &[String]) -> Self {
        Guard { loopback, hosts: hosts.iter().map(|host| plain(host)).collect() }
    }

    /// Whether a request to `url` may be made at all. A literal address never meets a resolver, so it is judged here.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn url(&self, url: &Url) -> Result<(), Denied> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Denied::unfit("the address", "is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denied::unfit("the address", "holds a user name or a password; leave them out"));
        }
        match url.host() {
            None => Err(Denied::unfit("the address", "has no host")),
            Some(Host::Ipv4(address)) => self.address(&address, address.into()),
            Some(Host::Ipv6(address)) => self.address(&address, address.into()),
            Some(Host::Domain(name)) if is_localhost(name) => self.address(&name, Ipv4Addr::LOCALHOST.into()),
            Some(Host::Domain(_)) => Ok(()),
        }
    }

    /// The addresses of `host` that may be connected to. The others are left out, so that a network which adds
    /// synthesised addresses (DNS64) still works.
    ///
    /// # Errors
    /// The rule that forbids the first address, when none is left.
    pub fn resolved(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Denied> {
        let mut denied = Denied::unfit(host, "has no address");
        let mut passed = Vec::with_capacity(addresses.len());
        for address in addresses.into_iter().rev() {
            match self.address(&host, address.ip()) {
                Ok(()) => passed.push(address),
                Err(why) => denied = why,
            }
        }
        passed.reverse();
        if passed.is_empty() { Err(denied) } else { Ok(passed) }
    }

    /// The host's text is made only where it is looked at: this is asked for each request.
    fn address(&self, host: &dyn fmt::Display, address: IpAddr) -> Result<(), Denied> {
        let loopback = match address {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.is_loopback(),
        };
        if self.loopback && loopback {
            return Ok(());
        }
        if !self.hosts.is_empty() && self.hosts.contains(&plain(&host.to_string())) {
            return Ok(());
        }
        match reserved(address) {
            None => Ok(()),
            Some(what) => Err(Denied { host: host.to_string(), rule: Rule::Reserved { what, loopback } }),
        }
    }
}

/// Whether `name` is one of the names that mean this machine and nothing else (RFC 6761, section 6.3).
#[must_use]
pub fn is_localhost(name: &str) -> bool {
    let name = plain(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether what is sent to `url` stays secret: https, or http that cannot leave this machine.
#[must_use]
pub fn is_private_line(url: &Url) -> bool {
    match url.host() {
        _ if url.scheme() == "https" => true,
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What the address is reserved for; `None` if it is a global unicast address.
#[must_use]
pub fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let row = RESERVED_V4.iter().find(|(net, length, _)| {
                same_prefix(u128::from(address.to_bits()), u128::from(net.to_bits()), 32, *length)
            });
            row.map(|(_, _, what)| *what)
        }
        IpAddr::V6(address) => {
            let row =
                RESERVED_V6.iter().find(|(net, length, _)| same_prefix(address.to_bits(), net.to_bits(), 128, *length));
            let global = same_prefix(address.to_bits(), GLOBAL_V6.to_bits(), 128, 3);
            row.map(|(_, _, what)| *what).or((!global).then_some("not global unicast"))
        }
    }
}

fn same_prefix(one: u128, other: u128, bits: u32, length: u32) -> bool {
    (one ^ other).checked_shr(bits.saturating_sub(length)).unwrap_or(0) == 0
}

/// Lower case, without the dot that ends an absolute name and the brackets that hold a version 6 address.
fn plain(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// The rule that forbids a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    host: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Unfit(&'static str),
    Reserved { what: &'static str, loopback: bool },
}

impl Denied {
    fn unfit(host: &str, why: &'static str) -> Self {
        Denied { host: host.to_owned(), rule: Rule::Unfit(why) }
    }
}

impl Denied {
    /// As it is told about a configuration file, where an address is allowed by a key, or not at all.
    pub(crate) fn in_a_file(&self) -> String {
        let host = &self.host;
        match self.rule {
            Rule::Unfit(why) => format!("{host} {why}"),
            Rule::Reserved { what, loopback: true } => format!(
                "{host} is a reserved address ({what}); network.allow_loopback = true allows this machine's own addresses"
            ),
            Rule::Reserved { what, loopback: false } => {
                format!("{host} is a reserved address ({what}), to which nothing is sent; write the provider's address")
            }
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.rule {
            Rule::Unfit(why) => write!(f, "{host} {why}"),
            Rule::Reserved { what, loopback } => {
                let remedy = if loopback { "allow loopback" } else { "list the host as allowed" };
                write!(f, "{host} is a reserved address ({what}); if it is meant, {remedy} in the configuration")
            }
        }
    }
}

impl std::error::Error for Denied {}

/// Which origins may see a credential's token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience(Vec<Origin>);

impl Audience {
    /// The origins (scheme, host and port) of these addresses.
    #[must_use]
    pub fn of<'a>(addresses: impl IntoIterator<Item = &'a Url>) -> Self {
        Audience(addresses.into_iter().map(Url::origin).collect())
    }

    /// The origins, as they are written.
    pub(crate) fn origins(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Origin::ascii_serialization)
    }

    /// Whether a request to `url` may carry the token.
    #[must_use]
    pub fn admits(&self, url: &Url) -> bool {
        self.0.contains(&url.origin())
    }
}

/// The IANA registry of special-purpose addresses, and what clouds add to it.
const RESERVED_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's host agent"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::BROADCAST, 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Outside [`GLOBAL_V6`] everything is refused; the rows there only give the reason its name.
const RESERVED_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4-mapped"),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, "IPv4-translated"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32, "NAT64"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 32, "discard only"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "benchmarking"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, "returned test network"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "segment routing"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// `2000::/3`, the only block from which global unicast addresses are given out.
const GLOBAL_V6: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

#[cfg(test)]
mod tests;
