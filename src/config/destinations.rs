//! The tables `[destination.NAME]`.

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use crate::builder::Endpoint;
use crate::destination::{Destination as Speaker, Kind, Needed, common};
use crate::guard::Guard;
use crate::route::fields::Field;
use crate::route::{Action, Route};
use crate::table::{Section, suggestion};

/// A table `[destination.NAME]`, with its routes.
pub(crate) struct Destination {
    pub(crate) kind: Kind,
    pub(crate) credential: Option<String>,
    pub(crate) speaker: Arc<dyn Speaker>,
    pub(crate) addresses: Vec<Url>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) release: Option<u32>,
    pub(crate) actions: Vec<Action>,
    pub(crate) routes: Vec<Route>,
    /// Whether it has a conversion rule to set, and none is.
    pub(crate) lacks_rule: bool,
}

impl Destination {
    /// The endpoint that it describes.
    pub(super) fn endpoint(&self) -> Endpoint {
        let mut endpoint = self.routes.iter().cloned().fold(Endpoint::from(Arc::clone(&self.speaker)), Endpoint::route);
        if let Some(name) = &self.credential {
            endpoint = endpoint.credential(name);
        }
        if let Some(most) = self.concurrency {
            endpoint = endpoint.concurrency(most);
        }
        match self.release {
            Some(most) => endpoint.release_per_second(most),
            None => endpoint,
        }
    }

    /// Where its requests go, for people. Without the paths: that of a webhook is often a secret.
    pub(crate) fn place(&self) -> String {
        let origins = self.addresses.iter().map(|url| url.origin().ascii_serialization()).collect::<Vec<_>>();
        origins.join(", ")
    }
}

pub(super) fn read(mut section: Section<'_>, guard: &Guard, credentials: &[String]) -> Option<Destination> {
    let names = Kind::ALL.map(|kind| kind.name);
    let kind = section.one_of("kind", &names);
    let kind = section.needed("kind", kind, "write the kind of destination, such as kind = \"linkedin-conversions\"");
    let credential = section.text("credential");
    let concurrency = section.count("concurrency", 1..=1024).and_then(|count| u32::try_from(count).ok());
    let release = section.count("release_per_second", 1..=100_000).and_then(|count| u32::try_from(count).ok());
    let presets = section.flag("presets").unwrap_or(false);
    let (section, mut given) = section.rest();
    let kind = kind.and_then(Kind::named)?;
    let bearer_asked = given.get("bearer").is_some_and(|asked| *asked == Value::Bool(true));
    if credential.is_none() && bearer_asked {
        section.fault("bearer", "there is no token to send without a credential; name one, or leave this out");
    } else if credential.is_none() && kind.settings().field("bearer").is_some() {
        given.insert("bearer".to_owned(), Value::Bool(false));
    }
    let credential = needed(&section, &kind, credential, credentials);
    let mut sound = only_known(&section, &kind, &mut given);
    sound &= addresses_can_be_used(&section, &given, guard);
    let settings = match kind.settings().settings(given) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in &faults {
                let key = fault.place.split(['.', '[']).next().unwrap_or_default();
                let rest = if fault.place == key { String::new() } else { format!(" ({})", fault.place) };
                section.fault(key, format!("{}{rest} {}", fault.message, fault.remedy));
            }
            return None;
        }
    };
    if !sound {
        return None;
    }
    let built = match kind.build(&settings) {
        Ok(built) => built,
        Err(unfit) => {
            section.fault(&unfit.setting, unfit.message);
            return None;
        }
    };
    let actions = built.destination.actions().to_vec();
    let routes = if presets { of_actions(&section, &actions) } else { Vec::new() };
    let given = |key: &str| section.holds(key) && ADDRESSES.contains(&key);
    for (key, url) in built.addresses.iter().filter(|(key, _)| !given(key)) {
        section.check_line(key, url, guard);
    }
    let addresses = built.addresses.into_iter().map(|(_, url)| url).collect();
    Some(Destination {
        kind,
        credential: credential?,
        speaker: built.destination,
        addresses,
        concurrency,
        release,
        actions,
        routes,
        lacks_rule: kind.settings().field("conversion_rule").is_some() && settings.text("conversion_rule").is_none(),
    })
}

/// The settings that an address may stand in.
const ADDRESSES: [&str; 2] = ["api_base", "url"];

/// Takes out what the kind does not know, and tells it.
fn only_known(section: &Section<'_>, kind: &Kind, given: &mut Map<String, Value>) -> bool {
    let (own, common) = (kind.settings(), common());
    let known: Vec<&str> = common.fields().iter().chain(own.fields()).map(Field::key).collect();
    let before = given.len();
    given.retain(|key, _| {
        let is_known = own.field(key).is_some();
        if !is_known {
            section.fault(key, format!("unknown key{}", suggestion(key, &known)));
        }
        is_known
    });
    before == given.len()
}

/// Looks at addresses before anything else does: what is wrong with them is told as for any address of the file.
fn addresses_can_be_used(section: &Section<'_>, given: &Map<String, Value>, guard: &Guard) -> bool {
    let mut sound = true;
    for key in ADDRESSES {
        let Some(text) = given.get(key).and_then(Value::as_str) else { continue };
        match Url::parse(text.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                sound &= section.check_line(key, &url, guard);
            }
            Ok(_) => {
                section.fault(key, format!("`{text}` is not an address that begins with https://"));
                sound = false;
            }
            Err(why) => {
                section.fault(key, format!("`{text}` is not an address ({why}); write one that begins with https://"));
                sound = false;
            }
        }
    }
    sound
}

/// The credential, where it is one that there is and the kind has a use for it; nothing where it is at fault.
#[expect(clippy::option_option, reason = "a fault is told apart from none that is needed")]
fn needed(
    section: &Section<'_>,
    kind: &Kind,
    credential: Option<String>,
    credentials: &[String],
) -> Option<Option<String>> {
    if kind.credential == Needed::Always {
        section.needed("credential", credential.as_ref(), "name one of the [credential.NAME] tables")?;
    }
    let Some(name) = credential else { return (!section.holds("credential")).then_some(None) };
    if kind.credential == Needed::Never {
        section.fault("credential", format!("a {} carries no token; leave it out", kind.name));
        return None;
    }
    if credentials.contains(&name) {
        return Some(Some(name));
    }
    let known: Vec<&str> = credentials.iter().map(String::as_str).collect();
    let remedy = if known.is_empty() { format!("; add [credential.{name}]") } else { suggestion(&name, &known) };
    section.fault("credential", format!("there is no [credential.{name}]{remedy}"));
    None
}

/// A route for each action: its own subscription and mapping.
fn of_actions(section: &Section<'_>, actions: &[Action]) -> Vec<Route> {
    if actions.is_empty() {
        section.fault("presets", "it has no actions; leave this out, and send events to it with --to");
    }
    let presets = actions.iter().filter_map(|action| {
        let preset = Route::preset(action);
        let tell = |faults: Vec<_>| section.fault("presets", format!("{}: {faults:?}; this is a bug", action.slug()));
        preset.map_err(tell).ok()
    });
    presets.collect()
}
