//! What the operator sets.

use super::api::{Api, BASE};
use super::{Conversions, SettingError};
use crate::destination::Batching;

/// The API version that this destination was written for. LinkedIn keeps a version for about a year.
const VERSION: &str = "202603";
/// The most events that LinkedIn takes in one request.
pub(super) const BATCH_MOST: u32 = 5000;

/// Settings on their way to a [`Conversions`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    rule: Option<String>,
    api: String,
    version: String,
    batching: Batching,
    compat: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            rule: None,
            api: BASE.into(),
            version: VERSION.into(),
            batching: Batching::up_to(BATCH_MOST),
            compat: false,
        }
    }

    /// The number of the conversion rule that events are counted for, where their route has none of its own. Required, unless
    /// every route has one.
    pub fn rule(mut self, id: impl Into<String>) -> Self {
        self.rule = Some(id.into());
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
        self.batching.items = events;
        self
    }

    /// How many events share a request, and how long one waits for others. Default: up to 5000, none waits.
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// Sends the reference's bytes, its mistakes included: blanks hashed with the address, digests in the case that they came
    /// in, blank identifiers, `AXCIOM_ID`, no `eventId` where the event has no id, and a batch request for one event unless
    /// the batch size is 1. Elements of a batch's answer are then not read. For comparing; off by default.
    pub fn compat(mut self, on: bool) -> Self {
        self.compat = on;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A setting is missing or malformed; the error names it and says what to write.
    pub fn build(self) -> Result<Conversions, SettingError> {
        Ok(Conversions {
            rule: self.rule.as_deref().map(rule).transpose()?,
            api: Api::new(&self.api, &self.version)?.compat(self.compat),
            batching: checked(self.batching)?,
        })
    }
}

fn rule(id: &str) -> Result<String, SettingError> {
    let id = id.trim();
    let fault = |problem: &str| {
        let remedy =
            "Set it to the number of the conversion rule, such as 789123, without `urn:lla:llaPartnerConversion:`.";
        SettingError::new("rule", problem, remedy)
    };
    match id {
        "" => Err(fault("Conversion Rule ID is required.")),
        _ if !id.bytes().all(|byte| byte.is_ascii_digit()) => Err(fault("Conversion Rule ID is not a number.")),
        _ => Ok(id.to_owned()),
    }
}

pub(super) fn checked(batching: Batching) -> Result<Batching, SettingError> {
    let events = batching.items;
    if (1..=BATCH_MOST).contains(&events) {
        return Ok(batching);
    }
    Err(SettingError::new(
        "batch_size",
        format!("{events} is not from 1 to {BATCH_MOST}."),
        "LinkedIn takes at most 5000 in one request; set it to 1 to send each on its own.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::conversions;

    #[test]
    fn defaults_are_enough_with_a_rule() {
        let built = conversions().rule(" 789123 ").build().unwrap();
        assert_eq!(built.rule.as_deref(), Some("789123"));
        let (base, version) = built.api.parts();
        assert_eq!((base.as_str(), version), ("https://api.linkedin.com/rest", "202603"));
        assert_eq!((built.batching.items, built.api.is_compat()), (5000, false));
    }

    #[test]
    fn a_base_may_end_in_a_slash_or_have_no_path() {
        for (base, events) in [
            ("http://127.0.0.1:9000/rest/", "http://127.0.0.1:9000/rest/conversionEvents"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/conversionEvents"),
        ] {
            assert_eq!(
                conversions().rule("1").api(base).build().unwrap().api.address(["conversionEvents"]).as_str(),
                events
            );
        }
    }

    #[test]
    fn each_bad_setting_is_named_with_a_remedy() {
        let good = || conversions().rule("1");
        let rows = [
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
