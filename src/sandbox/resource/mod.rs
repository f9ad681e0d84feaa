//! The API's resources, one file each.
//!
//! A resource is a function from its store and a [`Call`] to an [`Answer`]. To add one: a file here, a row in [`find`] and in
//! [`Resource::scopes`], and its arm in [`answer`].

mod ad_accounts;
mod call;
pub(super) mod campaign_conversions;
pub(super) mod contacts;
pub(super) mod conversion_events;
pub(super) mod conversion_rules;
mod dmp_members;
pub(super) mod dmp_segments;
mod elements;
mod me;
mod refusal;
mod restli;

use super::wire::Answer;
pub(super) use call::Call;
use dmp_segments::Kind;
use refusal::Refusal;

/// What the resources keep.
#[derive(Default)]
pub(super) struct Stores {
    pub(super) conversions: conversion_events::Conversions,
    pub(super) rules: conversion_rules::Rules,
    pub(super) associations: campaign_conversions::Associations,
    pub(super) segments: dmp_segments::Segments,
    pub(super) contacts: contacts::Contacts,
}

/// A resource, with what its path names, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    ConversionEvents,
    Conversions,
    Conversion(&'a str),
    CampaignConversions,
    CampaignConversion(&'a str),
    DmpSegments,
    DmpMembers(&'a str, Kind),
    AdAccounts,
    AdCampaigns(&'a str),
    AdAccountUser(&'a str),
    Me,
    Contacts,
    ContactBatch,
}

/// Where the made-up CRM begins; the rest is LinkedIn's.
const CRM: &str = "/crm/v1/";

/// The resource at this path.
pub(super) fn find(path: &str) -> Option<Resource<'_>> {
    match path.strip_prefix(CRM) {
        Some("contacts") => return Some(Resource::Contacts),
        Some("contacts/batch") => return Some(Resource::ContactBatch),
        _ => {}
    }
    let mut parts = path.strip_prefix("/rest/")?.split('/');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    Some(match parts {
        [Some("conversionEvents"), None, ..] => Resource::ConversionEvents,
        [Some("conversions"), None, ..] => Resource::Conversions,
        [Some("conversions"), Some(id), None, _] => Resource::Conversion(id),
        [Some("campaignConversions"), None, ..] => Resource::CampaignConversions,
        [Some("campaignConversions"), Some(key), None, _] => Resource::CampaignConversion(key),
        [Some("dmpSegments"), None, ..] => Resource::DmpSegments,
        [Some("dmpSegments"), Some(id), Some("users"), None] => Resource::DmpMembers(id, Kind::User),
        [Some("dmpSegments"), Some(id), Some("companies"), None] => Resource::DmpMembers(id, Kind::Company),
        [Some("adAccounts"), None, ..] => Resource::AdAccounts,
        [Some("adAccounts"), Some(id), Some("adCampaigns"), None] => Resource::AdCampaigns(id),
        [Some("adAccountUsers"), Some(key), None, _] => Resource::AdAccountUser(key),
        [Some("me"), None, ..] => Resource::Me,
        _ => return None,
    })
}

impl Resource<'_> {
    /// The scopes of which a token needs one.
    pub(super) fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::ConversionEvents
            | Self::Conversions
            | Self::Conversion(_)
            | Self::CampaignConversions
            | Self::CampaignConversion(_) => &["rw_conversions"],
            Self::DmpSegments | Self::DmpMembers(..) => &["rw_dmp_segments"],
            Self::AdAccounts | Self::AdCampaigns(_) => &["r_ads"],
            // Grants for audiences have no other way to learn their role.
            Self::AdAccountUser(_) => &["r_ads", "rw_dmp_segments"],
            Self::Me => &["r_basicprofile"],
            Self::Contacts | Self::ContactBatch => &["crm.contacts"],
        }
    }

    /// Whether calls name a version of the API.
    fn is_versioned(self) -> bool {
        !matches!(self, Self::Contacts | Self::ContactBatch)
    }
}

/// Answers a call; the token has been looked at.
pub(super) fn answer(stores: &mut Stores, resource: Option<Resource<'_>>, call: &Call<'_>) -> Answer {
    let answered = match resource {
        None => Err(Refusal::not_found(format!("No virtual resource found for {}", call.head.path))),
        Some(resource) if resource.is_versioned() => {
            call.check_version().and_then(|()| dispatch(stores, resource, call))
        }
        Some(resource) => dispatch(stores, resource, call),
    };
    answered.unwrap_or_else(Answer::from)
}

fn dispatch(stores: &mut Stores, resource: Resource<'_>, call: &Call<'_>) -> Result<Answer, Refusal> {
    match (resource, call.head.method.as_str()) {
        (Resource::ConversionEvents, "POST") => conversion_events::create(&mut stores.conversions, &stores.rules, call),
        (Resource::Conversions, "GET") => conversion_rules::find(&stores.rules, call),
        (Resource::Conversions, "POST") => conversion_rules::create(&mut stores.rules, call),
        (Resource::Conversion(id), "GET") => conversion_rules::read(&stores.rules, call, id),
        (Resource::Conversion(id), "POST") => conversion_rules::change(&mut stores.rules, call, id),
        (Resource::CampaignConversions, "PUT") => {
            campaign_conversions::put_many(&mut stores.associations, &stores.rules, call)
        }
        (Resource::CampaignConversion(key), "PUT") => {
            campaign_conversions::put_one(&mut stores.associations, &stores.rules, call, key)
        }
        (Resource::DmpSegments, "GET") => dmp_segments::find(&stores.segments, call),
        (Resource::DmpSegments, "POST") => dmp_segments::create(&mut stores.segments, call),
        (Resource::DmpMembers(id, kind), "POST") => dmp_members::stream(&mut stores.segments, call, id, kind),
        (Resource::AdAccounts, "GET") => ad_accounts::find(call),
        (Resource::AdCampaigns(id), "GET") => ad_accounts::campaigns(call, id),
        (Resource::AdAccountUser(key), "GET") => ad_accounts::user(call, key),
        (Resource::Me, "GET") => Ok(me::read(call)),
        (Resource::Contacts, "POST") => contacts::upsert(&mut stores.contacts, call),
        (Resource::ContactBatch, "POST") => contacts::upsert_many(&mut stores.contacts, call),
        (_, method) => {
            let message = format!("{method} is not supported on this resource");
            Err(Refusal::new(405, "METHOD_NOT_ALLOWED", message))
        }
    }
}
