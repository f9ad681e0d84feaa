//! The program's configuration file: read, checked, and turned into the description of an engine.

mod alerts;
mod credentials;
mod destinations;
mod means;
mod routes;
mod schema;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod vault;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::alert::Alerts;
use crate::builder::{Builder, OAuth};
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::{Audience, Guard};
use crate::limits::Limits;
use crate::oauth::Profile;
use crate::parcel::LARGEST_BODY;
use crate::route::Route;
use crate::route::subscription::Subscription;
use crate::store::StoreKind;
pub use crate::table::Fault;
use crate::table::{Document, Section};

pub(crate) use credentials::Credential;
use credentials::Profiles;
pub(crate) use destinations::Destination;
use routes::Target;
pub(crate) use schema::schema;
use store::StoreSettings;
pub(crate) use vault::KeySource;
use vault::VaultKeys;

/// A configuration that was read and found sound.
pub struct Config {
    pub(crate) file: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) settings: StoreSettings,
    pub(crate) vault: Option<VaultKeys>,
    pub(crate) limits: Limits,
    pub(crate) alerts: Alerts,
    pub(crate) allow_loopback: bool,
    pub(crate) credentials: BTreeMap<String, Credential>,
    pub(crate) destinations: BTreeMap<String, Destination>,
}

/// What a command must know of a configuration to speak with a running engine.
pub(crate) struct Outline {
    pub(crate) store: PathBuf,
    pub(crate) kind: StoreKind,
    pub(crate) destinations: Vec<String>,
    /// Whether events go where routes say.
    pub(crate) has_routes: bool,
}

/// Why a configuration cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Whether there is none.
        missing: bool,
        /// What the system says.
        cause: String,
    },
    /// What it says cannot work; in the order of its lines.
    Faults(Vec<Fault>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::File { path, missing: true, .. } => {
                write!(f, "there is no configuration file {}", path.display())
            }
            ConfigError::File { path, cause, .. } => {
                write!(f, "the configuration file {} cannot be read: {cause}", path.display())
            }
            ConfigError::Faults(faults) => {
                let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a configuration file. Values may name the environment as `${NAME}`; relative paths count from the
    /// file's directory.
    ///
    /// # Errors
    /// The file cannot be read, or what it says cannot work: then everything that is wrong, each with line, key and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Config::read(path, &read(path)?, &|name| std::env::var(name).ok())
    }

    /// Only where the store is and what the destinations are called, whatever else the file says: enough to speak with an
    /// engine that runs already.
    pub(crate) fn outline(path: &Path) -> Result<Outline, ConfigError> {
        let text = read(path)?;
        let environment = |name: &str| std::env::var(name).ok();
        let document = document(path, &text, &environment);
        let table = parse(&document)?;
        let mut root = Section::root(&document, &table);
        let mut section = root.section("store");
        let (store, kind) = (store::path(path, &mut section), store::kind(&mut section));
        let mut has_routes = !root.each("route").is_empty();
        let mut destinations = Vec::new();
        for (name, mut section) in root.named("destination") {
            has_routes |= section.flag("presets").unwrap_or(false);
            destinations.push(name);
        }
        finish(&document).map(|()| Outline { store, kind, destinations, has_routes })
    }

    pub(crate) fn read(
        path: &Path,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let document = document(path, text, environment);
        let table = parse(&document)?;
        let mut root = Section::root(&document, &table);
        let (store, settings) = store::read(path, root.section("store"));
        let names = root.named("credential").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let vault = vault::read(path, root.section("vault"), !names.is_empty());
        let limits = read_limits(root.section("limits"));
        let allow_loopback = read_network(root.section("network"));
        let guard = Guard::new(allow_loopback.unwrap_or(false), &[]);
        let profiles = Profiles::read(path, root.named("profile"), &guard, environment);
        let credentials = read_each(root.named("credential"), |section| profiles.credential(section));
        let sections = root.named("destination");
        let tables: Vec<String> = sections.iter().map(|(name, _)| name.clone()).collect();
        let alerts = alerts::read(root.section("alerts"), &tables);
        let mut destinations = read_each(sections, |section| destinations::read(section, &guard, &names));
        let written = routes::read(root.each("route"));
        let targets = destinations.iter();
        let targets: Vec<Target<'_>> = targets
            .map(|(name, destination)| Target { name, actions: &destination.actions, presets: &destination.routes })
            .collect();
        for (to, route) in routes::resolve(written, &targets, &tables) {
            if let Some(destination) = destinations.get_mut(&to) {
                destination.routes.push(route);
            }
        }
        root.close();
        finish(&document)?;
        let allow_loopback = allow_loopback.unwrap_or(false);
        let file = path.to_owned();
        Ok(Config { file, store, settings, vault, limits, alerts, allow_loopback, credentials, destinations })
    }

    /// Describes the engine.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the key of the vault is not where it is said to be.
    pub fn builder(&self) -> Result<Builder, Error> {
        let mut builder =
            Engine::builder(&self.store).store_kind(self.settings.kind).retention(self.settings.retention);
        builder = builder.limits(self.limits).alerts(self.alerts.clone()).allow_loopback(self.allow_loopback);
        if let Some(mib) = self.settings.cache_mib {
            builder = builder.cache_bytes(mib.saturating_mul(1024 * 1024));
        }
        if let Some(keys) = &self.vault {
            let (key, old) = keys.read()?;
            builder = old.into_iter().fold(builder.vault_key(key), Builder::old_vault_key);
        }
        for (name, credential) in &self.credentials {
            builder = builder.credential(name, self.described(name, credential));
        }
        Ok(self
            .destinations
            .iter()
            .fold(builder, |builder, (name, destination)| builder.destination(name, destination.endpoint())))
    }

    fn described(&self, name: &str, credential: &Credential) -> OAuth {
        let fixed = credential.fixed.clone();
        OAuth { fixed, ..OAuth::of(self.profile(name, credential), credential.client.clone()) }
    }

    /// One credential as an engine has it.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn oauth(&self, name: &str) -> Result<OAuth, Error> {
        let credential = self.credentials.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.credentials.keys().map(String::as_str).collect();
            let message = format!("credential: there is none named {name:?}; configured: {}", known.join(", "));
            Error::new(crate::ErrorKind::Unknown, message)
        })?;
        Ok(self.described(name, credential))
    }

    /// Describes no more than the destinations and their routes: enough to try events.
    pub(crate) fn description(&self) -> Builder {
        let builder = Engine::builder(&self.store).limits(self.limits);
        self.destinations
            .iter()
            .fold(builder, |builder, (name, destination)| builder.destination(name, destination.endpoint()))
    }

    /// What can work, but is hardly meant.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let used =
            |name: &str| self.destinations.values().any(|destination| destination.credential.as_deref() == Some(name));
        let unused = self.credentials.keys().filter(|name| !used(name));
        let mut warnings: Vec<String> = unused
            .map(|name| format!("credential.{name}: no destination uses it; name it in one, or remove it"))
            .collect();
        for (name, destination) in &self.destinations {
            for route in &destination.routes {
                let text = route.when().map_or("", Subscription::text);
                let findings = if text.is_empty() { Vec::new() } else { Subscription::findings(text) };
                warnings.extend(route.lacking().iter().map(|field| {
                    let route = route.name();
                    format!("route {route} to {name}: the field {field} is required, and nothing is mapped to it; every event fails")
                }));
                warnings.extend(findings.iter().map(|finding| {
                    let (route, caret) = (route.name(), finding.caret(text));
                    format!("route {route} to {name} ({}): {caret}", finding.code)
                }));
            }
            let rule = |route: &Route| route.saved().pointer("/onMappingSave/outputs/id").is_some();
            let unruled = destination.routes.is_empty() || !destination.routes.iter().all(rule);
            if destination.lacks_rule && unruled {
                warnings.push(format!(
                    "destination.{name}: it has no conversion_rule; events on routes without one of their own will fail"
                ));
            }
        }
        warnings.extend(alerts::warning(&self.alerts, &self.destinations));
        if self.destinations.is_empty() {
            warnings.push("destination: there is none, so nothing can be sent; add [destination.NAME]".to_owned());
        }
        warnings
    }

    /// The credential's profile, whose tokens the addresses of its destinations may see.
    fn profile(&self, name: &str, credential: &Credential) -> Profile {
        let theirs = self.destinations.values().filter(|destination| destination.credential.as_deref() == Some(name));
        let audience = Audience::of(theirs.flat_map(|destination| &destination.addresses));
        Profile { audience, ..credential.profile.clone() }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|cause| ConfigError::File {
        path: path.to_owned(),
        missing: cause.kind() == std::io::ErrorKind::NotFound,
        cause: match cause.kind() {
            std::io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
            _ => cause.to_string(),
        },
    })
}

fn document<'a>(path: &Path, text: &'a str, environment: &'a dyn Fn(&str) -> Option<String>) -> Document<'a> {
    Document::new(path.display().to_string(), text, environment)
}

fn parse<'a>(document: &Document<'a>) -> Result<DeTable<'a>, ConfigError> {
    document.parse().map_err(ConfigError::Faults)
}

fn finish(document: &Document<'_>) -> Result<(), ConfigError> {
    let faults = document.faults();
    if faults.is_empty() { Ok(()) } else { Err(ConfigError::Faults(faults)) }
}

fn read_each<T>(sections: Vec<(String, Section<'_>)>, read: impl Fn(Section<'_>) -> Option<T>) -> BTreeMap<String, T> {
    sections.into_iter().filter_map(|(name, section)| Some((name, read(section)?))).collect()
}

fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from(path), |directory| directory.join(path))
}

fn read_limits(mut section: Section<'_>) -> Limits {
    let default = Limits::default();
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let largest = u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX);
    let limits = Limits {
        calls: section.count("calls", 1..=1_000_000).map_or(default.calls, whole),
        live: section.count("live", 1..=1_000_000_000).unwrap_or(default.live),
        body: section.count("body_bytes", 1..=largest).map_or(default.body, whole),
        time_to_live: section.span("time_to_live").unwrap_or(default.time_to_live),
        budget: section
            .count("budget", 1..=10_000)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(default.budget),
        request: section.span("request_timeout").unwrap_or(default.request),
    };
    section.close();
    limits
}

fn read_network(mut section: Section<'_>) -> Option<bool> {
    let allow = section.flag("allow_loopback");
    section.close();
    allow
}
