//! A mapping as a tree: what is read once, when the mapping is made, and run for every event.
//!
//! Reading never fails: what is wrong with a directive that the static check does not reach is kept, and is an error when
//! it runs. The depth of the tree is bounded by that of the mapping, which [`super::Mapping::new`] limits.

use serde_json::{Map, Value as Json};

use super::check::{DIRECTIVES, below};
use super::error::{MappingError, Trouble};
use super::flatten::Flatten;
use super::liquid::Template as Liquid;
use super::path::Path;
use super::replace::Replace;
use super::root;
use super::template::Template;
use super::value::{is_falsy, kind};

/// A part of a mapping.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Without any directive in it: it is its own result.
    Raw(Json),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    Directive(Box<Directive>),
}

/// A directive, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) act: Act,
}

/// What a directive does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// It cannot run.
    Wrong(Trouble),
    Path(Source<Path>),
    Template(Source<Template>),
    Literal(Node),
    If(If),
    Case {
        operator: Json,
        value: Option<Node>,
    },
    Replace {
        how: Replace,
        value: Option<Node>,
    },
    ArrayPath {
        root: Source<Path>,
        shape: Option<Node>,
    },
    Flatten {
        how: Flatten,
        value: Option<Node>,
    },
    Encode(Node),
    Decode(Node),
    /// A mode that passes the check, since letter case does not count there, and then does nothing.
    NoMode(Node),
    Merge {
        objects: Vec<Node>,
        left: bool,
    },
    Transform {
        apply: Box<Result<Node, MappingError>>,
        mapping: Node,
    },
    ExcludeWhenNull(Node),
    Liquid(Liquid),
}

/// What is read of text: here, or of what another directive resolves to.
#[derive(Clone, Debug)]
pub(super) enum Source<T> {
    Fixed(T),
    Computed(Node),
}

/// `@if`.
#[derive(Clone, Debug)]
pub(super) struct If {
    pub(super) test: Test,
    pub(super) then: Option<Node>,
    pub(super) otherwise: Option<Node>,
}

/// The condition of `@if`.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Exists(Node),
    Filled(Node),
}

type Members = Map<String, Json>;

/// Reads a part of a mapping.
pub(super) fn node(json: &Json, place: &str) -> Node {
    match json {
        Json::Array(items) => {
            let read = |(index, item): (usize, &Json)| node(item, &below(place, &index.to_string()));
            let nodes: Vec<Node> = items.iter().enumerate().map(read).collect();
            if nodes.iter().all(Node::is_raw) { Node::Raw(json.clone()) } else { Node::Array(nodes) }
        }
        Json::Object(members) => {
            if let Some((name, argument)) = runs(members) {
                let place = below(place, name);
                let act = act(name, argument, &place).unwrap_or_else(Act::Wrong);
                return Node::Directive(Box::new(Directive { place, name: name.to_owned(), act }));
            }
            let read = |(key, member): (&String, &Json)| (key.clone(), node(member, &below(place, key)));
            let nodes: Vec<(String, Node)> = members.iter().map(read).collect();
            if nodes.iter().all(|(_, node)| node.is_raw()) { Node::Raw(json.clone()) } else { Node::Object(nodes) }
        }
        scalar => Node::Raw(scalar.clone()),
    }
}

impl Node {
    fn is_raw(&self) -> bool {
        matches!(self, Node::Raw(_))
    }
}

/// What runs: an object with no other members than directives and metadata. The first directive counts.
fn runs(members: &Members) -> Option<(&str, &Json)> {
    let all = members.keys().all(|key| key.starts_with('@') || key == "_metadata");
    members.iter().find(|(key, _)| all && key.starts_with('@')).map(|(key, argument)| (key.as_str(), argument))
}

fn act(name: &str, argument: &Json, place: &str) -> Result<Act, Trouble> {
    Ok(match name {
        "@path" => Act::Path(source(argument, place, Path::of_directive)?),
        "@template" => Act::Template(source(argument, place, Template::new)?),
        "@literal" => Act::Literal(node(argument, place)),
        "@excludeWhenNull" => Act::ExcludeWhenNull(node(argument, place)),
        "@liquid" => match argument {
            Json::String(text) => Act::Liquid(Liquid::new(text)?),
            other => return Err(misfit("its argument", "text", other)),
        },
        "@arrayPath" => array_path(argument, place)?,
        "@if" => condition(&Arguments::new(argument, place)?)?,
        "@case" => case(&Arguments::new(argument, place)?)?,
        "@replace" => {
            let arguments = Arguments::new(argument, place)?;
            Act::Replace { how: Replace::new(arguments.members)?, value: arguments.truthy("value") }
        }
        "@flatten" => {
            let arguments = Arguments::new(argument, place)?;
            Act::Flatten { how: Flatten::new(arguments.members)?, value: arguments.node("value") }
        }
        "@json" => json(&Arguments::new(argument, place)?)?,
        "@merge" => merge(&Arguments::new(argument, place)?)?,
        "@transform" => transform(&Arguments::new(argument, place)?)?,
        _ => return Err(Trouble::new(format!("there is no directive {name}"), format!("use one of {DIRECTIVES}"))),
    })
}

/// The arguments of a directive that takes an object.
struct Arguments<'a> {
    members: &'a Members,
    place: &'a str,
}

impl<'a> Arguments<'a> {
    fn new(argument: &'a Json, place: &'a str) -> Result<Self, Trouble> {
        match argument {
            Json::Object(members) => Ok(Arguments { members, place }),
            other => Err(misfit("its argument", "an object", other)),
        }
    }

    fn node(&self, name: &str) -> Option<Node> {
        self.members.get(name).map(|json| node(json, &below(self.place, name)))
    }

    /// The argument, unless it is raw and counts as false.
    fn truthy(&self, name: &str) -> Option<Node> {
        self.members.get(name).filter(|json| !is_falsy(json)).and_then(|_| self.node(name))
    }

    fn required(&self, name: &str) -> Result<Node, Trouble> {
        self.truthy(name).ok_or_else(|| missing(name))
    }
}

pub(super) fn missing(name: &str) -> Trouble {
    Trouble::new(format!("the argument `{name}` is missing or empty"), "write it")
}

pub(super) fn misfit(what: &str, wanted: &str, found: &Json) -> Trouble {
    Trouble::new(format!("{what} must be {wanted} and is {}", kind(found)), format!("write {wanted}"))
}

fn source<T>(argument: &Json, place: &str, read: impl Fn(&str) -> T) -> Result<Source<T>, Trouble> {
    match argument {
        Json::String(text) => Ok(Source::Fixed(read(text))),
        Json::Object(members) if runs(members).is_some() => Ok(Source::Computed(node(argument, place))),
        other => Err(misfit("its argument", "text or a directive", other)),
    }
}

fn array_path(argument: &Json, place: &str) -> Result<Act, Trouble> {
    let Json::Array(items) = argument else { return Err(misfit("its argument", "an array", argument)) };
    let root = match items.first().unwrap_or(&Json::Null) {
        Json::String(text) => Source::Fixed(Path::of_directive(text)),
        other => Source::Computed(node(other, &below(place, "0"))),
    };
    let shape = items.get(1).filter(|shape| shape.as_object().is_some_and(|members| !members.is_empty()));
    Ok(Act::ArrayPath { root, shape: shape.map(|shape| node(shape, &below(place, "1"))) })
}

fn condition(arguments: &Arguments<'_>) -> Result<Act, Trouble> {
    let is_given = |name: &str| arguments.members.get(name).is_some_and(|json| !is_falsy(json));
    if !is_given("exists") && !is_given("blank") {
        let remedy = "write `exists` or `blank` with the value to look at; a raw empty value counts as none";
        return Err(Trouble::new("the condition is missing", remedy));
    }
    let test = match arguments.node("exists") {
        Some(value) => Test::Exists(value),
        None => Test::Filled(arguments.required("blank")?),
    };
    Ok(Act::If(If { test, then: arguments.node("then"), otherwise: arguments.truthy("else") }))
}

fn case(arguments: &Arguments<'_>) -> Result<Act, Trouble> {
    let operator = arguments.members.get("operator").filter(|operator| !is_falsy(operator));
    let operator = operator.ok_or_else(|| missing("operator"))?.clone();
    Ok(Act::Case { operator, value: arguments.truthy("value") })
}

fn json(arguments: &Arguments<'_>) -> Result<Act, Trouble> {
    let value = arguments.required("value")?;
    Ok(match arguments.members.get("mode").and_then(Json::as_str) {
        Some("encode") => Act::Encode(value),
        Some("decode") => Act::Decode(value),
        _ => Act::NoMode(value),
    })
}

fn merge(arguments: &Arguments<'_>) -> Result<Act, Trouble> {
    let objects = arguments.members.get("objects").filter(|objects| !is_falsy(objects));
    let objects = objects.ok_or_else(|| missing("objects"))?;
    let direction = arguments.members.get("direction").filter(|direction| !is_falsy(direction));
    let left = direction.ok_or_else(|| missing("direction"))?.as_str() == Some("left");
    let Json::Array(items) = objects else { return Err(misfit("`objects`", "an array", objects)) };
    let place = below(arguments.place, "objects");
    let read = |(index, item): (usize, &Json)| node(item, &below(&place, &index.to_string()));
    Ok(Act::Merge { objects: items.iter().enumerate().map(read).collect(), left })
}

fn transform(arguments: &Arguments<'_>) -> Result<Act, Trouble> {
    let mapping = arguments.required("mapping")?;
    match arguments.members.get("apply") {
        Some(apply @ Json::Object(_)) => {
            let apply = root::compiled(apply, &below(arguments.place, "apply"));
            Ok(Act::Transform { apply: Box::new(apply), mapping })
        }
        other => Err(misfit("`apply`", "an object", other.unwrap_or(&Json::Null))),
    }
}
