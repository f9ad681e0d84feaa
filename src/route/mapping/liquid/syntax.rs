//! Expressions: values, operators and filters.

use super::super::error::Trouble;
use super::reader::Reader;

/// A value with filters.
#[derive(Clone, Debug)]
pub(super) struct Filtered {
    /// Operands and operators, each operator behind its operands.
    pub(super) postfix: Vec<Item>,
    pub(super) filters: Vec<Filter>,
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    Operand(Operand),
    Operator(Operator),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text(String),
    Number(f64),
    Literal(Literal),
    /// Keys into the event and the variables, or into a value that stands before them.
    Path(Option<Box<Operand>>, Vec<Operand>),
    Range(Box<Operand>, Box<Operand>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    True,
    False,
    Nil,
    Empty,
    Blank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    NotLess,
    NotGreater,
    Contains,
    Not,
    And,
    Or,
}

#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Clone, Debug)]
pub(super) enum Argument {
    Plain(Operand),
    Named(String, Option<Operand>),
}

const OPERATORS: [(&str, Operator); 10] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    (">", Operator::Greater),
    ("<", Operator::Less),
    (">=", Operator::NotLess),
    ("<=", Operator::NotGreater),
    ("contains", Operator::Contains),
    ("not", Operator::Not),
    ("and", Operator::And),
    ("or", Operator::Or),
];

const LITERALS: [(&str, Literal); 6] = [
    ("true", Literal::True),
    ("false", Literal::False),
    ("nil", Literal::Nil),
    ("null", Literal::Nil),
    ("empty", Literal::Empty),
    ("blank", Literal::Blank),
];

impl Operator {
    fn precedence(self) -> u8 {
        match self {
            Operator::And | Operator::Or => 0,
            Operator::Not => 1,
            _ => 2,
        }
    }
}

impl Reader<'_> {
    pub(super) fn filtered(&mut self) -> Result<Filtered, Trouble> {
        let postfix = self.expression()?;
        if postfix.is_empty() {
            return Err(self.wrong("a value is expected"));
        }
        let mut filters = Vec::new();
        while let Some(filter) = self.filter()? {
            filters.push(filter);
        }
        Ok(Filtered { postfix, filters })
    }

    /// Operators of the same rank stay in line, so that `and` and `or` are evaluated from the right.
    fn expression(&mut self) -> Result<Vec<Item>, Trouble> {
        let (mut postfix, mut waiting): (Vec<Item>, Vec<Operator>) = (Vec::new(), Vec::new());
        while !self.is_at_end() {
            if let Some(operator) = self.one_of(&OPERATORS) {
                while let Some(before) = waiting.pop_if(|before| before.precedence() > operator.precedence()) {
                    postfix.push(Item::Operator(before));
                }
                waiting.push(operator);
            } else if let Some(operand) = self.value()? {
                postfix.push(Item::Operand(operand));
            } else {
                break;
            }
        }
        postfix.extend(waiting.into_iter().rev().map(Item::Operator));
        Ok(postfix)
    }

    fn filter(&mut self) -> Result<Option<Filter>, Trouble> {
        self.skip_blank();
        if self.is_at_end() || self.peek(0) == Some(')') {
            return Ok(None);
        }
        if self.peek(0) != Some('|') {
            return Err(self.wrong("`|` is expected before a filter"));
        }
        self.step();
        let name = self.word();
        if name.is_empty() {
            return if self.is_at_end() { Ok(None) } else { Err(self.wrong("the name of a filter is expected")) };
        }
        let mut arguments = Vec::new();
        self.skip_blank();
        match self.peek(0) {
            Some(':') => loop {
                self.step();
                arguments.extend(self.argument()?);
                self.skip_blank();
                match self.peek(0) {
                    Some(',') => {}
                    None | Some('|' | ')') => break,
                    Some(_) => return Err(self.wrong("`,` or `|` is expected behind an argument")),
                }
            },
            None | Some('|' | ')') => {}
            Some(_) => return Err(self.wrong("`:` is expected behind the name of a filter")),
        }
        Ok(Some(Filter { name, arguments }))
    }

    fn argument(&mut self) -> Result<Option<Argument>, Trouble> {
        self.skip_blank();
        let from = self.at;
        let Some(value) = self.value()? else { return Ok(None) };
        let written = self.written(from);
        self.skip_blank();
        if self.peek(0) != Some(':') {
            return Ok(Some(Argument::Plain(value)));
        }
        self.step();
        Ok(Some(Argument::Named(written, self.value()?)))
    }

    /// A value, if there is one here.
    pub(super) fn value(&mut self) -> Result<Option<Operand>, Trouble> {
        self.deeper(|reader| {
            reader.skip_blank();
            let root = if let Some(literal) = reader.one_of(&LITERALS) {
                Some(Operand::Literal(literal))
            } else if let Some(text) = reader.quoted() {
                Some(Operand::Text(text))
            } else if let Some(number) = reader.number() {
                Some(Operand::Number(number))
            } else if reader.peek(0) == Some('(') {
                Some(reader.range()?)
            } else {
                None
            };
            let keys = reader.keys(root.is_none())?;
            Ok(if keys.is_empty() { root } else { Some(Operand::Path(root.map(Box::new), keys)) })
        })
    }

    fn range(&mut self) -> Result<Operand, Trouble> {
        self.step();
        let low = self.value()?.ok_or_else(|| self.wrong("a value is expected"))?;
        self.skip_blank();
        if self.peek(0) != Some('.') || self.peek(1) != Some('.') {
            return Err(self.wrong("`..` is expected in a range"));
        }
        self.at = self.at.saturating_add(2);
        let high = self.value()?.ok_or_else(|| self.wrong("a value is expected"))?;
        self.skip_blank();
        if self.peek(0) != Some(')') {
            return Err(self.wrong("`)` is expected behind a range"));
        }
        self.step();
        Ok(Operand::Range(Box::new(low), Box::new(high)))
    }

    /// The keys of a path; the first may stand without a dot.
    pub(super) fn keys(&mut self, may_begin: bool) -> Result<Vec<Operand>, Trouble> {
        let mut keys = Vec::new();
        loop {
            if self.peek(0) == Some('[') {
                self.step();
                let key = self.value()?.unwrap_or(Operand::Text(String::new()));
                if !self.skip_to("]") {
                    return Err(self.wrong("`]` is missing"));
                }
                keys.push(key);
                continue;
            }
            if may_begin && keys.is_empty() {
                let word = self.word();
                if !word.is_empty() {
                    keys.push(Operand::Text(word));
                    continue;
                }
            }
            if self.peek(0) != Some('.') || self.peek(1) == Some('.') {
                return Ok(keys);
            }
            self.step();
            let word = self.word();
            if word.is_empty() {
                return Ok(keys);
            }
            keys.push(Operand::Text(word));
        }
    }
}
