//! Comparisons and calls of the strict reading.

use super::super::compatible::{compare, function, is_function};
use super::super::finding::Code;
use super::super::lexer::{Kind, Token};
use super::super::tree::{Field, Node, Term};
use super::Parser;

impl<'a> Parser<'a> {
    /// A comparison or a call; nothing where it cannot be read.
    pub(super) fn term(&mut self, negated: bool) -> Option<Node> {
        let word = self.next();
        if is_function(word) {
            return self.call(word, negated);
        }
        let Some(field) = Field::of_comparison(&word.text) else {
            self.unknown(word);
            return None;
        };
        let sound = self.path_ends(word);
        if sound {
            self.check_field(&field, word);
        }
        let operator = self.operator(word)?;
        let value = self.value(operator)?;
        self.check_comparison(&field, word, operator, value);
        sound.then(|| Node::Term(compare(field, operator, value)))
    }

    /// Skips the comparison or call that an unknown word seems to begin.
    fn unknown(&mut self, word: &Token) {
        if self.peek().kind == Kind::Open {
            let remedy = "only `contains(…)` and `match(…)` can be called";
            self.at_token(
                Code::UnknownField,
                word,
                format!("`{}` is no function and is read as nothing", word.text),
                remedy,
            );
            self.skip_call();
        } else {
            let remedy = "use type, event, name, userId, or a path below properties, traits or context";
            self.at_token(
                Code::UnknownField,
                word,
                format!("`{}` is no field and is read as nothing", word.text),
                remedy,
            );
        }
        if self.next_if(Kind::Operator).is_some() && is_value(self.peek()) {
            self.next();
        }
    }

    /// From an opening parenthesis behind its partner, or to the end. A loop, whatever the depth.
    fn skip_call(&mut self) {
        let mut open = 0_usize;
        loop {
            match self.next().kind {
                Kind::Open => open = open.saturating_add(1),
                Kind::Close => open = open.saturating_sub(1),
                Kind::End => return,
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }

    /// Whether a path ends where its word does. Keywords, numbers and brackets need a backslash to be part of it.
    fn path_ends(&mut self, word: &Token) -> bool {
        let mut sound = true;
        while matches!(self.peek().kind, Kind::Dot | Kind::BracketLeft) {
            sound = false;
            let from = self.next();
            let part = self.peek();
            let is_part = matches!(part.kind, Kind::Connective | Kind::Null | Kind::Number | Kind::Word | Kind::Text);
            let message = format!("the path does not go on behind `{}`, and the condition never holds", word.text);
            let remedy = match from.kind {
                Kind::Dot if is_part => format!("write a backslash before it: `.\\{}`", part.text),
                Kind::Dot => "write one dot between two names".into(),
                _ if part.kind == Kind::Number => format!("write a position as a part of its own: `.\\{}`", part.text),
                _ => "write each part behind a dot".into(),
            };
            let span = from.span.start..if is_part { part.span.end } else { from.span.end };
            self.fault(Code::Path, span, message, remedy);
            if is_part {
                self.next();
            }
            // What touches a number is its other half: `.2fa`.
            if part.kind == Kind::Number && self.peek().kind == Kind::Word && self.peek().span.start == part.span.end {
                self.next();
            }
            self.next_if(Kind::BracketRight);
        }
        sound
    }

    fn operator(&mut self, word: &Token) -> Option<&'a Token> {
        let token = self.peek();
        match token.kind {
            Kind::Operator => {
                self.next();
                self.second_operator(token);
                Some(token)
            }
            Kind::End | Kind::Close | Kind::Connective => {
                let remedy = "write an operator and a value behind it";
                self.at_token(Code::MissingValue, word, format!("`{}` is compared with nothing", word.text), remedy);
                None
            }
            _ => {
                let message = format!("`{}` is taken for an operator", token.text);
                self.at_token(Code::WrongToken, token, message, "write =, !=, <, <=, > or >=");
                self.next();
                if is_value(self.peek()) {
                    self.next();
                }
                None
            }
        }
    }

    /// `==`, `<>` and the like are two operators, of which the second is taken for the value.
    fn second_operator(&mut self, first: &Token) {
        while let Some(second) = self.next_if(Kind::Operator) {
            let remedy = match (&*first.text, &*second.text) {
                ("=", "=") => "write `=`",
                ("<", ">") => "write `!=`",
                _ => "write one operator and a value",
            };
            let message = format!("`{}` is taken for the value", second.text);
            self.at_token(Code::WrongToken, second, message, remedy);
        }
    }

    fn value(&mut self, operator: &Token) -> Option<&'a Token> {
        let token = self.peek();
        if is_value(token) {
            return Some(self.next());
        }
        match token.kind {
            Kind::End | Kind::Close => {
                let message = format!("the value behind `{}` is missing and read as `eos`", operator.text);
                self.at_token(Code::MissingValue, operator, message, "write a value behind it");
            }
            Kind::Word => {
                let message = format!("`{}` is read as text", token.text);
                self.at_token(Code::WrongToken, token, message, format!("write \"{}\"", token.text));
                self.next();
            }
            _ => {
                let message = format!("`{}` is taken for the value", token.text);
                let remedy = "write a text in double quotes, a number, true, false or null";
                self.at_token(Code::WrongToken, token, message, remedy);
                self.next();
            }
        }
        None
    }

    fn call(&mut self, name: &'a Token, negated: bool) -> Option<Node> {
        let from = self.at;
        let read = self.arguments();
        let Some((target, value)) = read else {
            let remedy = format!("write {}(field, \"text\")", name.text);
            let message = format!("`{}` takes two arguments in parentheses", name.text);
            self.at_token(Code::Arguments, name, message, remedy);
            self.at = from;
            if self.peek().kind == Kind::Open {
                self.skip_call();
            }
            return None;
        };
        let field = self.check_target(target);
        let sound = self.check_argument(name, value);
        let field = field.filter(|_| sound)?;
        Some(Node::Term(Term { field, test: function(name, value, negated) }))
    }

    /// The two arguments, or nothing where it is not two in parentheses.
    fn arguments(&mut self) -> Option<(&'a Token, &'a Token)> {
        self.next_if(Kind::Open)?;
        let target = self.argument()?;
        if matches!(self.peek().kind, Kind::Dot | Kind::BracketLeft) {
            self.path_ends(target);
        }
        self.next_if(Kind::Comma)?;
        let value = self.argument()?;
        self.next_if(Kind::Close)?;
        Some((target, value))
    }

    fn argument(&mut self) -> Option<&'a Token> {
        let fits = is_value(self.peek()) || self.peek().kind == Kind::Word;
        fits.then(|| self.next())
    }
}

/// Whether a token is a value of the language.
pub(super) fn is_value(token: &Token) -> bool {
    match token.kind {
        Kind::Text | Kind::Number | Kind::Null => true,
        Kind::Word => matches!(&*token.text, "true" | "false"),
        _ => false,
    }
}
