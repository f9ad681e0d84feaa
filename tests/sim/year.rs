//! What the calendar says holds for a year and more: the shipping heart, the sandbox's provider and 400 days of simulated
//! time. `docs/CALENDAR.md` shows what happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::{Profile, Rotation};
use outlast::sandbox::{GrantSeed, Options, Provider, Reply, RotateRefresh, Span as Spread, Switches, Visibility};
use outlast::state::{CredentialState, Span, Time};
use outlast::store::Store;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::verify::{Deed, Life, Raw, Renewing, Sending, answered};
use outlast::{
    AlertKind, Authorisation, CredentialCalendar, Endpoint, Engine, Limits, OAuth, Parcel, Retention, Secret,
};
use serde_json::json;

const START: u64 = 1_780_000_000_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The driver looks at the clock more often; nothing hangs on it here but that time does not seem to leap.
const BEAT: u64 = 12 * HOUR;
const LATENCY: u64 = 20;

/// What comes back from the provider.
enum Coming {
    Answer(Box<Sending>, Reply),
    Token(Box<Renewing>, Reply),
}

struct Play {
    profile: Profile,
    store: MemoryStore,
    life: Life,
    provider: Provider,
    now: u64,
    wake: u64,
    coming: BTreeMap<(u64, u64), Coming>,
    order: u64,
    sent: u64,
    /// The epoch that served when it was last looked at; nothing where it is dead.
    serves: Option<u32>,
    told: Vec<(u64, String)>,
    /// The number of the last alert that is told here.
    alerts: u64,
}

impl Play {
    fn new(profile: Profile, switches: Switches) -> Play {
        let options = Options { seed: 7, switches, ..Options::default() };
        let provider = Provider::new(options, START).expect("the options fit");
        let store = MemoryStore::new();
        let life = Play::open(&profile, &store, START);
        let (coming, told) = (BTreeMap::new(), Vec::new());
        let mut play = Play {
            profile,
            store,
            life,
            provider,
            now: START,
            wake: START,
            coming,
            order: 0,
            sent: 0,
            serves: None,
            told,
            alerts: 0,
        };
        play.authorise();
        play
    }

    fn open(profile: &Profile, store: &MemoryStore, now: u64) -> Life {
        let conversions = linkedin::conversions().rule("789123").api("https://api.example/rest").build().unwrap();
        let limits = Limits { time_to_live: Span::from_millis(60 * DAY), ..Limits::default() };
        let builder = Life::describe(Engine::builder("unused"))
            .limits(limits)
            // What has ended is looked at again and again: a year of it takes a minute.
            .retention(Retention { done: Span::from_millis(HOUR), ..Retention::default() })
            .credential("acme", OAuth::new(profile.clone(), "client", Secret::new("canary-client-secret")))
            .destination("conversions", Endpoint::new(conversions).credential("acme"));
        Life::open(builder, Arc::new(store.clone()), 1, Time::from_millis(now)).unwrap()
    }

    /// The process is killed and started again.
    fn again(&mut self) {
        self.store.crash(Fate::LoseAll);
        self.store = self.store.reopen().unwrap();
        self.life = Play::open(&self.profile, &self.store, self.now);
        self.coming.clear();
        self.wake = self.now;
        self.pump();
    }

    fn authorise(&mut self) {
        let seed = GrantSeed {
            client_id: "client".to_owned(),
            client_secret: "canary-client-secret".to_owned().into(),
            ..GrantSeed::default()
        };
        let issued = self.provider.issue(&seed, self.now).expect("the seed fits");
        let life = Span::from_secs(self.provider.switches().access_token_life_s);
        let grant = Authorisation {
            access: Secret::new(issued.access_token.expose()),
            refresh: Some(Secret::new(issued.refresh_token.expose())),
            issued: None,
            expires: Some(Time::from_millis(self.now).after(life)),
            refresh_expires: None,
            scope: None,
        };
        let mut reply = self.life.authorise("acme".to_owned(), grant);
        self.pump();
        reply.take().unwrap().unwrap();
        self.look();
    }

    /// An event comes in.
    fn submit(&mut self) {
        self.sent += 1;
        let n = self.sent;
        let body = json!({
            "type": "track", "event": "Order Completed", "messageId": format!("e-{n}"), "timestamp": self.now,
            "traits": {"email": format!("{n}@example.org")}, "properties": {"currency": "EUR", "revenue": 12.5},
        });
        let mut reply = self.life.submit(Parcel::to("conversions").json(&body).unwrap());
        self.pump();
        reply.take().unwrap().unwrap();
    }

    /// Turns, until there is nothing more to turn about.
    fn pump(&mut self) {
        while self.life.is_asked() || self.wake <= self.now {
            let now = Time::from_millis(self.now);
            let mut step = self.life.turn(now);
            self.wake = step.wake.as_millis().min(self.now + BEAT);
            let durable = self.store.commit(std::mem::take(&mut step.writes)).unwrap();
            while let Some(deed) = self.life.next_deed(&mut step, durable) {
                match deed {
                    Deed::Answered | Deed::Told | Deed::Trusted => {}
                    Deed::Send(sending) => self.asks(sending),
                    Deed::Renew(mut renewing) => {
                        if let Some(outgoing) = renewing.request(&mut self.life) {
                            let reply = self.provider.respond(&outgoing.incoming, self.now);
                            self.comes(Coming::Token(renewing, reply));
                        }
                    }
                    Deed::Inspect(_) => panic!("nothing is in doubt here"),
                }
            }
        }
    }

    fn asks(&mut self, mut sending: Box<Sending>) {
        if let Some(outgoing) = sending.request(&mut self.life) {
            let reply = self.provider.respond(&outgoing.incoming, self.now);
            self.comes(Coming::Answer(sending, reply));
        }
    }

    fn comes(&mut self, coming: Coming) {
        self.order += 1;
        self.coming.insert((self.now + LATENCY, self.order), coming);
    }

    /// Time passes, and what is to happen happens.
    fn until(&mut self, end: u64) {
        loop {
            let comes = self.coming.keys().next().map_or(u64::MAX, |(at, _)| *at);
            let next = comes.min(self.wake);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now);
            if comes <= self.now
                && let Some((_, coming)) = self.coming.pop_first()
            {
                self.hear(coming);
            }
            self.pump();
        }
    }

    fn hear(&mut self, coming: Coming) {
        let now = Time::from_millis(self.now);
        match coming {
            Coming::Answer(mut sending, reply) => {
                self.provider.close(reply.ticket);
                sending.heard(&mut self.life, answered(&reply, now));
                self.asks(sending);
            }
            Coming::Token(renewing, reply) => {
                self.provider.close(reply.ticket);
                let gave = reply.status == 200;
                renewing.heard(&mut self.life, answered(&reply, now), now);
                self.pump();
                let epoch = self.credential().epoch;
                let what = if gave {
                    format!("a new token is asked for: epoch {epoch}")
                } else {
                    "the grant is refused".into()
                };
                self.tell(what);
            }
        }
    }

    fn credential(&self) -> outlast::state::Credential {
        Raw(&self.store).credential("acme").expect("it is stored")
    }

    fn tell(&mut self, what: String) {
        self.told.push((self.now, what));
    }

    /// Tells what serves, where that is not what served.
    fn look(&mut self) {
        for alert in self.life.alerts() {
            if alert.number > self.alerts {
                self.alerts = alert.number;
                let before = alert.ends_ms.map_or(0, |ends| ends.saturating_sub(alert.at_ms).div_ceil(DAY));
                let dying = alert.kind == AlertKind::CredentialDying;
                let days = if dying {
                    format!(", {before} day{} before the end", if before == 1 { "" } else { "s" })
                } else {
                    String::new()
                };
                self.told.push((alert.at_ms, format!("alert {}{days}", alert.kind)));
            }
        }
        let serves = match self.credential().state {
            CredentialState::Current { serving, .. } => Some((serving.epoch.number(), serving.expires)),
            CredentialState::Refreshing { .. } => return,
            CredentialState::Dead { .. } => None,
        };
        if serves.map(|(epoch, _)| epoch) != self.serves {
            self.serves = serves.map(|(epoch, _)| epoch);
            self.tell(match serves {
                Some((epoch, expires)) => {
                    format!("epoch {epoch} serves, to day {} at the latest", day(expires.as_millis()))
                }
                None => "dead; what comes in waits".to_owned(),
            });
        }
    }

    fn calendar(&mut self) -> CredentialCalendar {
        let mut reply = self.life.calendar();
        self.pump();
        reply.take().unwrap().unwrap().remove(0)
    }

    /// So many requests were refused for their token.
    fn refused(&self) -> u64 {
        self.provider.summary().refused
    }

    /// What happened, as rows of a table.
    fn rows(&self) -> String {
        let mut rows = String::from("| day | what happens |\n|---|---|\n");
        let mut told = self.told.clone();
        told.sort_by_key(|(at, _)| *at);
        for (at, what) in &told {
            writeln!(rows, "| {} | {what} |", day(*at)).unwrap();
        }
        rows
    }
}

/// Days since the start, to a hundredth. Providers tell lifetimes in whole seconds, so an end is up to one early.
fn day(at: u64) -> String {
    let hundredths = (at + DAY / 200 - START) / (DAY / 100);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn profile() -> Profile {
    let mut profile = Profile::linkedin();
    profile.token_url = "https://api.example/oauth/v2/accessToken".parse().unwrap();
    profile.audience = Audience::of([&"https://api.example/rest".parse().unwrap()]);
    profile
}

/// A provider that gives a new refresh token each time, whose access tokens live for an hour, and whose grants die when
/// nobody uses them for 60 days.
fn rotating(idle_life: Option<Span>) -> Play {
    let profile = Profile {
        name: "rotating".to_owned(),
        introspect_url: None,
        rotation: Rotation::Rotates { grace: Span::ZERO },
        settle: Span::from_secs(60),
        access_life: Span::from_secs(3_600),
        grant_life: None,
        idle_life,
        ..profile()
    };
    let switches = Switches {
        rotate_refresh: RotateRefresh::NewOldDead,
        access_token_life_s: 3_600,
        refresh_token_life_s: 3_650 * 86_400,
        refresh_idle_life_s: Some(60 * 86_400),
        ..Switches::default()
    };
    let mut play = Play::new(profile, switches);
    // Traffic stops just when a new token has come and nobody has tried it yet: the one before it works to its end.
    while play.credential().epoch.number() < 2 {
        play.submit();
        play.until(play.now + MINUTE);
        play.look();
    }
    play
}

/// What of a calendar does not depend on when it is asked for.
fn plan(calendar: &CredentialCalendar) -> [Option<u64>; 5] {
    let CredentialCalendar { stops_ms, idle_ends_ms, keep_alive_ms, token_ends_ms, refresh_ms, .. } = *calendar;
    [stops_ms, idle_ends_ms, keep_alive_ms, token_ends_ms, refresh_ms]
}

fn a_year_of_linkedin() -> Play {
    // New tokens reach the four nodes after up to five minutes.
    let visibility = Visibility::Uniform(Spread { min_ms: 1_000, max_ms: 300_000 });
    let mut play = Play::new(profile(), Switches { visibility, ..Switches::default() });
    let mut calls_when_dead = None;
    for hour in 0..400 * 24 {
        play.until(START + hour * HOUR + 7 * MINUTE);
        play.submit();
        play.until(play.now + 30 * MINUTE);
        play.look();
        let at = play.calendar();
        let days: Vec<u32> = at.warnings.iter().filter(|warning| warning.past).map(|warning| warning.days).collect();
        let told = play.told.iter().filter(|(_, what)| what.contains("credential.dying")).count();
        assert!(at.dead || days.len() == told, "the calendar says {days:?} are past, and {told} warnings were given");
        if at.dead && calls_when_dead.is_none() {
            calls_when_dead =
                Some((play.provider.summary().token_calls, play.provider.summary().requests, play.refused()));
        }
        if hour == 200 * 24 {
            let before = plan(&at);
            play.again();
            assert_eq!(plan(&play.calendar()), before, "the plan after a restart is the one before it");
        }
    }
    let (calls, requests, refused) = calls_when_dead.expect("the grant has ended");
    assert_eq!(refused, 0, "no request was refused before the end, nor at it");
    let summary = play.provider.summary();
    assert_eq!(
        (summary.token_calls, summary.requests),
        (calls, requests),
        "what is dead asks for nothing and sends nothing"
    );
    play.until(START + 400 * DAY);
    let at = play.calendar();
    assert_eq!((at.dead, at.live, at.at_risk), (true, at.live, at.live), "all that waits is at risk");
    play.tell(format!("{} deliveries wait; it is authorised again", at.live));
    play.authorise();
    let waited = at.live;
    while play.life.live() > 0 {
        play.until(play.now + MINUTE);
        assert!(play.now < START + 402 * DAY, "L1 Progress: {} are live", play.life.live());
    }
    play.tell(format!("the last of the {waited} is delivered"));
    play
}

#[test]
fn year_of_a_linkedin_grant_under_traffic() {
    let play = a_year_of_linkedin();
    let summary = play.provider.summary();
    let rows = play.rows();
    println!("{rows}");
    assert_eq!(summary.applied, play.sent, "S1 No loss: each delivery arrived");
    assert_eq!((summary.duplicates, summary.conflicts, play.refused()), (0, 0, 0));
    let at = |what: &str| -> Vec<u64> {
        play.told.iter().filter(|(_, told)| told.contains(what)).map(|(at, _)| (at + MINUTE - START) / DAY).collect()
    };
    assert_eq!(at("alert credential.dying"), [335, 351, 358, 364], "30, 14, 7 and 1 days before the end");
    assert_eq!((at("alert credential.dead"), at("alert credential.alive")), (vec![365], vec![400]));
    assert_eq!(at("the grant is refused"), [365]);
    let refreshes = at("a new token is asked for");
    assert_eq!(refreshes.len() as u64, summary.refreshes_ok);
    assert!(refreshes.windows(2).all(|pair| (45..=48).contains(&(pair[1] - pair[0]))), "{refreshes:?}");
    assert!(refreshes.iter().all(|day| *day < 335), "none close to the end: {refreshes:?}");
    let told = format!(
        "{rows}\n{} events, one an hour; {} refreshes; {} requests refused for their token.\n",
        play.sent,
        summary.refreshes_ok,
        play.refused()
    );
    shown("linkedin", &told);
}

#[test]
fn year_of_an_idle_grant_that_is_kept_alive() {
    let mut play = rotating(Some(Span::from_millis(60 * DAY)));
    let before = play.calendar();
    play.again();
    assert_eq!(plan(&play.calendar()), plan(&before), "the plan after a restart is the one before it");
    assert_eq!(before.keep_alive_ms, before.refresh_ms, "the next token is asked for to keep the grant alive");
    assert!(before.idle_ends_ms > before.keep_alive_ms);
    play.until(START + 400 * DAY);
    let refreshes = play.provider.summary().refreshes_ok;
    play.submit();
    play.until(play.now + HOUR);
    play.look();
    let rows = play.rows();
    println!("{rows}");
    let summary = play.provider.summary();
    assert_eq!((summary.applied, play.refused(), summary.max_refresh_in_flight), (play.sent, 0, 1));
    assert_eq!(refreshes, 1 + 8, "every 45 days");
    shown("idle", &rows);
}

#[test]
fn year_of_an_idle_grant_that_nobody_keeps_alive() {
    let mut play = rotating(None);
    let at = play.calendar();
    assert_eq!((at.keep_alive_ms, at.idle_ends_ms, at.refresh_ms), (None, None, None));
    play.until(START + 400 * DAY);
    play.submit();
    play.until(play.now + HOUR);
    play.look();
    let rows = play.rows();
    println!("{rows}");
    assert!(play.calendar().dead, "the provider has forgotten it");
    assert_eq!(play.life.live(), 1, "what needs it waits");
    shown("control", &rows);
}

/// A token that nobody tried is no token that does not work.
#[test]
fn year_that_nobody_uses_a_grant_and_it_works_on_the_last_day() {
    let mut play = Play::new(profile(), Switches::default());
    play.until(START + 364 * DAY);
    assert_eq!(play.provider.summary().token_calls, 0, "there is nothing to keep unbroken");
    let at = play.calendar();
    assert_eq!((at.dead, at.refresh_ms), (false, None));
    play.submit();
    play.until(play.now + HOUR);
    let summary = play.provider.summary();
    assert_eq!((summary.applied, summary.refreshes_ok, play.refused()), (1, 1, 0));
    play.until(START + 400 * DAY);
    assert_eq!(play.provider.summary().token_calls, 1, "and nothing is asked for after the end");
}

/// Holds a table of `docs/CALENDAR.md` against what happened.
fn shown(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CALENDAR.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->\n"));
    let (before, rest) = page.split_once(&begin).expect("the page has the table");
    let (found, after) = rest.split_once(&end).expect("the table ends");
    if std::env::var_os("OUTLAST_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    } else {
        let how = "OUTLAST_BLESS=1 cargo test --all-features --test sim year -- --test-threads=1";
        assert_eq!(found, expected, "docs/CALENDAR.md shows something else. If this is right, run\n    {how}\n");
    }
}
