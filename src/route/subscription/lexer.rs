//! Splits a text into tokens, as the reference implementation does or as the author means it.
//!
//! Both readings are one lexer, so that they cannot drift apart: where they part, the strict one writes down a fault and goes
//! on as the text is meant. The compatible one stops at the first fault, since the reference then knows no token at all.
//! Lengths and look-aheads count UTF-16 units, the characters of the language of the reference.

use std::ops::Range;

use super::finding::{Code, Fault};

/// Words, numbers and texts of so many characters are refused.
const LONGEST: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Compatible,
    /// Also takes carriage returns for white space.
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Operator,
    Bang,
    Connective,
    Null,
    Number,
    Text,
    Dot,
    BracketLeft,
    BracketRight,
    Comma,
    Open,
    Close,
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// What the reference takes it for: a text with its quotes, a word without its backslashes.
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// A backslash stands before a dot, which separates nevertheless.
    pub(super) escaped_dot: bool,
}

/// The tokens, without an end marker, and what was wrong on the way.
pub(super) fn lex(text: &str, reading: Reading) -> (Vec<Token>, Vec<Fault>) {
    let mut lexer = Lexer { text, reading, at: 0, tokens: Vec::new(), faults: Vec::new() };
    while lexer.reading == Reading::Strict || lexer.faults.is_empty() {
        let Some(letter) = lexer.peek() else { break };
        lexer.token(letter);
    }
    (glued(lexer.tokens), lexer.faults)
}

/// Joins words around dots to paths. White space beside the dot does not matter.
fn glued(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let next = (token.kind == Kind::Dot).then(|| rest.next_if(|next| next.kind == Kind::Word)).flatten();
        match (joined.last_mut(), next) {
            (Some(last), Some(next)) if last.kind == Kind::Word => {
                last.text.push('.');
                last.text.push_str(&next.text);
                last.span.end = next.span.end;
                last.escaped_dot |= next.escaped_dot;
            }
            (_, next) => {
                joined.push(token);
                joined.extend(next);
            }
        }
    }
    joined
}

struct Lexer<'a> {
    text: &'a str,
    reading: Reading,
    at: usize,
    tokens: Vec<Token>,
    faults: Vec<Fault>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, letter: char) {
        self.at = self.at.saturating_add(letter.len_utf8());
    }

    fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }

    fn fault(&mut self, code: Code, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(code, span, message, remedy));
    }

    /// A fault of the strict reading alone.
    fn finding(&mut self, code: Code, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        if self.is_strict() {
            self.fault(code, span, message, remedy);
        }
    }

    fn push(&mut self, kind: Kind, from: usize, text: impl Into<String>) {
        self.tokens.push(Token { kind, text: text.into(), span: from..self.at, escaped_dot: false });
    }

    /// Whether a token may end before this.
    fn ends(&self, next: Option<char>) -> bool {
        match next {
            None | Some(' ' | '\t' | '\n' | ',' | ']' | ')') => true,
            Some(other) => self.is_strict() && is_space(other),
        }
    }

    fn token(&mut self, letter: char) {
        let from = self.at;
        self.skip(letter);
        match letter {
            ' ' | '\t' | '\n' => {}
            '\r' if self.is_strict() => {}
            '!' if self.peek().is_some_and(|next| next.is_ascii_alphabetic() || next == '(') => {
                self.push(Kind::Bang, from, "!");
            }
            '=' => self.push(Kind::Operator, from, "="),
            '!' => self.unequal(from),
            '<' | '>' => self.order(from, letter),
            'a' => self.keyword(from, letter, "nd", Kind::Connective),
            'o' => self.keyword(from, letter, "r", Kind::Connective),
            'n' => self.keyword(from, letter, "ull", Kind::Null),
            'b'..='z' | 'A'..='Z' | '_' | '\\' => self.word(from, letter),
            '0'..='9' | '-' | '+' => self.number(from),
            '"' | '\'' => self.quoted(from, letter),
            '.' => self.push(Kind::Dot, from, "."),
            '[' => self.push(Kind::BracketLeft, from, "["),
            ']' => self.push(Kind::BracketRight, from, "]"),
            ',' => self.push(Kind::Comma, from, ","),
            '(' => self.push(Kind::Open, from, "("),
            ')' => self.push(Kind::Close, from, ")"),
            other => self.stray(from, other),
        }
    }

    fn stray(&mut self, from: usize, letter: char) {
        let code = u32::from(letter);
        if is_space(letter) {
            let message = format!("U+{code:04X} is not accepted as white space");
            return self.fault(Code::WhiteSpace, from..self.at, message, "write a space, a tab or a line feed");
        }
        let symbols = self.rest().starts_with(letter) && matches!(letter, '&' | '|');
        let remedy = match letter {
            '&' if symbols => "write `and`",
            '|' if symbols => "write `or`",
            _ => "remove it; in a path a backslash goes before it, and text goes in double quotes",
        };
        while self.is_strict()
            && let Some(next) = self.peek().filter(|next| is_stray(*next))
        {
            self.skip(next); // one finding for all of them
        }
        let message = format!("`{letter}` has no meaning here");
        self.fault(Code::Character, from..self.at, message, remedy);
    }

    /// `!` that is no bang must be `!=` and stand apart from what follows.
    fn unequal(&mut self, from: usize) {
        if self.peek() != Some('=') {
            let remedy = "write `!` directly before `contains(` or `match(`, or `!=` and a space";
            self.fault(Code::MisplacedBang, from..self.at, "`!` stands alone", remedy);
            return;
        }
        self.skip('=');
        if !self.ends(self.peek()) {
            let remedy = "write a space behind `!=`";
            self.fault(Code::TouchingOperator, from..self.at, "`!=` touches its value", remedy);
        }
        self.push(Kind::Operator, from, "!=");
    }

    /// `<=` and `>=` are two operators each where they touch their value.
    fn order(&mut self, from: usize, letter: char) {
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('=') {
            let apart = self.ends(ahead.next());
            if apart || self.is_strict() {
                self.skip('=');
            }
            if !apart {
                let message = format!("`{letter}=` touches its value and is read as `{letter}` and `=`");
                let remedy = format!("write a space behind `{letter}=`");
                self.finding(Code::TouchingOperator, from..self.at, message, remedy);
            }
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        self.push(Kind::Operator, from, text);
    }

    /// The keyword of which `letter` is the first, or a word. The reference looks ahead as far as the keyword is long, and
    /// does not give back what it read where it meets the end of the text before a character that ends a token.
    fn keyword(&mut self, from: usize, letter: char, tail: &str, kind: Kind) {
        let ahead = self.rest();
        if let Some(behind) = ahead.strip_prefix(tail)
            && self.ends(behind.chars().next())
        {
            self.at = self.at.saturating_add(tail.len());
            return self.push(kind, from, self.text.get(from..self.at).unwrap_or_default());
        }
        let units = ahead.chars().take(tail.len()).fold(0, |sum: usize, it| sum.saturating_add(it.len_utf16()));
        let stops = ahead.chars().take(tail.len()).any(|it| self.ends(Some(it)));
        if units < tail.len() && !stops && !ahead.is_empty() {
            let touches = ahead.trim_start_matches(|it: char| it.is_ascii_alphanumeric());
            if touches.is_empty() || touches.starts_with(['.', '(', '=', '!', '\\', '_', '-']) {
                let message = format!("`{letter}{ahead}` at the end of the text is read as `{letter}`");
                let remedy = "put text in double quotes, and spaces around operators";
                self.finding(Code::CutWord, from..self.text.len(), message, remedy);
            }
            if !self.is_strict() {
                self.at = self.text.len();
                return self.push(Kind::Word, from, letter);
            }
        }
        self.word(from, letter);
    }

    fn word(&mut self, from: usize, first: char) {
        let (mut text, mut units, mut escaped_dot, mut next) = (String::new(), 0_usize, false, Some(first));
        while let Some(letter) = next {
            let literal = if letter == '\\' { self.escaped(from) } else { Some(letter) };
            let Some(literal) = literal else { return };
            escaped_dot |= letter == '\\' && literal == '.';
            text.push(literal);
            if units >= LONGEST {
                return self.too_long(from, "word");
            }
            units = units.saturating_add(1);
            next = self.peek().filter(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '\\'));
            if let Some(part) = next {
                self.skip(part);
            }
        }
        self.tokens.push(Token { kind: Kind::Word, text, span: from..self.at, escaped_dot });
        let next = self.peek();
        if !self.ends(next) && !matches!(next, Some('.' | '(' | '=' | '!')) {
            self.touches_word(next.unwrap_or_default());
        }
    }

    /// The character behind a backslash. One that is two UTF-16 units is torn apart by the reference, which is an error.
    fn escaped(&mut self, from: usize) -> Option<char> {
        let before = self.at.saturating_sub(1);
        let Some(letter) = self.peek() else {
            self.fault(Code::Character, before..self.at, "a backslash ends the text", "write a character behind it");
            return None;
        };
        self.skip(letter);
        if letter.len_utf16() > 1 {
            let message = format!("`{letter}` cannot be part of a path");
            self.fault(Code::Character, from..self.at, message, "choose a member whose name has no such character");
        }
        Some(letter)
    }

    fn touches_word(&mut self, next: char) {
        let span = self.at..self.at.saturating_add(next.len_utf8());
        let message = format!("`{next}` touches the word before it");
        match next {
            '<' | '>' => self.fault(Code::TouchingOperator, span, message, "write spaces around the operator"),
            '[' => self.fault(Code::Path, span, message, "write the index as part of the path: `items.\\0`"),
            // The strict reading reports these where it comes to them.
            other if self.is_strict() && (is_space(other) || is_stray(other)) => {}
            _ => self.fault(
                Code::Character,
                span,
                message,
                "write a space between them, or a backslash if it belongs to the word",
            ),
        }
    }

    fn too_long(&mut self, from: usize, what: &str) {
        let message = format!("this {what} has more than 100000 characters");
        self.fault(Code::TooLong, from..self.at, message, "write a shorter one");
    }

    fn number(&mut self, from: usize) {
        let mut points = 0_u8;
        while let Some(next) = self.peek().filter(|it| it.is_ascii_digit() || *it == '.') {
            self.skip(next);
            if next != '.' {
                continue;
            }
            points = points.saturating_add(1);
            if points > 1 || self.ends(self.peek()) {
                let remedy = "write digits, and after a point digits again";
                self.fault(Code::Number, from..self.at, "the point stands where no point can", remedy);
                return;
            }
        }
        // The first character is not counted, as in the reference.
        if self.at.saturating_sub(from) > LONGEST {
            return self.too_long(from, "number");
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        self.push(Kind::Number, from, text);
        self.check_number(from, text);
    }

    /// The strict reading takes `[+-]digits[.digits]` that stands apart.
    fn check_number(&mut self, from: usize, text: &str) {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if unsigned.is_empty() {
            let message = format!("`{text}` has no digits and is read as not-a-number");
            let remedy = "write digits behind it, or text in double quotes; in a path write a backslash before it";
            self.finding(Code::LoneSign, from..self.at, message, remedy);
        } else if unsigned.starts_with('.') || unsigned.ends_with('.') {
            let remedy = "write digits on both sides of the point";
            self.finding(Code::Number, from..self.at, format!("`{text}` lacks digits"), remedy);
        } else if !self.ends(self.peek()) && self.tokens.iter().rev().nth(1).is_none_or(|it| it.kind != Kind::Dot) {
            let message = format!("the number ends behind `{text}`, and what touches it is read as a word of its own");
            let remedy = "write the number in digits with at most one point, or text in double quotes";
            self.finding(Code::Number, from..self.at, message, remedy);
        }
    }

    fn quoted(&mut self, from: usize, quote: char) {
        let content = self.rest().split(quote).next().unwrap_or_default();
        let end = self.at.saturating_add(content.len());
        if crate::js::text::length(content) >= LONGEST {
            self.at = end;
            return self.too_long(from, "text");
        }
        if end >= self.text.len() {
            self.at = end;
            let opened = from..from.saturating_add(1);
            let remedy = format!("write {quote} where the text ends");
            return self.fault(Code::OpenText, opened, format!("{quote} opens a text that never ends"), remedy);
        }
        let behind = end.saturating_add(quote.len_utf8());
        let apart = self.ends(self.text.get(behind..).unwrap_or_default().chars().next());
        self.at = behind;
        self.push(Kind::Text, from, self.text.get(from..behind).unwrap_or_default());
        if quote == '\'' {
            let remedy = format!("write \"{content}\"");
            self.finding(Code::SingleQuotes, from..behind, "single quotes become part of the text", remedy);
        }
        if !apart {
            let remedy = "write a space behind it";
            self.finding(
                Code::TouchingText,
                end..behind,
                "this quote touches what follows, so it opens another text",
                remedy,
            );
            if !self.is_strict() {
                self.at = end;
            }
        }
    }
}

/// White space that the reference refuses, and invisible characters like it.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}')
}

/// Characters that begin no token.
fn is_stray(letter: char) -> bool {
    !is_space(letter) && !letter.is_ascii_alphanumeric() && !"!=<>\\_-+\"'.[],()".contains(letter)
}
