//! What the operator sets.

use thiserror::Error;
use url::Url;

use super::{Conversions, Mapping};

/// Where LinkedIn's API is.
const API: &str = "https://api.linkedin.com/rest";
/// The API version that this destination was written for. LinkedIn keeps a version for about a year.
const VERSION: &str = "202603";
/// The most conversions that LinkedIn takes in one request.
const BATCH_MOST: u32 = 5000;

/// A setting that cannot be used: which one, why, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{setting}`: {problem} {remedy}")]
pub struct SettingError {
    setting: &'static str,
    problem: String,
    remedy: &'static str,
}

impl SettingError {
    /// The setting's name.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.remedy
    }
}

/// Settings on their way to a [`Conversions`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    rule: String,
    api: String,
    version: String,
    batch_size: u32,
    compat: bool,
    mapping: Mapping,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            rule: String::new(),
            api: API.into(),
            version: VERSION.into(),
            batch_size: BATCH_MOST,
            compat: false,
            mapping: Mapping::default(),
        }
    }

    /// The number of the conversion rule that events are counted for. Required.
    pub fn rule(mut self, id: impl Into<String>) -> Self {
        self.rule = id.into();
        self
    }

    /// Another API than `https://api.linkedin.com/rest`, such as the sandbox's.
    pub fn api(mut self, base: impl Into<String>) -> Self {
        self.api = base.into();
        self
    }

    /// The `LinkedIn-Version`, a year and a month. Default: `202603`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The most events in one request, from 1 to 5000, which is also the default.
    pub fn batch_size(mut self, events: u32) -> Self {
        self.batch_size = events;
        self
    }

    /// Sends the reference's bytes, its mistakes included: blanks hashed with the address, digests in the case that they came
    /// in, blank identifiers, `AXCIOM_ID`, no `eventId` where the event has no id, and a batch request for one event unless
    /// the batch size is 1. Elements of a batch's answer are then not read. For comparing; off by default.
    pub fn compat(mut self, on: bool) -> Self {
        self.compat = on;
        self
    }

    /// Another mapping than the default one.
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A setting is missing or malformed; the error names it and says what to write.
    pub fn build(self) -> Result<Conversions, SettingError> {
        Ok(Conversions {
            rule: rule(&self.rule)?,
            events: events(&self.api)?,
            version: version(self.version)?,
            batch_size: batch_size(self.batch_size)?,
            compat: self.compat,
            mapping: self.mapping,
        })
    }
}

fn rule(id: &str) -> Result<String, SettingError> {
    let id = id.trim();
    let fault = |problem: &str| SettingError {
        setting: "rule",
        problem: problem.into(),
        remedy: "Set it to the number of the conversion rule, such as 789123, without `urn:lla:llaPartnerConversion:`.",
    };
    match id {
        "" => Err(fault("Conversion Rule ID is required.")),
        _ if !id.bytes().all(|byte| byte.is_ascii_digit()) => Err(fault("Conversion Rule ID is not a number.")),
        _ => Ok(format!("urn:lla:llaPartnerConversion:{id}")),
    }
}

fn events(base: &str) -> Result<Url, SettingError> {
    let fault = |problem: String| SettingError {
        setting: "api",
        problem,
        remedy: "Set it to an address such as https://api.linkedin.com/rest, or leave it out.",
    };
    let mut url = Url::parse(base.trim()).map_err(|error| fault(format!("It is no address: {error}.")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(fault("It is neither https nor http.".into()));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(fault("It has more than a host and a path.".into()));
    }
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().push("conversionEvents");
        }
        Err(()) => return Err(fault("It has no path.".into())),
    }
    Ok(url)
}

fn version(version: String) -> Result<String, SettingError> {
    let month = version.get(4..).unwrap_or_default();
    let is_month = ("01"..="12").contains(&month);
    if version.len() == 6 && version.bytes().all(|byte| byte.is_ascii_digit()) && is_month {
        return Ok(version);
    }
    Err(SettingError {
        setting: "version",
        problem: "It is not a year and a month in six digits.".into(),
        remedy: "Set it to a version that LinkedIn lists as active, such as 202603.",
    })
}

fn batch_size(events: u32) -> Result<u32, SettingError> {
    if (1..=BATCH_MOST).contains(&events) {
        return Ok(events);
    }
    Err(SettingError {
        setting: "batch_size",
        problem: format!("{events} is not from 1 to {BATCH_MOST}."),
        remedy: "LinkedIn takes at most 5000 conversions in one request; set it to 1 to send each on its own.",
    })
}

#[cfg(test)]
mod tests {
    use super::super::conversions;

    #[test]
    fn defaults_are_enough_with_a_rule() {
        let built = conversions().rule(" 789123 ").build().unwrap();
        assert_eq!(built.rule, "urn:lla:llaPartnerConversion:789123");
        assert_eq!(built.events.as_str(), "https://api.linkedin.com/rest/conversionEvents");
        assert_eq!((built.version.as_str(), built.batch_size, built.compat), ("202603", 5000, false));
    }

    #[test]
    fn a_base_may_end_in_a_slash_or_have_no_path() {
        for (base, events) in [
            ("http://127.0.0.1:9000/rest/", "http://127.0.0.1:9000/rest/conversionEvents"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/conversionEvents"),
        ] {
            assert_eq!(conversions().rule("1").api(base).build().unwrap().events.as_str(), events);
        }
    }

    #[test]
    fn each_bad_setting_is_named_with_a_remedy() {
        let good = || conversions().rule("1");
        let rows = [
            (conversions(), "rule", "Conversion Rule ID is required."),
            (good().rule("  "), "rule", "Conversion Rule ID is required."),
            (good().rule("urn:lla:llaPartnerConversion:1"), "rule", "not a number"),
            (good().api("rest"), "api", "no address"),
            (good().api("ftp://api.linkedin.com"), "api", "neither https nor http"),
            (good().api("https://user@api.linkedin.com/rest"), "api", "more than a host"),
            (good().api("https://api.linkedin.com/rest?x=1"), "api", "more than a host"),
            (good().version("2026"), "version", "six digits"),
            (good().version("202613"), "version", "six digits"),
            (good().version("2026o3"), "version", "six digits"),
            (good().batch_size(0), "batch_size", "0 is not from 1 to 5000"),
            (good().batch_size(5001), "batch_size", "5001 is not"),
        ];
        for (builder, setting, problem) in rows {
            let error = builder.build().unwrap_err();
            assert_eq!(error.setting(), setting);
            assert!(error.problem().contains(problem), "{error}");
            assert!(!error.remedy().is_empty() && error.to_string().contains(error.remedy()));
        }
    }
}
