//! The table `[alerts]`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Destination;
use crate::alert::Alerts;
use crate::table::{Section, suggestion};

/// No grant is warned of earlier, in days: ten years.
pub(super) const EARLIEST: u32 = 3_650;

/// `destinations`: the names of all that there are.
pub(super) fn read(mut section: Section<'_>, destinations: &[String]) -> Alerts {
    let default = Alerts::default();
    let to = section.text("to").filter(|to| is_known(&section, to, destinations));
    let days = days(&mut section).unwrap_or(default.days);
    let failed = section.flag("failed").unwrap_or(default.failed);
    section.close();
    Alerts { to, days, failed }
}

fn is_known(section: &Section<'_>, to: &str, destinations: &[String]) -> bool {
    if destinations.iter().any(|name| name == to) {
        return true;
    }
    let known: Vec<&str> = destinations.iter().map(String::as_str).collect();
    let remedy = if known.is_empty() { format!("; add [destination.{to}]") } else { suggestion(to, &known) };
    section.fault("to", format!("there is no [destination.{to}]{remedy}"));
    false
}

/// The kinds of destinations that take an alert as it is.
const TAKERS: [&str; 2] = ["http", "webhook"];

/// What is hardly meant.
pub(super) fn warning(alerts: &Alerts, destinations: &BTreeMap<String, Destination>) -> Option<String> {
    let (to, kind) = alerts.to.as_ref().and_then(|to| Some((to, destinations.get(to)?.kind.name)))?;
    (!TAKERS.contains(&kind)).then(|| {
        format!("alerts.to: {to} is a {kind}, which refuses alerts; name a destination of the kind webhook or http")
    })
}

fn days(section: &mut Section<'_>) -> Option<Vec<u32>> {
    let written = section.json("days")?;
    let day =
        |day: &Value| day.as_u64().and_then(|day| u32::try_from(day).ok()).filter(|day| (1..=EARLIEST).contains(day));
    let days = written.as_array().and_then(|days| days.iter().map(day).collect::<Option<Vec<u32>>>());
    if days.is_none() {
        section.fault("days", format!("must be a list of whole numbers from 1 to {EARLIEST}, such as [30, 14, 7, 1]"));
    }
    days
}
