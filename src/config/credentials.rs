//! The tables `[credential.NAME]` and `[profile.NAME]`.

use std::collections::BTreeMap;
use std::path::Path;

use super::beside;
use super::means::{self, Means, Places};
use crate::guard::Guard;
use crate::oauth::{Carrier, Client, GrantKind, Profile};
use crate::secret::Secret;
use crate::table::{Document, Section, suggestion};

/// A table `[credential.NAME]`: its profile with what the table overrides, and the client.
pub(crate) struct Credential {
    pub(crate) profile: Profile,
    pub(crate) client: Client,
    /// The token, where it is a configured one.
    pub(super) fixed: Option<Secret>,
}

/// The profiles that a file has of its own, and the way to those beside it.
pub(super) struct Profiles<'a> {
    file: &'a Path,
    /// `None` where what it says cannot work, which has been told.
    inline: BTreeMap<String, Option<Profile>>,
    guard: &'a Guard,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Profiles<'a> {
    pub(super) fn read(
        file: &'a Path,
        sections: Vec<(String, Section<'_>)>,
        guard: &'a Guard,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let inline = sections.into_iter().map(|(name, section)| {
            let profile = Profile::from_section(section, Some(&name), guard);
            (name, profile)
        });
        Profiles { file, inline: inline.collect(), guard, environment }
    }

    pub(super) fn credential(&self, mut section: Section<'_>) -> Option<Credential> {
        let profile = self.profile(&mut section);
        let overridden = profile.map(|profile| self.overridden(&mut section, profile));
        if overridden.is_none() {
            // What may stand here is known, whatever is wrong with the profile.
            self.overridden(&mut section, Profile::bare(""));
        }
        let places = Places { file: self.file, environment: self.environment };
        let means = means::read(&mut section, overridden.as_ref(), &places);
        let profile = overridden.filter(|profile| is_whole(&section, profile));
        section.close();
        let Means { client, fixed } = means?;
        Some(Credential { profile: profile?, client, fixed })
    }

    /// The profile that `profile` names: one of this file, one that ships, or a file.
    fn profile(&self, section: &mut Section<'_>) -> Option<Profile> {
        let name = section.text("profile");
        let name = section.needed("profile", name, "write profile = \"linkedin\"")?;
        if let Some(own) = self.inline.get(&name) {
            return own.clone();
        }
        if let Some(shipped) = Profile::shipped(&name) {
            return Some(shipped);
        }
        if Path::new(&name).extension().is_some_and(|ending| ending == "toml") {
            return self.beside(section, &name);
        }
        let own: Vec<&str> = self.inline.keys().map(String::as_str).collect();
        let known = [own, Profile::shipped_names().collect()].concat();
        section.fault("profile", format!("`{name}` is not known{}", suggestion(&name, &known)));
        None
    }

    /// The profile in a file; what is wrong in that file is told where it is named.
    fn beside(&self, section: &Section<'_>, written: &str) -> Option<Profile> {
        let path = beside(self.file, written);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) => {
                section.fault("profile", format!("the file {} cannot be read: {why}", path.display()));
                return None;
            }
        };
        let document = Document::new(path.display().to_string(), &text, self.environment);
        let faults = match document.parse() {
            Ok(table) => {
                let profile = Profile::from_section(Section::root(&document, &table), None, self.guard);
                let faults = document.faults();
                if faults.is_empty() {
                    return profile;
                }
                faults
            }
            Err(faults) => faults,
        };
        for fault in &faults {
            section.fault("profile", fault.to_string());
        }
        None
    }

    /// The profile with what the credential's table says of itself.
    fn overridden(&self, section: &mut Section<'_>, profile: Profile) -> Profile {
        let (token_url, authorize_url) = (section.url("token_url"), section.url("authorize_url"));
        let (settle, scopes) = (section.span("settle"), section.texts("scopes"));
        let (grant, pkce) = (section.one_of("grant", &GrantKind::NAMES.map(|(name, _)| name)), section.flag("pkce"));
        let grant = grant.and_then(|name| GrantKind::NAMES.iter().find(|(known, _)| *known == name));
        let carrier = Carrier::read(section);
        for (key, url) in [("token_url", &token_url), ("authorize_url", &authorize_url)] {
            if let Some(url) = url {
                section.check_line(key, url, self.guard);
            }
        }
        Profile {
            token_url: token_url.unwrap_or(profile.token_url),
            authorize_url: authorize_url.or(profile.authorize_url),
            settle: settle.unwrap_or(profile.settle),
            scopes: scopes.unwrap_or(profile.scopes),
            grant: grant.map_or(profile.grant, |(_, grant)| *grant),
            pkce: pkce.unwrap_or(profile.pkce),
            carrier: carrier.unwrap_or(profile.carrier),
            ..profile
        }
    }
}

/// Whether the profile, with what was overridden, can work.
fn is_whole(section: &Section<'_>, profile: &Profile) -> bool {
    if profile.lacks_token_url() && profile.grant != GrantKind::Static {
        let remedy = format!("the profile {} does not know where tokens are asked for", profile.name);
        section.needed("token_url", None::<()>, &remedy);
        return false;
    }
    match profile.conflict() {
        Some((key, message)) if section.holds(key) => {
            section.fault(key, message);
            false
        }
        _ => true,
    }
}
