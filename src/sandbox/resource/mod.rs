//! The API's resources, one file each.
//!
//! A resource is a function from its store and a [`Call`] to an [`Answer`]. To add one: a file here, a row in [`find`], and its arm in
//! [`answer`].

pub(super) mod conversion_events;
pub(super) mod me;

use super::faults::ElementStatus;
use super::options::Switches;
use super::wire::{Answer, Head};
use serde_json::Value;

/// A request that a node has let in.
pub(super) struct Call<'a> {
    pub(super) head: &'a Head,
    /// The body, if it is JSON.
    pub(super) body: Option<&'a Value>,
    /// Who consented to the grant of the token.
    pub(super) member: &'a str,
    pub(super) now: u64,
    pub(super) switches: &'a Switches,
    /// Statuses that a fault rule gives to elements.
    pub(super) element_statuses: &'a [ElementStatus],
}

/// What the resources keep.
#[derive(Default)]
pub(super) struct Stores {
    pub(super) conversions: conversion_events::Conversions,
}

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    ConversionEvents,
    Me,
}

/// The resource at this path.
pub(super) fn find(path: &str) -> Option<Resource> {
    match path {
        "/rest/conversionEvents" => Some(Resource::ConversionEvents),
        "/rest/me" => Some(Resource::Me),
        _ => None,
    }
}

impl Resource {
    /// The scope that a token needs.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::ConversionEvents => "rw_conversions",
            Self::Me => "r_basicprofile",
        }
    }
}

/// Answers a call; the token has been looked at.
pub(super) fn answer(stores: &mut Stores, resource: Option<Resource>, call: &Call<'_>) -> Answer {
    let Some(resource) = resource else {
        return Answer::error(404, "RESOURCE_NOT_FOUND", format!("No virtual resource found for {}", call.head.path));
    };
    if let Some(refused) = call.check_version() {
        return refused;
    }
    match (resource, call.head.method.as_str()) {
        (Resource::ConversionEvents, "POST") => conversion_events::create(&mut stores.conversions, call),
        (Resource::Me, "GET") => me::read(call),
        (_, method) => Answer::error(405, "METHOD_NOT_ALLOWED", format!("{method} is not supported on this resource")),
    }
}

impl Call<'_> {
    fn check_version(&self) -> Option<Answer> {
        let version = self.head.header("linkedin-version").unwrap_or_default();
        let alive = version.len() == 6 && self.switches.versions.contains(version);
        let message = || format!("Requested version {version} is not active");
        (!alive).then(|| Answer::error(426, "NONEXISTENT_VERSION", message()))
    }
}
