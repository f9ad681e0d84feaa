//! Ad accounts, their campaigns, and what a member may do in them.

use super::field::FieldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An ad account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdAccount {
    /// What follows `urn:li:sponsoredAccount:` in its URN.
    pub id: u64,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What every member who consents may do in it.
    #[serde(default)]
    pub role: AccountRole,
    /// Its campaigns.
    #[serde(default)]
    pub campaigns: Vec<Campaign>,
}

/// What a member may do in an ad account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountRole {
    /// Everything, and pays.
    AccountBillingAdmin,
    /// Everything but paying.
    AccountManager,
    /// Campaigns, conversions and audiences.
    #[default]
    CampaignManager,
    /// Creatives, conversions and audiences.
    CreativeManager,
    /// Nothing but look: conversions and audiences are closed to it.
    Viewer,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// What follows `urn:li:sponsoredCampaign:` in its URN.
    pub id: u64,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// How far it is.
    #[serde(default)]
    pub status: CampaignStatus,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CampaignStatus {
    /// Runs.
    #[default]
    Active,
    /// Has not been published.
    Draft,
    /// Was stopped for a while.
    Paused,
    /// Has run its course.
    Completed,
    /// Was stopped for good.
    Canceled,
    /// Is kept out of sight.
    Archived,
    /// Is about to be deleted.
    PendingDeletion,
    /// Was deleted.
    Removed,
}

impl AdAccount {
    /// Whether a member may work with conversions and audiences.
    pub(super) fn lets_work(&self) -> bool {
        self.role != AccountRole::Viewer
    }

    pub(super) fn urn(&self) -> String {
        urn(self.id)
    }
}

/// The URN of the account with this id.
pub(super) fn urn(id: u64) -> String {
    format!("{ACCOUNT}{id}")
}

/// The account's id in a URN.
pub(super) fn account_id(urn: &str) -> Option<u64> {
    numbered(urn, ACCOUNT)
}

/// The campaign's id in a URN.
pub(super) fn campaign_id(urn: &str) -> Option<u64> {
    numbered(urn, "urn:li:sponsoredCampaign:")
}

/// The number after a URN's prefix: digits, without a sign or zeros in front, so that one thing has one URN.
pub(super) fn numbered(urn: &str, prefix: &str) -> Option<u64> {
    let digits = urn.strip_prefix(prefix)?;
    digits.parse().ok().filter(|id: &u64| id.to_string() == digits)
}

pub(super) fn check(accounts: &[AdAccount]) -> Result<(), FieldError> {
    let (mut ids, mut campaigns) = (BTreeSet::new(), BTreeSet::new());
    for (index, account) in accounts.iter().enumerate() {
        if !ids.insert(account.id) {
            return Err(FieldError::new(format!("[{index}].id"), "there is another account with this id"));
        }
        if let Some(place) = account.campaigns.iter().position(|campaign| !campaigns.insert(campaign.id)) {
            let field = format!("[{index}].campaigns[{place}].id");
            return Err(FieldError::new(field, "there is another campaign with this id"));
        }
    }
    Ok(())
}

/// Those that exist unless others are set.
pub(super) fn usual() -> Vec<AdAccount> {
    let campaign = |id, name: &str, status| Campaign { id, name: name.into(), status };
    let campaigns = vec![
        campaign(71, "Spring", CampaignStatus::Active),
        campaign(72, "Autumn", CampaignStatus::Draft),
        campaign(73, "Last year", CampaignStatus::Archived),
    ];
    let account =
        |id, name: &str, campaigns| AdAccount { id, name: name.into(), role: AccountRole::default(), campaigns };
    vec![account(501, "North account", campaigns), account(502, "South account", Vec::new())]
}

const ACCOUNT: &str = "urn:li:sponsoredAccount:";

#[cfg(test)]
mod tests {
    use super::super::options::Switches;
    use super::*;
    use serde_json::json;

    #[test]
    fn one_thing_has_one_urn() {
        assert_eq!(account_id("urn:li:sponsoredAccount:501"), Some(501));
        for other in ["501", "urn:li:sponsoredAccount:", "urn:li:sponsoredAccount:+501", "urn:li:sponsoredAccount:0501"]
        {
            assert_eq!(account_id(other), None, "{other}");
        }
        assert_eq!(account_id("urn:li:sponsoredCampaign:501"), None);
        assert_eq!(campaign_id("urn:li:sponsoredCampaign:71"), Some(71));
    }

    #[test]
    fn an_id_is_there_once() {
        let field = |accounts| {
            let changed = Switches::default().changed(&json!({"ad_accounts": accounts}));
            changed.expect_err("does not fit").field().to_owned()
        };
        assert_eq!(field(json!([{"id": 1}, {"id": 1}])), "ad_accounts[1].id");
        let twice = json!([{"id": 1, "campaigns": [{"id": 7}]}, {"id": 2, "campaigns": [{"id": 8}, {"id": 7}]}]);
        assert_eq!(field(twice), "ad_accounts[1].campaigns[1].id");
        assert_eq!(field(json!([{"id": 1, "role": "BOSS"}])), "ad_accounts[0].role");
    }
}
