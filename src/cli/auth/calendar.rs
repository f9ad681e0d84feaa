//! `outlast auth calendar`

use std::path::Path;

use super::ical;
use crate::cli::control::Request;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::cli::session::{Purpose, Session};
use crate::clock;
use crate::view::{CalendarDay, CredentialCalendar, Occasion};

/// What lies ahead of the credentials, by date: ends, warnings before them, planned refreshes
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// As a JSON array
    #[arg(long)]
    json: bool,
    /// As an iCalendar file (RFC 5545): an event with an alarm for each end and each warning
    #[arg(long, conflicts_with = "json")]
    ical: bool,
    /// Only what happens within so many days
    #[arg(long, value_name = "N")]
    days: Option<u32>,
}

const HELP: &str = "Credentials that are dead stand first, whatever --days says. Refreshes are not in the iCalendar file: nobody must act.

Examples:
  outlast auth calendar --days 90
  outlast auth calendar --json | jq -r '.[] | select(.occasion == \"stops\") | .credential'
  outlast auth calendar --ical > outlast.ics";

pub(super) async fn run(config: &Path, args: &Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let asked = session.ask::<Vec<CredentialCalendar>>(Request::Calendar).await;
    session.close().await?;
    let (calendars, now) = (asked?, clock::wall().as_millis());
    let days = ahead(&calendars, now, args.days);
    if args.ical {
        return print::text(&ical::written(&days, now));
    }
    if args.json {
        return print::json(&days);
    }
    let rows: Vec<[String; 5]> = days.iter().map(|day| row(day, now)).collect();
    if rows.is_empty() {
        print::note("nothing is known to happen to any credential in that time");
    }
    print::table(["WHEN", "IN", "CREDENTIAL", "WHAT", "DETAIL"], &rows)
}

/// What happens from now on, by date, and what has died.
fn ahead(calendars: &[CredentialCalendar], now: u64, within: Option<u32>) -> Vec<CalendarDay> {
    const DAY: u64 = 86_400_000;
    let last = within.map_or(u64::MAX, |days| now.saturating_add(u64::from(days).saturating_mul(DAY)));
    let mut days: Vec<CalendarDay> = calendars.iter().flat_map(CredentialCalendar::days).collect();
    // A stop that has passed and that nobody noticed yet, since nothing was sent, is still to be told.
    let standing = |day: &CalendarDay| matches!(day.occasion, Occasion::Died | Occasion::Stops);
    days.retain(|day| day.at_ms <= last && (day.at_ms > now || standing(day)));
    let order = |day: &CalendarDay| (day.occasion != Occasion::Died, day.at_ms, day.credential.clone(), day.occasion);
    days.sort_by_key(order);
    days
}

fn row(day: &CalendarDay, now: u64) -> [String; 5] {
    let distance = match day.at_ms.checked_sub(now) {
        Some(left) => print::length(left),
        None => format!("-{}", print::length(now.saturating_sub(day.at_ms))),
    };
    let what = match (day.occasion, day.days) {
        (Occasion::Warning, Some(days)) => format!("warning, {days}d"),
        (occasion, _) => occasion.name().replace('_', " "),
    };
    let risk = match (day.occasion, day.at_risk) {
        (Occasion::Died | Occasion::Stops | Occasion::Warning, 1..) => {
            format!(" Deliveries at risk: {} of {}.", day.at_risk, day.live)
        }
        _ => String::new(),
    };
    [print::moment(day.at_ms), distance, day.credential.clone(), what, format!("{}{risk}", day.text)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    fn day(credential: &str, occasion: Occasion, at_ms: u64) -> CredentialCalendar {
        let stops = matches!(occasion, Occasion::Stops | Occasion::Died);
        CredentialCalendar {
            credential: credential.to_owned(),
            profile: "linkedin".to_owned(),
            state: "Current".to_owned(),
            stops_ms: stops.then_some(at_ms),
            dead: occasion == Occasion::Died,
            outlook: "It stops.".to_owned(),
            grant_ends_ms: None,
            idle_ends_ms: None,
            keep_alive_ms: None,
            token_ends_ms: None,
            refresh_ms: (!stops).then_some(at_ms),
            proven_ms: None,
            scopes: crate::view::ScopeDrift::default(),
            warnings: Vec::new(),
            live: 3,
            at_risk: 2,
        }
    }

    #[test]
    fn days_are_in_order_and_what_is_dead_stands_first() {
        let all = [
            day("b", Occasion::Stops, 1_030 * DAY),
            day("a", Occasion::Refresh, 1_004 * DAY),
            day("c", Occasion::Died, 900 * DAY),
            day("d", Occasion::Stops, 999 * DAY),
            day("e", Occasion::Refresh, 999 * DAY),
        ];
        let names = |within| -> Vec<String> {
            ahead(&all, 1_000 * DAY, within).into_iter().map(|day| day.credential).collect()
        };
        assert_eq!(names(None), ["c", "d", "a", "b"], "a refresh that is past is no news");
        assert_eq!(names(Some(4)), ["c", "d", "a"]);
        assert_eq!(names(Some(3)), ["c", "d"]);
    }

    #[test]
    fn a_row_says_how_far_off_it_is_and_what_is_at_risk() {
        let days = day("acme", Occasion::Stops, 1_030 * DAY).days();
        let [when, distance, credential, what, detail] = row(&days[0], 1_000 * DAY);
        assert_eq!((when.as_str(), distance.as_str()), ("1972-10-27T00:00:00Z", "30d 0h"));
        assert_eq!((credential.as_str(), what.as_str()), ("acme", "stops"));
        assert_eq!(detail, "It stops. Deliveries at risk: 2 of 3.");
        assert_eq!(row(&days[0], 1_031 * DAY)[1], "-1d 0h");
    }
}
