//! `/rest/adAccounts`, `…/adCampaigns` and `/rest/adAccountUsers`: what there is to choose from, and what a member may do. Only read;
//! the switches say what exists.

use super::super::accounts::{CampaignStatus, account_id, numbered};
use super::super::wire::Answer;
use super::{Call, Refusal, restli};
use serde_json::{Value, json};

pub(super) fn find(call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_finder("search")?;
    let all = call.switches.ad_accounts.iter();
    call.page(all.map(|account| json!({"id": account.id, "name": account.name, "status": "ACTIVE"})))
}

pub(super) fn campaigns(call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    // The condition is written as version 2.0.0 of the protocol has it.
    call.check_protocol()?;
    call.check_finder("search")?;
    let account = numbered(id, "").and_then(|id| call.account(id));
    let account = account.ok_or_else(|| Refusal::denied(&format!("ad account {id}")))?;
    let wanted = call.raw_parameter("search").map(statuses).transpose()?;
    let found =
        account.campaigns.iter().filter(|one| wanted.as_ref().is_none_or(|wanted| wanted.contains(&one.status)));
    call.page(found.map(|campaign| {
        let (id, name, status) = (campaign.id, &campaign.name, campaign.status);
        json!({"id": id, "name": name, "status": status, "account": account.urn()})
    }))
}

/// The member's own role; of others a member learns nothing.
pub(super) fn user(call: &Call<'_>, key: &str) -> Result<Answer, Refusal> {
    let pair = if key.starts_with('(') { restli::key(key) } else { old_key(key) };
    let pair = pair.and_then(|pair| restli::pair(pair, "account", "user"));
    let (account, user) = pair.ok_or_else(|| Refusal::bad("The key must name an account and a user"))?;
    let id = account_id(&account)
        .ok_or_else(|| Refusal::bad("account must be a URN of the form urn:li:sponsoredAccount:<id>"))?;
    let known = call.account(id).filter(|_| user.strip_prefix("urn:li:person:") == Some(call.member));
    let known = known.ok_or_else(|| Refusal::not_found("There is no such user of this account"))?;
    Ok(Answer::json(200, json!({"account": account, "user": user, "role": known.role})))
}

/// A key of version 1 of the protocol, which calls for audiences use: `account=urn:li:…&user=urn:li:…`.
fn old_key(text: &str) -> Option<restli::Key> {
    let mut parts = restli::Key::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if parts.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(parts)
}

fn statuses(search: &str) -> Result<Vec<CampaignStatus>, Refusal> {
    let list = search.strip_prefix("(status:(values:").and_then(|rest| rest.strip_suffix("))"));
    let words = list.and_then(restli::list_of_words);
    let words = words.ok_or_else(|| Refusal::bad("search must be of the form (status:(values:List(ACTIVE,...)))"))?;
    let known = |word: String| {
        let problem = format!("{word} is not a status of a campaign");
        serde_json::from_value(Value::String(word)).map_err(|_| Refusal::bad(problem))
    };
    words.into_iter().map(known).collect()
}
