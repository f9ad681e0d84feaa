//! `/rest/campaignConversions`: which campaigns a conversion rule counts for. Associations are only ever added.

use super::super::accounts::campaign_id;
use super::super::wire::{Answer, Applied, Effects, Key};
use super::conversion_rules::Rules;
use super::{Call, Refusal, elements, restli};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What `applied` calls an association in the audit log.
const NAME: &str = "campaignConversions";

/// Every association.
#[derive(Default)]
pub(in super::super) struct Associations {
    pairs: BTreeSet<Pair>,
}

/// The URNs of a campaign and of a conversion rule.
type Pair = (String, String);

pub(super) fn put_one(store: &mut Associations, rules: &Rules, call: &Call<'_>, key: &str) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_method(&["", "UPDATE"])?;
    let pair = checked(rules, call, key, call.json()?)?;
    let mut answer = Answer::empty(204);
    store.put(pair, &mut answer.effects);
    Ok(answer)
}

pub(super) fn put_many(store: &mut Associations, rules: &Rules, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_method(&["", "BATCH_UPDATE"])?;
    let keys = call.raw_parameter("ids").and_then(restli::list_of_keys);
    let keys: BTreeSet<String> = keys.ok_or_else(|| Refusal::bad("ids must be a list of keys"))?.into_iter().collect();
    elements::check_size(call, keys.len())?;
    let entities = call.json()?.get("entities").and_then(Value::as_object);
    let entities = entities.filter(|entities| entities.len() == keys.len());
    let differ = || Refusal::bad("entities must be an object with the keys in ids");
    let entities = entities.ok_or_else(differ)?;
    let (mut results, mut errors, mut effects) = (Map::new(), Map::new(), Effects::default());
    for key in keys {
        match checked(rules, call, &key, entities.get(&key).ok_or_else(differ)?) {
            Ok(pair) => {
                store.put(pair, &mut effects);
                results.insert(key, json!({"status": 204}));
            }
            Err(refusal) => {
                errors.insert(key, refusal.of_entity());
            }
        }
    }
    Ok(Answer { effects, ..Answer::json(200, json!({"results": results, "errors": errors})) })
}

fn checked(rules: &Rules, call: &Call<'_>, key: &str, entity: &Value) -> Result<Pair, Refusal> {
    let key = restli::key(key).and_then(|key| restli::pair(key, "campaign", "conversion"));
    let (campaign, conversion) =
        key.ok_or_else(|| Refusal::bad("A key must be of the form (campaign:<urn>,conversion:<urn>), values encoded"))?;
    let says = |name: &str, urn: &str| entity.get(name).and_then(Value::as_str) == Some(urn);
    if !says("campaign", &campaign) || !says("conversion", &conversion) {
        return Err(Refusal::bad("The body does not name the campaign and the conversion of its key"));
    }
    rules.check(&conversion, call.switches).map_err(Refusal::bad)?;
    let id = campaign_id(&campaign)
        .ok_or_else(|| Refusal::bad("campaign must be a URN of the form urn:li:sponsoredCampaign:<id>"))?;
    let account = call.switches.ad_accounts.iter().find(|account| account.campaigns.iter().any(|known| known.id == id));
    match (account, rules.account_with(&conversion)) {
        (None, _) => Err(Refusal::bad("campaign does not exist")),
        (Some(account), _) if !account.lets_work() => Err(Refusal::denied(&campaign)),
        (Some(account), Some(other)) if account.id != other => {
            Err(Refusal::bad("campaign and conversion are of different accounts"))
        }
        (Some(_), _) => Ok((campaign, conversion)),
    }
}

impl Associations {
    /// All associations, sorted.
    pub(in super::super) fn list(&self) -> Value {
        self.pairs.iter().map(value).collect()
    }

    fn put(&mut self, pair: Pair, effects: &mut Effects) {
        let key = format!("{}#{}", pair.0, pair.1);
        if self.pairs.contains(&pair) {
            effects.duplicate.push(Key { resource: NAME, key });
        } else {
            effects.applied.push(Applied::new(NAME, key, value(&pair)));
            self.pairs.insert(pair);
        }
    }
}

fn value((campaign, conversion): &Pair) -> Value {
    json!({"campaign": campaign, "conversion": conversion})
}
