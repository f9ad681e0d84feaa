//! Where in a request the token stands.

/// Where in a request the token stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// `authorization: Bearer TOKEN` (RFC 6750, section 2.1).
    #[default]
    Bearer,
    /// A header of the provider's own.
    Header {
        /// Its name, in lower case.
        name: String,
        /// What stands before the token, with its blank; often nothing.
        prefix: String,
    },
}

impl Carrier {
    /// The carrier of these two, each of which has a default: `authorization`, and `Bearer ` in it.
    pub(crate) fn of(header: Option<String>, prefix: Option<String>) -> Self {
        let name = header.unwrap_or_else(|| "authorization".to_owned());
        let usual = if name == "authorization" { "Bearer " } else { "" };
        let prefix = prefix.unwrap_or_else(|| usual.to_owned());
        match (name.as_str(), prefix.as_str()) {
            ("authorization", "Bearer ") => Carrier::Bearer,
            _ => Carrier::Header { name, prefix },
        }
    }

    /// The header's name and what stands in it before the token.
    pub(crate) fn header(&self) -> (&str, &str) {
        match self {
            Carrier::Bearer => ("authorization", "Bearer "),
            Carrier::Header { name, prefix } => (name, prefix),
        }
    }
}
