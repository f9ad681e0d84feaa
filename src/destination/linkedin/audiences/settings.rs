//! What the operator sets.

use super::Audiences;
use crate::destination::Batching;
use crate::destination::linkedin::SettingError;
use crate::destination::linkedin::api::{Api, BASE};
use crate::destination::linkedin::settings::{BATCH_MOST, checked};

/// The API version that this destination was written for. LinkedIn keeps a version for about a year.
const VERSION: &str = "202604";

/// Settings on their way to an [`Audiences`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    ad_account_id: String,
    send_email: bool,
    send_google_advertising_id: bool,
    api: String,
    version: String,
    batching: Batching,
    compat: bool,
}

impl Builder {
    pub(in super::super) fn new() -> Self {
        Builder {
            ad_account_id: String::new(),
            send_email: true,
            send_google_advertising_id: true,
            api: BASE.into(),
            version: VERSION.into(),
            batching: Batching::up_to(BATCH_MOST),
            compat: false,
        }
    }

    /// The number of the ad account that the audiences belong to. Required.
    pub fn ad_account_id(mut self, id: impl Into<String>) -> Self {
        self.ad_account_id = id.into();
        self
    }

    /// Whether people are named by their e-mail address, as its hash. Default: they are.
    pub fn send_email(mut self, on: bool) -> Self {
        self.send_email = on;
        self
    }

    /// Whether people are named by their Google advertising id. Default: they are.
    pub fn send_google_advertising_id(mut self, on: bool) -> Self {
        self.send_google_advertising_id = on;
        self
    }

    /// Another API than `https://api.linkedin.com/rest`, such as the sandbox's.
    pub fn api(mut self, base: impl Into<String>) -> Self {
        self.api = base.into();
        self
    }

    /// The `LinkedIn-Version`, a year and a month. Default: `202604`.
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

    /// Behaves as the reference does, its mistakes included: addresses hashed as they were given, one segment for all of a
    /// batch, people without an identifier called delivered, results of elements unread. For comparing; off by default.
    pub fn compat(mut self, on: bool) -> Self {
        self.compat = on;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A setting is missing or malformed; the error names it and says what to write.
    pub fn build(self) -> Result<Audiences, SettingError> {
        let account = account(&self.ad_account_id)?;
        if !self.send_email && !self.send_google_advertising_id {
            return Err(SettingError::new("send_email", NO_IDENTIFIER, "Set one of both to true, or leave it out."));
        }
        Ok(Audiences {
            api: Api::new(&self.api, &self.version)?.compat(self.compat),
            account,
            send_email: self.send_email,
            send_advertising_id: self.send_google_advertising_id,
            batching: checked(self.batching)?,
        })
    }
}

/// The reference's words for a destination that may send no identifier.
pub(in super::super) const NO_IDENTIFIER: &str =
    "At least one of `Send Email` or `Send Google Advertising ID` must be set to `true`.";

fn account(id: &str) -> Result<String, SettingError> {
    let id = id.trim();
    let fault = |problem: &str| {
        let remedy = "Set it to the number of the ad account, such as 501, without `urn:li:sponsoredAccount:`.";
        SettingError::new("ad_account_id", problem, remedy)
    };
    match id {
        "" => Err(fault("The root value is missing the required field 'ad_account_id'.")),
        _ if !id.bytes().all(|byte| byte.is_ascii_digit()) => Err(fault("The ad account is not a number.")),
        _ => Ok(id.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::destination::linkedin::audiences;

    #[test]
    fn defaults_are_enough_with_an_account() {
        let built = audiences().ad_account_id(" 501 ").build().unwrap();
        assert_eq!(built.ad_account_id(), "501");
        let (base, version) = built.api().parts();
        assert_eq!((base.as_str(), version), ("https://api.linkedin.com/rest", "202604"));
    }

    #[test]
    fn each_bad_setting_is_named_with_a_remedy() {
        let good = || audiences().ad_account_id("501");
        let rows = [
            (audiences(), "ad_account_id", "missing the required field 'ad_account_id'"),
            (audiences().ad_account_id("urn:li:sponsoredAccount:501"), "ad_account_id", "not a number"),
            (good().send_email(false).send_google_advertising_id(false), "send_email", "At least one of `Send Email`"),
            (good().api("rest"), "api", "no address"),
            (good().version("2026"), "version", "six digits"),
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

    #[test]
    fn one_identifier_is_enough() {
        assert!(audiences().ad_account_id("501").send_email(false).build().is_ok());
        assert!(audiences().ad_account_id("501").send_google_advertising_id(false).build().is_ok());
    }
}
