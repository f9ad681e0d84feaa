//! The condition tree. All that can be known from the text is worked out here, so that evaluation compares and nothing else:
//! paths are split, numbers read, operators typed.

use crate::js::number;

/// A subscription. Its depth is bounded by its parsers: two levels in the compatible reading, [`super::strict::DEEPEST`] in
/// the strict one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Term(Term),
    Group(Group),
    /// A group without a condition. Evaluating it is an error.
    Hole,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) connective: Connective,
    pub(super) children: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
}

impl Connective {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Connective::And => "and",
            Connective::Or => "or",
        }
    }
}

/// A node of what one level holds. Nothing makes a hole.
pub(super) fn level(connective: Connective, mut children: Vec<Node>) -> Node {
    match children.len() {
        0 | 1 => children.pop().unwrap_or(Node::Hole),
        _ => Node::Group(Group { connective, children }),
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) field: Field,
    pub(super) test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    Event,
    Name,
    UserId,
    Path(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Properties,
    Traits,
    Context,
}

impl Root {
    pub(super) const ALL: [Root; 3] = [Root::Properties, Root::Traits, Root::Context];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Root::Properties => "properties",
            Root::Traits => "traits",
            Root::Context => "context",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: Root,
    /// What was written behind the root, without backslashes.
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// One member to go down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: String,
    /// The key as a position in a list or a text: decimal digits without a leading zero.
    pub(super) index: Option<usize>,
}

impl Step {
    fn new(key: &str) -> Self {
        let canonical = key == "0" || !key.starts_with(['0', '+']);
        Step { key: key.into(), index: key.parse().ok().filter(|_| canonical) }
    }
}

impl Path {
    /// The path that a word means: what is behind the root, split at dots and brackets. A word that is the root alone, or
    /// only begins like it, is a member of that name.
    pub(super) fn new(root: Root, word: &str) -> Self {
        let behind = word.strip_prefix(root.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let name = behind.unwrap_or(word);
        let pieces = name.split(['.', '[', ']']).filter(|piece| !piece.is_empty());
        Path { root, name: name.into(), steps: pieces.map(Step::new).collect() }
    }
}

impl Field {
    /// The field that a comparison begins with: the word up to its first dot decides.
    pub(super) fn of_comparison(word: &str) -> Option<Self> {
        let head = word.split('.').next().unwrap_or_default();
        match head {
            "type" => Some(Field::Type),
            "event" => Some(Field::Event),
            "name" => Some(Field::Name),
            "userId" => Some(Field::UserId),
            _ => {
                Root::ALL.into_iter().find(|root| root.as_str() == head).map(|root| Field::Path(Path::new(root, word)))
            }
        }
    }

    /// The first argument of a call: whole names, or whatever begins like a root.
    pub(super) fn of_call(word: &str) -> Option<Self> {
        match word {
            "event" => Some(Field::Event),
            "name" => Some(Field::Name),
            "userId" => Some(Field::UserId),
            _ => Root::ALL
                .into_iter()
                .find(|root| word.starts_with(root.as_str()))
                .map(|root| Field::Path(Path::new(root, word))),
        }
    }
}

/// What a value token stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(f64),
    Flag(bool),
}

impl Literal {
    pub(super) fn into_text(self) -> String {
        match self {
            Literal::Text(text) => text,
            Literal::Number(value) => number::print(value),
            Literal::Flag(flag) => flag.to_string(),
        }
    }

    fn to_number(&self) -> f64 {
        match self {
            Literal::Text(text) => number::parse(text),
            Literal::Number(value) => *value,
            Literal::Flag(flag) => f64::from(u8::from(*flag)),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// `=` and `!=`.
    Text {
        value: String,
        negated: bool,
        /// It was written without quotes, as `!= true`.
        flag: bool,
    },
    /// `number_equals` and `number_not_equals`. A value that is no number equals none: not-a-number.
    Number {
        value: f64,
        negated: bool,
    },
    Order {
        order: Order,
        value: f64,
    },
    Part {
        part: Part,
        value: Needle,
        negated: bool,
    },
    Exists,
    Missing,
    Is(bool),
    /// Any other operator is never true.
    Never {
        operator: String,
        value: Literal,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }

    pub(super) fn holds(self, actual: f64, value: f64) -> bool {
        match self {
            Order::Less => actual < value,
            Order::LessOrEqual => actual <= value,
            Order::Greater => actual > value,
            Order::GreaterOrEqual => actual >= value,
        }
    }
}

/// Where a text is looked for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Anywhere,
    Start,
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needle {
    /// The second UTF-16 unit of the character before the text, where the first one was dropped.
    pub(super) half: Option<u16>,
    pub(super) text: String,
}

impl Needle {
    fn whole(text: String) -> Self {
        Needle { half: None, text }
    }

    /// A text without its first UTF-16 unit.
    fn without_first(text: &str) -> Self {
        let mut letters = text.chars();
        let half = letters.next().and_then(|first| first.encode_utf16(&mut [0; 2]).get(1).copied());
        Needle { half, text: letters.as_str().into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.half.is_none() && self.text.is_empty()
    }
}

/// The test that an operator's text stands for. The reference compares nothing but that text, so that names which cannot be
/// meant as operators, such as `contains`, work as such nevertheless.
pub(super) fn test(operator: &str, value: Literal) -> Test {
    match operator {
        "=" | "!=" => {
            let flag = matches!(value, Literal::Flag(_));
            Test::Text { value: value.into_text(), negated: operator == "!=", flag }
        }
        "<" => Test::Order { order: Order::Less, value: value.to_number() },
        "<=" => Test::Order { order: Order::LessOrEqual, value: value.to_number() },
        ">" => Test::Order { order: Order::Greater, value: value.to_number() },
        ">=" => Test::Order { order: Order::GreaterOrEqual, value: value.to_number() },
        "number_equals" | "number_not_equals" => {
            let number = if let Literal::Number(value) = value { value } else { f64::NAN };
            Test::Number { value: number, negated: operator == "number_not_equals" }
        }
        "contains" | "not_contains" => part(Part::Anywhere, value.into_text(), operator == "not_contains"),
        "starts_with" | "not_starts_with" => part(Part::Start, value.into_text(), operator == "not_starts_with"),
        "ends_with" | "not_ends_with" => part(Part::End, value.into_text(), operator == "not_ends_with"),
        "exists" => Test::Exists,
        "not_exists" => Test::Missing,
        "is_true" => Test::Is(true),
        "is_false" => Test::Is(false),
        _ => Test::Never { operator: operator.into(), value },
    }
}

fn part(part: Part, text: String, negated: bool) -> Test {
    Test::Part { part, value: Needle::whole(text), negated }
}

/// The test of `contains`.
pub(super) fn contains(value: Literal, negated: bool) -> Test {
    part(Part::Anywhere, value.into_text(), negated)
}

/// The test of `match`: a star at the end of quoted text makes a prefix; any other value is a suffix without its first
/// character, which should have been a star.
pub(super) fn pattern(token: &str, value: Literal, negated: bool) -> Test {
    let mut text = value.into_text();
    if token.ends_with("*\"") {
        text.pop();
        return part(Part::Start, text, negated);
    }
    Test::Part { part: Part::End, value: Needle::without_first(&text), negated }
}
