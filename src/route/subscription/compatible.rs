//! The compatible reading: picks out what it knows and skips the rest, as the reference implementation does.

use super::finding::{Code, Fault};
use super::lexer::{Kind, Reading, Token, lex};
use super::tree::{self, Connective, Field, Literal, Node, Term, Test};
use crate::js::number;

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let (tokens, mut faults) = lex(text, Reading::Compatible);
    if !faults.is_empty() {
        return Err(faults.swap_remove(0));
    }
    let end = text.len()..text.len();
    let end = Token { kind: Kind::End, text: "eos".into(), span: end, escaped_dot: false };
    match level(&mut Tokens { level: &tokens, at: 0, end: &end }, true)? {
        Node::Hole => {
            let remedy = "compare type, event, name, userId, properties.…, traits.… or context.… with a value";
            Err(Fault::new(Code::Empty, 0..text.len(), "no condition is left of this text", remedy))
        }
        node => Ok(node),
    }
}

/// The tokens of a level, then once the end marker, then nothing.
struct Tokens<'a> {
    level: &'a [Token],
    at: usize,
    end: &'a Token,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Option<&'a Token> {
        let end = (self.at == self.level.len()).then_some(self.end);
        self.level.get(self.at).or(end)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at = self.at.saturating_add(1);
        token
    }

    /// The tokens up to the next closing parenthesis, which is skipped.
    fn group(&mut self) -> Option<&'a [Token]> {
        let rest = self.level.get(self.at..).unwrap_or_default();
        let close = rest.iter().position(|token| token.kind == Kind::Close)?;
        self.at = self.at.saturating_add(close).saturating_add(1);
        rest.get(..close)
    }
}

/// One level. It calls itself at most once: within a group there is no closing parenthesis, so that an opening one is an
/// error there.
fn level(tokens: &mut Tokens<'_>, top: bool) -> Result<Node, Fault> {
    let (mut children, mut connective) = (Vec::new(), Connective::And);
    while let Some(token) = tokens.next() {
        match token.kind {
            Kind::End => break,
            Kind::Word => match Field::of_comparison(&token.text) {
                Some(field) => children.push(comparison(field, token, tokens)?),
                None => children.extend(call(token, false, tokens)?),
            },
            Kind::Bang => {
                if let Some(name) = tokens.peek().filter(|next| is_function(next)) {
                    tokens.next();
                    children.extend(call(name, true, tokens)?);
                }
            }
            Kind::Open => {
                let inner = tokens.group().ok_or_else(|| unclosed(token, top))?;
                children.push(level(&mut Tokens { level: inner, at: 0, end: tokens.end }, false)?);
            }
            Kind::Connective if token.text == "or" => connective = Connective::Or,
            Kind::Connective => connective = Connective::And,
            _ => {}
        }
    }
    Ok(tree::level(connective, children))
}

fn unclosed(open: &Token, top: bool) -> Fault {
    if top {
        return Fault::new(Code::Group, open.span.clone(), "`(` has no partner", "write `)` where the group ends");
    }
    let remedy = "write each group beside the others, or choose the strict reading";
    Fault::new(Code::NestedGroup, open.span.clone(), "a group within a group cannot be read", remedy)
}

fn missing(code: Code, token: &Token, what: &str, remedy: &str) -> Fault {
    Fault::new(code, token.span.clone(), format!("`{}` {what}", token.text), remedy)
}

fn comparison(field: Field, word: &Token, tokens: &mut Tokens<'_>) -> Result<Node, Fault> {
    let remedy = "write an operator and a value behind it";
    let mut next =
        || tokens.next().ok_or_else(|| missing(Code::MissingValue, word, "is compared with nothing", remedy));
    let (operator, value) = (next()?, next()?);
    Ok(Node::Term(compare(field, operator, value)))
}

/// The term of a comparison. Null, booleans and numbers have operators of their own, for the fields that know them.
pub(super) fn compare(field: Field, operator: &Token, value: &Token) -> Term {
    let is_path = matches!(field, Field::Path(_));
    let knows_null = is_path || matches!(field, Field::Name | Field::UserId);
    let knows_flags = is_path || field == Field::UserId;
    let test = match (&*operator.text, &*value.text) {
        ("=", "null") if knows_null => Test::Missing,
        ("!=", "null") if knows_null => Test::Exists,
        ("=", "true") if knows_flags => Test::Is(true),
        ("=", "false") if knows_flags => Test::Is(false),
        ("=" | "!=", digits) if is_path && value.kind == Kind::Number => {
            Test::Number { value: number::parse(digits), negated: operator.text == "!=" }
        }
        _ if is_path => tree::test(&operator.text, literal(value)),
        _ => tree::test(&operator.text, Literal::Text(literal(value).into_text())),
    };
    Term { field, test }
}

/// What a value token stands for. Double quotes go from a text, single ones stay.
pub(super) fn literal(token: &Token) -> Literal {
    let text = &*token.text;
    match (token.kind, text) {
        (Kind::Number, digits) => Literal::Number(number::parse(digits)),
        (Kind::Word, "true") => Literal::Flag(true),
        (Kind::Word, "false") => Literal::Flag(false),
        (Kind::Text, quoted) => {
            let opened = quoted.strip_prefix('"').unwrap_or(quoted);
            Literal::Text(opened.strip_suffix('"').unwrap_or(opened).into())
        }
        (_, text) => Literal::Text(text.into()),
    }
}

pub(super) fn is_function(token: &Token) -> bool {
    token.kind == Kind::Word && matches!(&*token.text, "contains" | "match")
}

/// A call takes five tokens, of which two are looked at. One that looks at anything but a field that it knows is dropped.
fn call(name: &Token, negated: bool, tokens: &mut Tokens<'_>) -> Result<Option<Node>, Fault> {
    if !is_function(name) {
        return Ok(None);
    }
    let mut argument = |which| {
        tokens.next();
        let remedy = "write a field and a text: (event, \"…\")";
        tokens.next().ok_or_else(|| missing(Code::Arguments, name, which, remedy))
    };
    let (target, value) = (argument("is missing its first argument")?, argument("is missing its second argument")?);
    tokens.next();
    Ok(Field::of_call(&target.text).map(|field| Node::Term(Term { field, test: function(name, value, negated) })))
}

/// The test of a call to `name`.
pub(super) fn function(name: &Token, value: &Token, negated: bool) -> Test {
    if name.text == "match" {
        tree::pattern(&value.text, literal(value), negated)
    } else {
        tree::contains(literal(value), negated)
    }
}
