//! From what a mapping gave to what an action may rely on.

use serde_json::{Map, Value};

use super::check::check;
use super::coerce::{coerce, fits, types};
use super::empties::Empties;
use super::fault::{Fault, Faults, MOST};
use super::field::{Field, Kind, Required};
use super::place::Place;
use super::say::{Reader, Say, unknown};

/// The member that the reference implementation neither checks nor takes away.
const EXEMPT: &str = "dynamicAuthSettings";

/// A payload that fits its schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cleaned {
    /// The members, in the order in which they were given.
    pub payload: Map<String, Value>,
    /// The members that the schema does not declare, by their places. They were taken away.
    pub undeclared: Vec<String>,
}

/// How strictly values are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Of a mapping: what can be made to fit is, and what is not declared goes.
    Payload(Empties),
    /// Of a configuration file: nothing is changed but that defaults are filled in, and what is not declared is a fault.
    Settings,
}

/// Goes through a payload along its schema, as deep as the schema is, and notes what is wrong.
pub(super) struct Walk {
    manner: Manner,
    faults: Vec<Fault>,
    unsaid: usize,
    undeclared: Vec<String>,
}

/// An object on the way.
struct Owner<'a> {
    /// Its label, if it has one.
    label: Option<&'a str>,
    place: &'a Place<'a>,
    fields: &'a [Field],
    /// Whether other members are let in.
    open: bool,
    /// Whether conditions are looked up from here: the root, or an item of a list.
    scope: bool,
}

/// Checks `payload` against `fields`.
pub(super) fn walk(fields: &[Field], manner: Manner, mut payload: Map<String, Value>) -> Result<Cleaned, Faults> {
    let mut walk = Walk { manner, faults: Vec::new(), unsaid: 0, undeclared: Vec::new() };
    if let Manner::Payload(empties) = manner {
        empties.remove(fields, &mut payload);
        wrap(fields, &mut payload);
    }
    walk.object(&Owner { label: None, place: &Place::Root, fields, open: false, scope: true }, &mut payload);
    match Faults::of(walk.faults, walk.unsaid) {
        Some(faults) => Err(faults),
        None => Ok(Cleaned { payload, undeclared: walk.undeclared }),
    }
}

/// At the top, anything that should be a list and is none becomes one of one item; further down only scalars do.
fn wrap(fields: &[Field], payload: &mut Map<String, Value>) {
    for field in fields.iter().filter(|field| field.multiple) {
        if let Some(value) = payload.get_mut(&field.key).filter(|value| !value.is_array() && !value.is_null()) {
            *value = Value::Array(vec![value.take()]);
        }
    }
}

impl Walk {
    fn object(&mut self, owner: &Owner<'_>, object: &mut Map<String, Value>) {
        self.undeclared(owner, object);
        if self.manner == Manner::Settings {
            for field in owner.fields {
                if let Some(default) = field.default.as_ref().filter(|_| !object.contains_key(&field.key)) {
                    object.insert(field.key.clone(), default.clone());
                }
            }
        }
        // The reference implementation looks at conditions before it makes values fit, so that `["LIST"]` is not `LIST`.
        let early = self.compatible();
        let first = self.faults.len();
        if owner.scope && early {
            self.conditional(owner, object);
        }
        for field in owner.fields.iter().filter(|field| field.required == Required::Always) {
            if self.lacks(field, object.get(&field.key)) {
                self.missing(owner, field, "");
            }
        }
        for field in owner.fields {
            if let Some(value) = object.get_mut(&field.key) {
                self.value(field, value, &Place::Member(owner.place, &field.key));
            }
        }
        if owner.scope && !early {
            let mut rest = self.faults.split_off(first.min(self.faults.len()));
            self.conditional(owner, object);
            self.faults.append(&mut rest);
        }
    }

    fn compatible(&self) -> bool {
        matches!(self.manner, Manner::Payload(empties) if empties.compatible())
    }

    fn reader(&self) -> Reader {
        if self.manner == Manner::Settings { Reader::Settings } else { Reader::Mapping }
    }

    /// Whether there is nothing where a field must be. A setting of blanks was left open by someone.
    fn lacks(&self, field: &Field, value: Option<&Value>) -> bool {
        let blank = |text: &str| self.manner == Manner::Settings && crate::js::text::trim(text).is_empty();
        let text = field.kind == Kind::Text && value.and_then(Value::as_str).is_some_and(blank);
        value.is_none() || text
    }

    fn undeclared(&mut self, owner: &Owner<'_>, object: &mut Map<String, Value>) {
        if owner.open {
            return;
        }
        let exempt = self.compatible() && matches!(owner.place, Place::Root);
        let declared = |key: &str| (exempt && key == EXEMPT) || owner.fields.iter().any(|field| field.key == key);
        let strange: Vec<String> = object.keys().filter(|key| !declared(key)).cloned().collect();
        if strange.is_empty() {
            return;
        }
        object.retain(|key, _| declared(key));
        for key in strange {
            let place = Place::Member(owner.place, &key);
            if self.manner == Manner::Settings {
                self.note(unknown(&owner.place.name(owner.label), &key, &place, owner.fields));
            } else {
                self.undeclared.push(place.dotted());
            }
        }
    }

    fn value(&mut self, field: &Field, value: &mut Value, place: &Place<'_>) {
        if !field.multiple {
            return self.one(field, value, place, false);
        }
        let scalar = !value.is_array() && !value.is_object();
        if scalar && self.manner != Manner::Settings {
            *value = Value::Array(vec![value.take()]);
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.one(field, item, &Place::Item(place, index), true);
                }
            }
            other => self.note(self.say(field, place, false).wrong_type(&["array"], other)),
        }
    }

    /// A value that is no list, or an item of one.
    fn one(&mut self, field: &Field, value: &mut Value, place: &Place<'_>, item: bool) {
        let given = value.take();
        let (fitting, good) = if self.manner == Manner::Settings {
            let good = fits(field, &given);
            (given, good)
        } else {
            match coerce(field, given) {
                Ok(made) => (made, true),
                Err(given) => (given, false),
            }
        };
        *value = fitting;
        let say = self.say(field, place, item);
        let wrong = (!good).then(|| say.wrong_type(&types(field), value));
        let faults = check(&say, value);
        if field.kind == Kind::Object {
            // The order of the reference implementation: what an object may be comes before what it is.
            faults.into_iter().chain(wrong).for_each(|fault| self.note(fault));
        } else {
            wrong.into_iter().chain(faults).for_each(|fault| self.note(fault));
        }
        if let (Value::Object(object), Kind::Object, Some(fields)) = (value, field.kind, &field.properties) {
            let label = if item { None } else { field.label.as_deref() };
            self.object(&Owner { label, place, fields, open: field.open, scope: item }, object);
        }
    }

    /// Demands the fields whose conditions hold in `scope`: those of the object itself and of the objects within.
    fn conditional(&mut self, owner: &Owner<'_>, scope: &Map<String, Value>) {
        self.demand(owner, owner, scope, scope);
    }

    fn demand(&mut self, top: &Owner<'_>, owner: &Owner<'_>, scope: &Map<String, Value>, object: &Map<String, Value>) {
        for field in owner.fields {
            let conditional = matches!(field.required, Required::When(_));
            let members = field.object_members();
            if !conditional && members.is_none() {
                continue;
            }
            let value = object.get(&field.key);
            if conditional && self.lacks(field, value) && is_conditional(field, scope) {
                self.missing_when(top, owner, field);
            }
            let Some(members) = members else { continue };
            match value {
                Some(Value::Object(inner)) => {
                    let place = &Place::Member(owner.place, &field.key);
                    let label = field.label.as_deref();
                    let inside = Owner { label, place, fields: members, open: field.open, scope: false };
                    self.demand(top, &inside, scope, inner);
                }
                // A member that must be there wants its object to be there.
                None => {
                    let demanded = demanded_within(members, scope);
                    let told = field.required == Required::Always || is_conditional(field, scope);
                    let once = usize::from(demanded > 0 && !told);
                    for _ in 0..if self.compatible() { demanded } else { once } {
                        self.missing_when(top, owner, field);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A conditional field is missing. In the reference implementation the object has no label then, and the condition
    /// itself is one more fault of it.
    fn missing_when(&mut self, top: &Owner<'_>, owner: &Owner<'_>, field: &Field) {
        if self.compatible() {
            let also = format!(" {} must match \"then\" schema.", top.place.name(top.label));
            let nameless = Owner { label: None, ..*owner };
            self.missing(&nameless, field, &also);
        } else {
            self.missing(owner, field, "");
        }
    }

    fn missing(&mut self, owner: &Owner<'_>, field: &Field, also: &str) {
        let place = Place::Member(owner.place, &field.key);
        let fault = self.say(field, &place, false).missing(&owner.place.name(owner.label), also);
        self.note(fault);
    }

    fn say<'a>(&self, field: &'a Field, place: &'a Place<'a>, item: bool) -> Say<'a> {
        Say { reader: self.reader(), field, place, item }
    }

    fn note(&mut self, fault: Fault) {
        // What nobody will be told is not kept, or a list of a million items would cost as many faults.
        if self.faults.len() > MOST {
            self.unsaid = self.unsaid.saturating_add(1);
        } else {
            self.faults.push(fault);
        }
    }
}

/// Whether a field must be there because of others.
fn is_conditional(field: &Field, scope: &Map<String, Value>) -> bool {
    matches!(&field.required, Required::When(when) if when.holds(scope))
}

/// How many fields of an object that is not there are demanded by their conditions.
fn demanded_within(fields: &[Field], scope: &Map<String, Value>) -> usize {
    let counts = fields.iter().map(|field| {
        let within = field.object_members().map_or(0, |members| demanded_within(members, scope));
        usize::from(is_conditional(field, scope)).saturating_add(within)
    });
    counts.fold(0, usize::saturating_add)
}
