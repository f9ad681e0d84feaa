//! What people can choose from: ad accounts, campaigns, conversion rules.

use serde_json::{Map, Value, json};
use url::Url;

use super::inputs::{account_number, account_urn};
use super::{id_text, trouble, why};
use crate::destination::linkedin::answer::message;
use crate::destination::linkedin::api::{Api, component};
use crate::destination::{Operation, Step, Trouble};
use crate::exchange::{Answer, Exchange, Method};

/// So many pages are read at most. What is beyond them is not offered, and that is said.
const PAGES_MOST: usize = 50;

/// The reading of a list.
#[derive(Clone, Debug)]
pub struct Choices {
    api: Api,
    what: What,
    first: Url,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Accounts,
    Campaigns,
    Rules,
}

/// What can be chosen for `field`: `adAccountId`, or `campaignId` or `conversionRuleId` of the account that `inputs` has
/// chosen. It ends with `{"choices": [{"label": …, "value": …}]}`.
///
/// # Errors
/// There is no such list, or no account was chosen. Nothing was asked.
pub fn choices(api: &Api, field: &str, inputs: &Map<String, Value>) -> Result<Choices, Trouble> {
    let compat = api.is_compat();
    let (what, first) = match field {
        "adAccountId" => (What::Accounts, api.query("adAccounts", &[("q", "search")])),
        "campaignId" => {
            let id = component(&account_number(inputs, compat)?.ok_or_else(not_selected)?);
            // The search's brackets and commas must not be encoded.
            let rest = format!("adAccounts/{id}/adCampaigns?q=search&search=(status:(values:List(ACTIVE,DRAFT)))");
            (What::Campaigns, api.verbatim(&rest))
        }
        "conversionRuleId" => {
            let account = account_urn(inputs, compat)?.ok_or_else(not_selected)?;
            let parameters = [("q", "account"), ("account", account.as_str()), ("start", "0"), ("count", "100")];
            (What::Rules, api.query("conversions", &parameters))
        }
        other => {
            let message = format!(
                "There are no choices for `{other}`; there are for adAccountId, campaignId and conversionRuleId."
            );
            return Err(none(trouble("UNKNOWN_FIELD", message)));
        }
    };
    Ok(Choices { api: api.clone(), what, first })
}

fn not_selected() -> Trouble {
    none(trouble("FIELD_NOT_SELECTED", "Please select Ad Account first to get list of Conversion Rules."))
}

fn none(trouble: Trouble) -> Trouble {
    Trouble { reached: json!({"choices": []}), ..trouble }
}

impl Operation for Choices {
    fn step(&self, so_far: &[Exchange]) -> Step {
        let mut found = Vec::new();
        let mut page = Some(self.first.clone());
        for Exchange { answer, .. } in so_far {
            let body = match self.read(answer) {
                Ok(body) => body,
                Err(trouble) => return Step::Failed(trouble),
            };
            let elements = body.get("elements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            found.extend(elements.iter().filter_map(|element| self.choice(element)));
            page = self.next(&body, elements.len());
        }
        match page {
            // The reference reads one page (Q25).
            Some(url) if so_far.is_empty() || (!self.api.is_compat() && so_far.len() < PAGES_MOST) => {
                Step::Ask(self.api.restli(Method::Get, url))
            }
            Some(_) if !self.api.is_compat() => Step::Done(json!({"choices": found, "more": true})),
            _ => Step::Done(json!({ "choices": found })),
        }
    }
}

impl Choices {
    fn read(&self, answer: &Answer) -> Result<Value, Trouble> {
        let body = answer.json();
        let listed = body.as_ref().and_then(|body| body.get("elements")).is_some_and(Value::is_array);
        match body {
            Some(body) if answer.is_success() && listed => Ok(body),
            body => Err(none(self.trouble(answer, body.as_ref()))),
        }
    }

    fn trouble(&self, answer: &Answer, body: Option<&Value>) -> Trouble {
        let (code, what) = match self.what {
            What::Accounts => ("FETCH_AD_ACCOUNTS_ERROR", "ad accounts"),
            What::Campaigns | What::Rules => ("FETCH_CONVERSIONS_ERROR", "conversion rules"),
        };
        let body = body.filter(|_| !answer.is_success());
        let code = body.and_then(|body| body.get("code")).and_then(id_text).unwrap_or_else(|| code.to_owned());
        if !self.api.is_compat() && !answer.is_success() {
            return trouble(&code, why(answer, false));
        }
        let message =
            body.and_then(message).map_or_else(|| format!("An error occurred while fetching {what}."), str::to_owned);
        trouble(&code, message)
    }

    fn choice(&self, element: &Value) -> Option<Value> {
        let is = |key: &str, value: &Value| element.get(key) == Some(value);
        let counts = is("enabled", &json!(true)) && is("conversionMethod", &json!("CONVERSIONS_API"));
        if self.what == What::Rules && !counts {
            return None;
        }
        let id = element.get("id")?;
        let text = id_text(id)?;
        let value = match self.what {
            What::Accounts => Value::from(format!("urn:li:sponsoredAccount:{text}")),
            What::Campaigns | What::Rules => id.clone(),
        };
        let label = element.get("name").and_then(Value::as_str).unwrap_or(&text);
        Some(json!({"label": label, "value": value}))
    }

    /// Where the next page is, if there is one: named by a token, or by the position of its first element.
    fn next(&self, body: &Value, elements: usize) -> Option<Url> {
        let mut url = self.first.clone();
        if let Some(token) = body.pointer("/metadata/nextPageToken").and_then(Value::as_str).filter(|it| !it.is_empty())
        {
            return Some(with(&mut url, &[("pageToken", token)]));
        }
        let of = |name: &str| body.pointer(&format!("/paging/{name}")).and_then(Value::as_u64);
        let (start, total) = (of("start")?, of("total")?);
        let next = start.saturating_add(u64::try_from(elements).unwrap_or(u64::MAX));
        let count = of("count").filter(|count| *count > 0).unwrap_or(100);
        let more = elements > 0 && next < total;
        more.then(|| with(&mut url, &[("start", &next.to_string()), ("count", &count.to_string())]))
    }
}

/// The address with these parameters in place of those of the same names. The query is put together by hand: what its author
/// did not encode must stay so.
fn with(url: &mut Url, parameters: &[(&str, &str)]) -> Url {
    let named = |part: &&str| parameters.iter().all(|(name, _)| part.split('=').next() != Some(*name));
    let kept = url.query().unwrap_or_default().split('&').filter(named).map(str::to_owned);
    let added = parameters.iter().map(|(name, value)| format!("{name}={}", component(value)));
    let query = kept.chain(added).collect::<Vec<_>>().join("&");
    url.set_query(Some(&query));
    url.clone()
}
