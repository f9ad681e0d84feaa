//! The tables `[[route]]`.

use serde_json::{Map, Value};

use crate::route::{Action, Draft, Route};
use crate::table::{Section, suggestion};

/// A table `[[route]]`, read as far as it does not depend on others.
pub(super) struct Written<'a> {
    section: Section<'a>,
    to: Option<String>,
    name: Option<String>,
    action: Option<String>,
    draft: Draft,
}

/// What a route may lead to.
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) actions: &'a [Action],
    /// The routes that it has of its own.
    pub(super) presets: &'a [Route],
}

pub(super) fn read(sections: Vec<Section<'_>>) -> Vec<Written<'_>> {
    sections.into_iter().map(read_one).collect()
}

fn read_one(mut section: Section<'_>) -> Written<'_> {
    let to = section.text("to");
    let to = section.needed("to", to, "name one of the [destination.NAME] tables");
    let name = section.text("name");
    let action = section.text("action");
    let when = section.lines("when");
    let mapping = match section.json("mapping") {
        None => Map::new(),
        Some(Value::Object(mapping)) => mapping,
        Some(_) => {
            section.fault("mapping", "is no table; write [route.mapping], and in it FIELD = { \"@path\" = \"$.…\" }");
            Map::new()
        }
    };
    let omit = section.texts("omit").unwrap_or_default();
    let draft = Draft {
        when,
        strict: section.flag("strict").unwrap_or(false),
        mapping,
        omit,
        bare: !section.flag("defaults").unwrap_or(true),
        disabled: !section.flag("enabled").unwrap_or(true),
    };
    Written { section, to, name, action, draft }
}

/// The routes to each destination, by its name. What cannot work is kept as a fault of its table.
/// `named` are all destinations, those too that are at fault themselves.
pub(super) fn resolve(written: Vec<Written<'_>>, targets: &[Target<'_>], named: &[String]) -> Vec<(String, Route)> {
    let mut routes: Vec<(String, Route)> = Vec::new();
    for Written { section, to, name, action, draft } in written {
        let faulty = |to: &String| named.contains(to) && targets.iter().all(|target| target.name != to);
        if let Some(to) = to.filter(|to| !faulty(to))
            && let Some(route) = route(&section, &to, name, action.as_deref(), &draft, targets)
        {
            let presets = targets.iter().filter(|target| target.name == to).flat_map(|target| target.presets);
            let own = routes.iter().filter(|(other, _)| *other == to).map(|(_, known)| known);
            if presets.chain(own).any(|known| known.name() == route.name()) {
                let name = route.name();
                section.fault("name", format!("there is a route {name} to {to} already; give this one another name"));
            } else {
                routes.push((to, route));
            }
        }
        section.close();
    }
    routes
}

fn route(
    section: &Section<'_>,
    to: &str,
    name: Option<String>,
    action: Option<&str>,
    draft: &Draft,
    targets: &[Target<'_>],
) -> Option<Route> {
    let Some(target) = targets.iter().find(|target| target.name == to) else {
        let known: Vec<&str> = targets.iter().map(|target| target.name).collect();
        let remedy = if known.is_empty() { format!("; add [destination.{to}]") } else { suggestion(to, &known) };
        section.fault("to", format!("there is no [destination.{to}]{remedy}"));
        return None;
    };
    let slugs: Vec<&str> = target.actions.iter().map(Action::slug).collect();
    let found = match action {
        Some(slug) => target.actions.iter().find(|action| action.slug() == slug).or_else(|| {
            section.fault("action", format!("{to} has no action {slug}{}", suggestion(slug, &slugs)));
            None
        }),
        None if slugs.len() > 1 => {
            section.fault("action", format!("is missing, and {to} has several; write one of {}", slugs.join(", ")));
            None
        }
        None => target.actions.first(),
    }?;
    let name = name.unwrap_or_else(|| found.slug().to_owned());
    match Route::new(name, found, draft) {
        Ok(route) => Some(route),
        Err(faults) => {
            for fault in faults {
                section.fault(fault.place, fault.message);
            }
            None
        }
    }
}
