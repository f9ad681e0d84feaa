//! Whether a credential is good for a destination.

use serde_json::{Value, json};

use super::{id_text, phrase, trouble, why};
use crate::destination::linkedin::Audiences;
use crate::destination::linkedin::api::Api;
use crate::destination::{Operation, Step, Trouble};
use crate::exchange::{Answer, Exchange, Method};

/// The code of all that a probe finds.
const INVALID: &str = "INVALID_CREDENTIALS";
const NO_ACCOUNT: &str =
    "Invalid LinkedIn Ad Account id. Please verify that the LinkedIn Ad Account exists and that you have access to it.";
const VIEWER: &str = "Access to the provided Ad Account with a role other than Viewer is required. Please reach out to a \
                      LinkedIn Ad Account Admin on your team to grant proper access.";

/// The asking who the credential belongs to, and for audiences what they may do.
#[derive(Clone, Debug)]
pub struct Probe {
    api: Api,
    /// The ad account whose role counts.
    account: Option<String>,
}

/// Whether the credential belongs to somebody. It ends with `{"id": …}`.
#[must_use]
pub fn test_conversions(api: &Api) -> Probe {
    Probe { api: api.clone(), account: None }
}

/// Whether the credential belongs to somebody who may change the ad account's audiences. It ends with
/// `{"id": …, "role": …}`.
#[must_use]
pub fn test_audiences(audiences: &Audiences) -> Probe {
    Probe { api: audiences.api().clone(), account: Some(audiences.ad_account_id().to_owned()) }
}

impl Operation for Probe {
    fn step(&self, so_far: &[Exchange]) -> Step {
        let mut answers = so_far.iter().map(|exchange| &exchange.answer);
        let Some(me) = answers.next() else { return self.ask(&["me"]) };
        let person = match self.person(me) {
            Ok(person) => person,
            Err(trouble) => return Step::Failed(trouble),
        };
        let Some(account) = &self.account else { return Step::Done(json!({"id": person})) };
        let Some(role) = answers.next() else {
            let key = format!("account=urn:li:sponsoredAccount:{account}&user=urn:li:person:{person}");
            return self.ask(&["adAccountUsers", &key]);
        };
        match self.role(role) {
            Ok(role) => Step::Done(json!({"id": person, "role": role})),
            Err(trouble) => Step::Failed(trouble),
        }
    }
}

impl Probe {
    /// What is said where there is no token to ask with.
    #[must_use]
    pub fn without_token(&self) -> Trouble {
        trouble(INVALID, told(&format!("Please authenticate via Oauth before {}.", self.before())))
    }

    fn ask(&self, resource: &[&str]) -> Step {
        let url = self.api.address(resource.iter().copied());
        // Calls for user audiences do not name the protocol, and this is one (Q23).
        let names = self.account.is_none();
        let request = if names { self.api.restli(Method::Get, url) } else { self.api.request(Method::Get, url) };
        Step::Ask(request)
    }

    fn before(&self) -> &'static str {
        if self.account.is_none() {
            "enabling the destination"
        } else {
            "updating other settings and/or enabling the destination"
        }
    }

    fn person(&self, answer: &Answer) -> Result<String, Trouble> {
        if answer.status == 401 {
            let remedy = format!("Please reauthenticate to retrieve a valid access token before {}.", self.before());
            return Err(trouble(INVALID, told(&format!("Invalid LinkedIn Oauth access token. {remedy}"))));
        }
        if !answer.is_success() {
            return Err(self.failed(answer));
        }
        match answer.json().as_ref().and_then(|body| id_text(body.get("id")?)) {
            Some(person) => Ok(person),
            // The reference does not look at it.
            None if self.api.is_compat() => Ok("undefined".into()),
            None => Err(trouble(INVALID, told("LinkedIn did not say who the access token belongs to. Try again."))),
        }
    }

    fn role(&self, answer: &Answer) -> Result<Value, Trouble> {
        if answer.status == 404 {
            return Err(trouble(INVALID, told(NO_ACCOUNT)));
        }
        if !answer.is_success() {
            return Err(self.failed(answer));
        }
        let role = answer.json().and_then(|body| body.get("role").cloned()).unwrap_or_default();
        if role == "VIEWER" { Err(trouble(INVALID, told(VIEWER))) } else { Ok(role) }
    }

    fn failed(&self, answer: &Answer) -> Trouble {
        let status = answer.status;
        if self.api.is_compat() {
            return trouble(
                INVALID,
                format!("Credentials are invalid: {status} {}", phrase(status).unwrap_or_default()),
            );
        }
        trouble(INVALID, format!("The credential could not be tested. {}", why(answer, false)))
    }
}

/// The reference's host puts a status before each text, which is empty for its own.
fn told(text: &str) -> String {
    format!("Credentials are invalid:  {text}")
}
