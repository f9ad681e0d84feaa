//! What the strict reading finds in terms that can be read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::compatible::literal;
use super::super::finding::Code;
use super::super::lexer::{Kind, Token};
use super::super::tree::{Connective, Field, Literal, Node, Path, Root, Test};
use super::Parser;
use super::terms::is_value;
use crate::js::number;

impl Parser<'_> {
    /// A field must mean what it seems to.
    pub(super) fn check_field(&mut self, field: &Field, word: &Token) {
        let Field::Path(path) = field else {
            if let Some((head, _)) = word.text.split_once('.') {
                let message = format!("what stands behind `{head}.` is read as nothing");
                self.at_token(
                    Code::Path,
                    word,
                    message,
                    format!("write `{head}`, or a path below properties, traits or context"),
                );
            }
            return;
        };
        let root = path.root.as_str();
        if word.text == root {
            let message = format!("`{root}` alone is a member of that name within `{root}`");
            self.at_token(Code::Path, word, message, format!("write `{root}.` and the name of a member"));
        } else if path.steps.is_empty() {
            self.at_token(Code::Path, word, "the path names no member", format!("write a name behind `{root}.`"));
        } else if word.escaped_dot {
            let message = "a dot separates also behind a backslash; a member with a dot in its name cannot be reached";
            self.at_token(Code::Path, word, message, "write the dot without a backslash, if it is to separate");
        }
    }

    /// Values that the field or the operator does not understand as they are meant.
    pub(super) fn check_comparison(&mut self, field: &Field, word: &Token, operator: &Token, value: &Token) {
        let is_flag = value.kind == Kind::Word;
        let as_text = match field {
            Field::Type | Field::Event => value.kind != Kind::Text,
            Field::Name => value.kind == Kind::Number || is_flag,
            Field::UserId => value.kind == Kind::Number,
            Field::Path(_) => false,
        };
        let is_order = matches!(&*operator.text, "<" | "<=" | ">" | ">=");
        if as_text {
            self.text_field(word, value, is_order);
        } else if is_order {
            self.check_order(value);
        } else if operator.text == "!=" && is_flag {
            let message = format!("`!= {0}` also holds for {0}, and for whatever is no text", value.text);
            let other = if value.text == "true" { "false" } else { "true" };
            self.fault(Code::NotBoolean, operator.span.start..value.span.end, message, format!("write `= {other}`"));
        }
    }

    /// A field that is text was compared with something else. Only calls know whether a text is there.
    fn text_field(&mut self, word: &Token, value: &Token, is_order: bool) {
        let message = if is_order {
            format!("less or greater is asked of numbers, and `{}` is text", word.text)
        } else {
            format!("`{}` is compared as text, also with `{}`", word.text, value.text)
        };
        let remedy = match value.kind {
            _ if is_order => "ask for a path below properties, traits or context".into(),
            Kind::Null if word.text == "event" => "write `contains(event, \"\")` to ask for any text".into(),
            _ => format!("write the text in double quotes: \"{}\"", literal(value).into_text()),
        };
        self.at_token(Code::TextField, value, message, remedy);
    }

    /// The order of numbers is asked with a number, at least one in quotes.
    fn check_order(&mut self, value: &Token) {
        let reads = match literal(value) {
            Literal::Text(text) => !text.is_empty() && value.kind == Kind::Text && !number::parse(&text).is_nan(),
            Literal::Number(_) => true,
            Literal::Flag(_) => false,
        };
        if !reads {
            let message = format!("{} is no number, and less or greater is asked of numbers", shown(value));
            self.at_token(Code::WrongToken, value, message, "write a number");
        }
    }

    /// The field that a call asks for.
    pub(super) fn check_target(&mut self, target: &Token) -> Option<Field> {
        if target.kind != Kind::Word || is_value(target) {
            let message = format!("{} is no field, and the call is read as nothing", shown(target));
            self.at_token(Code::WrongToken, target, message, "write a field first, then a text");
            return None;
        }
        let head = target.text.split('.').next().unwrap_or_default();
        let known = matches!(head, "event" | "name" | "userId") || Root::ALL.iter().any(|root| root.as_str() == head);
        if !known {
            let remedy = "use event, name, userId, or a path below properties, traits or context";
            let message = format!("`{}` cannot be asked for in a call", target.text);
            self.at_token(Code::UnknownField, target, message, remedy);
            return None;
        }
        let field = Field::of_comparison(&target.text)?;
        self.check_field(&field, target);
        Some(field)
    }

    /// Whether the text of a call can be meant as it stands.
    pub(super) fn check_argument(&mut self, name: &Token, value: &Token) -> bool {
        if !is_value(value) {
            let message = format!("`{}` is read as text", value.text);
            self.at_token(Code::WrongToken, value, message, format!("write \"{}\"", value.text));
            return false;
        }
        if name.text == "contains" {
            return true;
        }
        let Literal::Text(pattern) = literal(value) else {
            self.pattern(value);
            return false;
        };
        let sound = value.kind == Kind::Text
            && pattern.matches('*').count() == 1
            && (pattern.starts_with('*') || pattern.ends_with('*'));
        if !sound {
            self.pattern(value);
        }
        sound
    }

    fn pattern(&mut self, value: &Token) {
        let message = "a pattern has one star, first or last; otherwise its first character is dropped";
        let remedy = "write \"text*\" for a start or \"*text\" for an end, `contains` for a part and `=` for the whole";
        self.at_token(Code::MatchPattern, value, message, remedy);
    }

    /// A member below something that is 0, false or empty is read as that. Where a condition asks for just these values, a
    /// second one must see to it that they are not the parent's: no member of a number, boolean or empty text is missing, as
    /// the walk ends before it.
    pub(super) fn check_parents(&mut self, connective: Connective, children: &[(Node, &Token)]) {
        let mut guards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (owner, member) in children.iter().filter_map(|(node, _)| below(absent(node)?)) {
            guards.entry(owner).or_default().insert(member);
        }
        for (node, first) in children {
            let Some((owner, member)) = asks_for_falsy(node).and_then(below) else { continue };
            let guarded = guards.get(&owner).is_some_and(|absent| absent.iter().any(|other| *other != member));
            if guarded && connective == Connective::And {
                continue;
            }
            let message = format!("this also holds where `{owner}` itself is 0, false or empty text");
            let remedy = format!("write `and {owner}.x = null` beside it, where x is a member that is never there");
            self.at_token(Code::FalsyParent, first, message, remedy);
        }
    }
}

/// A path as its owner and the member's name; nothing for a member of the root, which is no number or text in any event.
fn below(path: &Path) -> Option<(String, String)> {
    let (member, parents) = path.steps.split_last().filter(|(_, parents)| !parents.is_empty())?;
    let names: Vec<_> = parents.iter().map(|step| &*step.key).collect();
    Some((format!("{}.{}", path.root.as_str(), names.join(".")), member.key.clone()))
}

/// The path that a term wants to be missing.
fn absent(node: &Node) -> Option<&Path> {
    match node {
        Node::Term(term) if term.test == Test::Missing => match &term.field {
            Field::Path(path) => Some(path),
            _ => None,
        },
        _ => None,
    }
}

/// The path of a term whose value is 0, false or empty text itself.
#[allow(clippy::float_cmp, reason = "only zero is falsy")]
fn asks_for_falsy(node: &Node) -> Option<&Path> {
    let Node::Term(term) = node else { return None };
    let Field::Path(path) = &term.field else { return None };
    let falsy = match &term.test {
        Test::Text { value, negated, .. } => !negated && value.is_empty(),
        Test::Number { value, negated } => !negated && *value == 0.0,
        Test::Part { value, negated, .. } => !negated && value.is_empty(),
        Test::Is(flag) => !flag,
        Test::Order { .. } | Test::Exists | Test::Missing | Test::Never { .. } => false,
    };
    falsy.then_some(path)
}

/// A token as it was written: texts have their quotes already.
fn shown(token: &Token) -> String {
    if token.kind == Kind::Text { token.text.clone() } else { format!("`{}`", token.text) }
}
