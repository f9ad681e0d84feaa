//! Where LinkedIn is, and how it is spoken to: the base address, the version, and what the reference does differently.

use std::fmt::Write as _;

use url::Url;

use crate::destination::SettingError;
use crate::exchange::{Method, Request};

/// Where LinkedIn's API is.
pub(super) const BASE: &str = "https://api.linkedin.com/rest";

/// LinkedIn's API under one address and in one version: what operations are asked of.
#[derive(Clone, Debug)]
pub struct Api {
    base: Url,
    version: String,
    compat: bool,
}

impl Api {
    /// The API at `base`, such as `https://api.linkedin.com/rest`, in `version`, a year and a month such as `202604`.
    ///
    /// # Errors
    /// One of both is malformed; the error says what to write.
    pub fn new(base: &str, version: &str) -> Result<Self, SettingError> {
        Ok(Api { base: checked_base(base)?, version: checked_version(version)?, compat: false })
    }

    /// Behaves as the reference does, its mistakes included. For comparing; off by default.
    #[must_use]
    pub fn compat(mut self, on: bool) -> Self {
        self.compat = on;
        self
    }

    pub(super) fn is_compat(&self) -> bool {
        self.compat
    }

    /// The address of a resource; what is no part of a path stands percent-encoded in it.
    pub(super) fn address<'a>(&self, resource: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base.clone();
        // The base was seen to have a path. Without one there would be nothing to do here.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(resource);
        }
        url
    }

    /// The address of `resource` with these parameters, encoded as forms are.
    pub(super) fn query(&self, resource: &str, parameters: &[(&str, &str)]) -> Url {
        let mut url = self.address([resource]);
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// The address that `rest` is below the base, as it stands: its author encoded it.
    pub(super) fn verbatim(&self, rest: &str) -> Url {
        let whole = format!("{}/{rest}", self.base.as_str().trim_end_matches('/'));
        // `rest` begins below the base's path, so that what fails to parse is no longer than that.
        Url::parse(&whole).unwrap_or_else(|_| self.base.clone())
    }

    /// A request with the token and the version.
    pub(super) fn request(&self, method: Method, url: Url) -> Request {
        Request::new(method, url).bearer().header("linkedin-version", self.version.as_str())
    }

    /// The same that names the protocol as well, which calls for user audiences do not.
    pub(super) fn restli(&self, method: Method, url: Url) -> Request {
        self.request(method, url).header("x-restli-protocol-version", "2.0.0")
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (&Url, &str) {
        (&self.base, &self.version)
    }
}

/// `text` as JavaScript's `encodeURIComponent` writes it.
pub(super) fn component(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn checked_base(base: &str) -> Result<Url, SettingError> {
    let fault = |problem: String| {
        SettingError::new(
            "api",
            problem,
            "Set it to an address such as https://api.linkedin.com/rest, or leave it out.",
        )
    };
    let url = Url::parse(base.trim()).map_err(|error| fault(format!("It is no address: {error}.")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(fault("It is neither https nor http.".into()));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(fault("It has more than a host and a path.".into()));
    }
    if url.cannot_be_a_base() {
        return Err(fault("It has no path.".into()));
    }
    Ok(url)
}

fn checked_version(version: &str) -> Result<String, SettingError> {
    let month = version.get(4..).unwrap_or_default();
    let is_month = ("01"..="12").contains(&month);
    if version.len() == 6 && version.bytes().all(|byte| byte.is_ascii_digit()) && is_month {
        return Ok(version.to_owned());
    }
    Err(SettingError::new(
        "version",
        "It is not a year and a month in six digits.",
        "Set it to a version that LinkedIn lists as active, such as 202603.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        Api::new("https://api.linkedin.com/rest/", "202604").unwrap()
    }

    #[test]
    fn what_comes_from_elsewhere_cannot_leave_its_place_in_a_path() {
        let url = api().address(["dmpSegments", "../x?y#z/é", "users"]);
        assert_eq!(url.as_str(), "https://api.linkedin.com/rest/dmpSegments/..%2Fx%3Fy%23z%2F%C3%A9/users");
    }

    #[test]
    fn parameters_are_encoded_as_in_forms() {
        let url = api().query("dmpSegments", &[("q", "account"), ("key", "Hand made & é:1")]);
        assert_eq!(url.query(), Some("q=account&key=Hand+made+%26+%C3%A9%3A1"));
    }

    #[test]
    fn brackets_stay_where_they_are_meant() {
        let rest = "adAccounts/501/adCampaigns?q=search&search=(status:(values:List(ACTIVE,DRAFT)))";
        assert_eq!(api().verbatim(rest).as_str(), format!("https://api.linkedin.com/rest/{rest}"));
    }

    #[test]
    fn a_component_is_encoded_as_javascript_does() {
        assert_eq!(component("urn:li:x:1 (a)'é/"), "urn%3Ali%3Ax%3A1%20(a)'%C3%A9%2F");
    }
}
