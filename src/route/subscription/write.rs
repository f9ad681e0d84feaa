//! Writes a tree back as text.
//!
//! The rules are those of the reference implementation, with three additions so that what is written can be read again:
//! numbers are written without an exponent, path parts that would be read as numbers or keywords get a backslash, and a call
//! that is not the last of its group gets parentheses of its own. Texts with a double quote cannot be written in this language.

use std::fmt::{self, Display, Formatter};

use super::tree::{Field, Group, Literal, Needle, Node, Part, Path, Term, Test};

impl Display for Node {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Node::Group(group) => group.write(out, true),
            node => node.write(out, true),
        }
    }
}

impl Node {
    /// Depth is bounded by the parsers.
    fn write(&self, out: &mut Formatter<'_>, last: bool) -> fmt::Result {
        match self {
            Node::Hole => out.write_str("()"),
            Node::Term(term) if !last && matches!(term.test, Test::Part { .. }) => write!(out, "({term})"),
            Node::Term(term) => write!(out, "{term}"),
            Node::Group(group) => {
                out.write_str("(")?;
                group.write(out, false)?;
                out.write_str(")")
            }
        }
    }
}

impl Group {
    fn write(&self, out: &mut Formatter<'_>, top: bool) -> fmt::Result {
        let count = self.children.len();
        for (index, child) in self.children.iter().enumerate() {
            if index > 0 {
                write!(out, " {} ", self.connective.as_str())?;
            }
            child.write(out, top || index.saturating_add(1) == count)?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.test {
            Test::Text { value, negated, flag } => {
                let quote = if *flag { "" } else { "\"" };
                write!(out, "{field} {} {quote}{value}{quote}", equality(*negated))
            }
            Test::Number { value, negated } => write!(out, "{field} {} {}", equality(*negated), Number(*value)),
            Test::Order { order, value } => write!(out, "{field} {} {}", order.as_str(), Number(*value)),
            Test::Part { part, value, negated } => {
                let bang = if *negated { "!" } else { "" };
                match part {
                    Part::Anywhere => write!(out, "{bang}contains({field}, \"{}\")", value.text),
                    Part::Start => write!(out, "{bang}match({field}, \"{}*\")", value.text),
                    Part::End => write!(out, "{bang}match({field}, \"{}{}\")", value.dropped(), value.text),
                }
            }
            Test::Exists => write!(out, "{field} != null"),
            Test::Missing => write!(out, "{field} = null"),
            Test::Is(flag) => write!(out, "{field} = {flag}"),
            Test::Never { operator, value } => match value {
                Literal::Text(text) => write!(out, "{field} {operator} \"{text}\""),
                Literal::Number(value) => write!(out, "{field} {operator} {}", Number(*value)),
                Literal::Flag(flag) => write!(out, "{field} {operator} {flag}"),
            },
        }
    }
}

fn equality(negated: bool) -> &'static str {
    if negated { "!=" } else { "=" }
}

impl Needle {
    /// A character that loses its first UTF-16 unit where the pattern is read: a star, or one that leaves the same half.
    fn dropped(&self) -> char {
        let letter = self.half.and_then(|half| char::decode_utf16([0xD800, half]).next()?.ok());
        letter.unwrap_or('*')
    }
}

/// Digits and a point, no exponent, the fewest that are read as the same number.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_finite() => write!(out, "{value}"),
            value => out.write_str(&crate::js::number::print(value)),
        }
    }
}

impl Display for Field {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Field::Type => out.write_str("type"),
            Field::Event => out.write_str("event"),
            Field::Name => out.write_str("name"),
            Field::UserId => out.write_str("userId"),
            Field::Path(path) => path.fmt(out),
        }
    }
}

impl Display for Path {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.root.as_str())?;
        // Without a part between them dots are not joined to a path, unless they are escaped.
        let gaps = self.name.split('.').any(str::is_empty);
        if self.name.is_empty() {
            return out.write_str("\\.");
        }
        for (index, part) in self.name.split('.').enumerate() {
            out.write_str(if gaps && index > 0 { "\\." } else { "." })?;
            write_part(part, out)?;
        }
        Ok(())
    }
}

fn write_part(part: &str, out: &mut Formatter<'_>) -> fmt::Result {
    let mut keyword =
        matches!(part, "and" | "or" | "null") || part.starts_with(|it: char| it == '-' || it.is_ascii_digit());
    for letter in part.chars() {
        let plain = letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if !plain || std::mem::take(&mut keyword) {
            out.write_str("\\")?;
        }
        write!(out, "{letter}")?;
    }
    Ok(())
}
