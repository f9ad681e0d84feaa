//! A profile as a table of TOML.

use std::fmt;

use outlast_state::Span;
use url::Url;

use super::{AssertionIn, Carrier, ClientAuth, GrantKind, Profile, Rotation, TokenShape};
use crate::exchange::{Rule, is_header_value, unfit_header_name};
use crate::guard::{Audience, Guard};
use crate::limits::unfit_name;
use crate::span;
use crate::table::{Document, Fault, Section, suggestion};

/// Why a text is no profile: everything that is wrong with it, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError(pub Vec<Fault>);

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// Reads a profile in TOML. `name` and, except for static tokens, `token_url` must be in it; what else is absent is as
    /// in the profile that it `extends`, which is `generic` where nothing is said. Addresses of this machine's loopback are
    /// taken, for a sandbox; `${NAME}` is not expanded.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line, its key and what to write.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile = Profile::draft("profile", text, &|_| None)?;
        if profile.lacks_token_url() && profile.grant != GrantKind::Static {
            let document = Document::new("profile", text, &|_| None);
            let message = "is missing; write the address of the provider's token endpoint";
            document.fault(1, "token_url".to_owned(), message);
            return Err(ProfileError(document.faults()));
        }
        Ok(profile)
    }

    /// The same of a file called `file`, whose texts may name the environment, and which may leave open where tokens are asked
    /// for.
    pub(crate) fn draft(
        file: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ProfileError> {
        let document = Document::new(file, text, environment);
        let table = document.parse().map_err(ProfileError)?;
        let profile = Profile::from_section(Section::root(&document, &table), None, &Guard::new(true, &[]));
        let faults = document.faults();
        profile.filter(|_| faults.is_empty()).ok_or(ProfileError(faults))
    }

    /// Reads the table of a profile that is called `name`, or says so itself.
    pub(crate) fn from_section(mut section: Section<'_>, name: Option<&str>, guard: &Guard) -> Option<Self> {
        let base = base(&mut section);
        let named = match name {
            Some(name) => Some(name.to_owned()),
            None => own_name(&mut section),
        };
        let mut profile = base?;
        profile.name = named.clone().unwrap_or_default();
        read_endpoints(&mut section, &mut profile, guard);
        read_token(&mut section, &mut profile);
        read_answers(&mut section, &mut profile);
        read_times(&mut section, &mut profile);
        let conflict = profile.conflict();
        if let Some((key, message)) = conflict.as_ref() {
            section.fault(key, message.as_str());
        }
        section.close();
        named.and_then(|_| conflict.is_none().then_some(profile))
    }
}

/// What it starts from. A profile that ships starts from `generic`, whose own file is read without one.
fn base(section: &mut Section<'_>) -> Option<Profile> {
    let Some(written) = section.text("extends") else {
        return (!section.holds("extends")).then(|| Profile::bare(""));
    };
    let shipped = Profile::shipped(&written);
    if shipped.is_none() {
        let known: Vec<&str> = Profile::shipped_names().collect();
        section.fault("extends", format!("`{written}` is not known{}", suggestion(&written, &known)));
    }
    shipped
}

fn own_name(section: &mut Section<'_>) -> Option<String> {
    let name = section.text("name");
    let name = section.needed("name", name, "write what the provider is called in logs, such as name = \"acme\"")?;
    if let Some(why) = unfit_name(&name) {
        section.fault("name", why);
        return None;
    }
    Some(name)
}

fn set<T>(field: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *field = value;
    }
}

fn read_endpoints(section: &mut Section<'_>, profile: &mut Profile, guard: &Guard) {
    set(&mut profile.grant, choice(section, "grant", &GrantKind::NAMES));
    if let Some(url) = section.url("token_url").filter(|url| section.check_line("token_url", url, guard)) {
        profile.token_url = url;
    }
    set(&mut profile.authorize_url, optional_url(section, "authorize_url", guard));
    set(&mut profile.pkce, section.flag("pkce"));
    set(&mut profile.introspect_url, optional_url(section, "introspect_url", guard));
    set(&mut profile.revoke_url, optional_url(section, "revoke_url", guard));
    set(&mut profile.client_auth, choice(section, "client_auth", &ClientAuth::NAMES));
    set(&mut profile.scopes, section.texts("scopes"));
    if let Some(text) = section.lines("scope_separator") {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => profile.scope_separator = letter,
            _ => section.fault("scope_separator", "is not one character; write \" \" or \",\""),
        }
    }
    if let Some(written) = section.texts("audience") {
        let mut origins = Vec::new();
        for text in written {
            match Url::parse(&text).ok().filter(|url| url.host().is_some()) {
                Some(url) if section.check_line("audience", &url, guard) => origins.push(url),
                Some(_) => {}
                None => section.fault("audience", format!("`{text}` is not an address that begins with https://")),
            }
        }
        profile.audience = Audience::of(&origins);
    }
}

#[expect(clippy::option_option, reason = "a key that is absent is told apart from one that takes something back")]
fn optional_url(section: &mut Section<'_>, key: &'static str, guard: &Guard) -> Option<Option<Url>> {
    let url = section.parsed(key, |text| match text {
        NONE => Ok(None),
        _ => match Url::parse(text) {
            Ok(url) if url.host().is_some() => Ok(Some(url)),
            _ => Err(format!("`{text}` is not an address that begins with https://, nor \"none\"")),
        },
    })?;
    if let Some(url) = &url {
        section.check_line(key, url, guard);
    }
    Some(url)
}

fn choice<T: Copy>(section: &mut Section<'_>, key: &'static str, known: &[(&'static str, T)]) -> Option<T> {
    let names: Vec<&'static str> = known.iter().map(|(name, _)| *name).collect();
    let name = section.one_of(key, &names)?;
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Where the token stands in requests, and how it is asked for.
fn read_token(section: &mut Section<'_>, profile: &mut Profile) {
    set(&mut profile.carrier, Carrier::read(section));
    let mut shape = section.section("token");
    let assertion = [("form", AssertionIn::Form), ("bearer", AssertionIn::Bearer)];
    set(&mut profile.token_shape.assertion, choice(&mut shape, "assertion", &assertion));
    set(&mut profile.token_shape.access_token, pointer(&mut shape, "access_token"));
    set(&mut profile.token_shape.expires_in, pointer(&mut shape, "expires_in"));
    if let Some(place) = pointer(&mut shape, "expires_at") {
        profile.token_shape.expires_at = Some(place);
    }
    let TokenShape { ends_grant, misconfigured, .. } = &mut profile.token_shape;
    set(ends_grant, rows(&mut shape, "ends_grant"));
    set(misconfigured, rows(&mut shape, "misconfigured"));
    shape.close();
}

impl Carrier {
    /// Where a table says that the token stands, if it does.
    pub(crate) fn read(section: &mut Section<'_>) -> Option<Self> {
        let (header, prefix) = (section.text("token_header"), section.lines("token_prefix"));
        if let Some(why) = header.as_deref().and_then(unfit_header_name) {
            section.fault("token_header", why);
            return None;
        }
        if prefix.as_deref().is_some_and(|prefix| !is_header_value(prefix)) {
            section.fault("token_prefix", "holds a character that no header can carry; remove it");
            return None;
        }
        (header.is_some() || prefix.is_some()).then(|| Carrier::of(header, prefix))
    }
}

fn read_answers(section: &mut Section<'_>, profile: &mut Profile) {
    set(&mut profile.refuses, rows(section, "refuses"));
    set(&mut profile.lacks_scope, rows(section, "lacks_scope"));
    set(&mut profile.proves, rows(section, "proves"));
    let Some(name) = section.text("node_header") else { return };
    match unfit_header_name(&name) {
        _ if name == NONE => profile.node_header = None,
        None => profile.node_header = Some(name),
        Some(why) => section.fault("node_header", why),
    }
}

fn pointer(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    section.parsed(key, |text| {
        let wrong = || format!("`{text}` is not a JSON pointer; write one such as /access_token");
        is_pointer(text).then(|| text.to_owned()).ok_or_else(wrong)
    })
}

/// RFC 6901, section 3.
fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

fn rows(section: &mut Section<'_>, key: &'static str) -> Option<Vec<Rule>> {
    let sections = section.each(key);
    section.holds(key).then(|| sections.into_iter().filter_map(row).collect())
}

fn row(mut section: Section<'_>) -> Option<Rule> {
    let status = section.text_or_number("status");
    let status = section.needed("status", status, "write one such as \"401\", or two such as \"200-299\"");
    let at = pointer(&mut section, "pointer");
    let values = section.texts("values").unwrap_or_default();
    let rule = Rule::written(&status?, at, values).map_err(|why| section.fault("status", why)).ok();
    section.close();
    rule
}

fn read_times(section: &mut Section<'_>, profile: &mut Profile) {
    set(&mut profile.settle, section.span("settle"));
    set(&mut profile.young, section.span("young"));
    set(&mut profile.renew_at, section.count("renew_at", 1..=100).and_then(|percent| u8::try_from(percent).ok()));
    set(&mut profile.scope_delay, section.span("scope_delay"));
    set(&mut profile.access_life, section.span("access_life"));
    set(&mut profile.grant_life, optional_span(section, "grant_life"));
    set(&mut profile.idle_life, optional_span(section, "idle_life"));
    set(&mut profile.quiet, section.span("quiet"));
    set(&mut profile.dedupe, optional_span(section, "dedupe"));
    set(&mut profile.event_age, optional_span(section, "event_age"));
    let (rotation, grace) = (choice(section, "rotation", &Rotation::NAMES), reuse_grace(section));
    set(&mut profile.rotation, rotation);
    match (&mut profile.rotation, grace) {
        (Rotation::Rotates { grace: old }, Some(grace)) => *old = grace,
        (_, Some(_)) => section.fault("reuse_grace", "means nothing without rotation = \"rotates\"; leave it out"),
        (_, None) => {}
    }
}

/// It may be nothing: then a refresh token is dead once it was used.
fn reuse_grace(section: &mut Section<'_>) -> Option<Span> {
    section.parsed("reuse_grace", |text| span::span(text).map_err(|why| why.to_string()))
}

#[expect(clippy::option_option, reason = "a key that is absent is told apart from one that takes something back")]
fn optional_span(section: &mut Section<'_>, key: &'static str) -> Option<Option<Span>> {
    section.parsed(key, |text| match span::span(text) {
        _ if text == NONE => Ok(None),
        Ok(Span::ZERO) => Err("must be longer than nothing; \"none\" means that there is no such limit".to_owned()),
        Ok(span) => Ok(Some(span)),
        Err(why) => Err(why.to_string()),
    })
}

/// What stands for nothing where a profile takes something back that the one it extends has.
pub(super) const NONE: &str = "none";
