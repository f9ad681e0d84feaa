//! Counting a rule's conversions for campaigns. Campaigns are only ever added.

use serde_json::{Map, Value, json};

use super::why;
use crate::destination::linkedin::api::{Api, component};
use crate::exchange::{Answer, Method, Request};

/// One or more campaigns and a rule.
pub(super) fn associate(api: &Api, campaigns: &[String], rule: &str) -> Request {
    let pairs: Vec<Pair> = campaigns.iter().map(|campaign| Pair::new(campaign, rule)).collect();
    match pairs.as_slice() {
        [pair] => {
            let url = api.verbatim(&format!("campaignConversions/{}", pair.key));
            let request = api.restli(Method::Put, url);
            // The reference sends it as text (Q9).
            if api.is_compat() {
                request.content("text/plain;charset=UTF-8", pair.body().to_string())
            } else {
                request.json(&pair.body())
            }
        }
        pairs => {
            let keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_str()).collect();
            let url = api.verbatim(&format!("campaignConversions?ids=List({})", keys.join(",")));
            let entities: Map<String, Value> = pairs.iter().map(|pair| (pair.key.clone(), pair.body())).collect();
            let request = api.restli(Method::Put, url);
            let request = if api.is_compat() { request } else { request.header("x-restli-method", "BATCH_UPDATE") };
            request.json(&json!({ "entities": entities }))
        }
    }
}

/// Why not all campaigns were associated, if that is so.
pub(super) fn refused(answer: &Answer, compat: bool) -> Option<String> {
    if !answer.is_success() {
        return Some(why(answer, compat));
    }
    if compat {
        return None;
    }
    let body = answer.json()?;
    let errors = body.get("errors").and_then(Value::as_object);
    let results = body.get("results").and_then(Value::as_object);
    let failed = results.into_iter().flatten().filter(|(_, result)| {
        let status = result.get("status").and_then(Value::as_u64);
        status.is_some_and(|status| !(200..300).contains(&status))
    });
    let keys: Vec<&str> = errors.into_iter().flatten().chain(failed).map(|(key, _)| key.as_str()).collect();
    (!keys.is_empty()).then(|| format!("LinkedIn refused {}.", keys.join(", ")))
}

struct Pair {
    /// Both names, as they stand in an address.
    key: String,
    campaign: String,
    conversion: String,
}

impl Pair {
    fn new(campaign: &str, rule: &str) -> Self {
        let campaign = format!("urn:li:sponsoredCampaign:{campaign}");
        let conversion = format!("urn:lla:llaPartnerConversion:{rule}");
        let key = format!("(campaign:{},conversion:{})", component(&campaign), component(&conversion));
        Pair { key, campaign, conversion }
    }

    fn body(&self) -> Value {
        json!({"campaign": self.campaign, "conversion": self.conversion})
    }
}
