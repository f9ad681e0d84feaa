//! What is wrong with a text, and where: byte span, line and column, a message, and how to write it.

use std::fmt;
use std::ops::Range;

/// So many findings of one text are reported. A text of a million wrong characters needs no million messages.
pub(super) const MOST: usize = 100;

/// A line is shown with so many characters before the caret, and so many in all.
const WINDOW: (usize, usize) = (40, 100);

/// The kinds of findings. The first twenty are the quirks of the compatible reading, in the order of its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A field or function that cannot be addressed is read as nothing.
    UnknownField,
    /// The last connective of a level applies to all of it.
    MixedConnectives,
    /// Groups within groups are not read.
    NestedGroup,
    /// The parenthesis that closes a call also closes the group around it.
    CallInGroup,
    /// `AND` and `OR` are read as nothing.
    UpperCaseConnective,
    /// `and(` and `or(` are read as nothing.
    TouchingConnective,
    /// `!` before anything but a call is read as nothing.
    MisplacedBang,
    /// `not` is read as nothing.
    NotWord,
    /// Single quotes become part of the text.
    SingleQuotes,
    /// A pattern without one star at one end drops a character.
    MatchPattern,
    /// A field that is compared as text meets a number, a boolean or null.
    TextField,
    /// `!= true` also holds for `true`.
    NotBoolean,
    /// A missing value is read as the text `eos`.
    MissingValue,
    /// White space that is not accepted.
    WhiteSpace,
    /// An operator touches its neighbour.
    TouchingOperator,
    /// 0, false or empty text on the way to a member counts as the member.
    FalsyParent,
    /// A sign without digits is not-a-number.
    LoneSign,
    /// A short word at the end of the text loses its tail.
    CutWord,
    /// A closing quote that touches what follows opens another text.
    TouchingText,
    /// A token that is no operator, no value or no condition is taken for one, or for nothing.
    WrongToken,
    /// A connective is missing, doubled, leading or trailing.
    Connective,
    /// A group is empty, or a parenthesis has no partner.
    Group,
    /// A call has not two arguments in parentheses.
    Arguments,
    /// A path that leads elsewhere than it seems, or nowhere.
    Path,
    /// A number that is read in parts.
    Number,
    /// A character that has no meaning.
    Character,
    /// A quote without its partner.
    OpenText,
    /// A word, number or text of 100 000 characters or more.
    TooLong,
    /// No condition at all.
    Empty,
}

impl Code {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::UnknownField => "unknown-field",
            Code::MixedConnectives => "mixed-connectives",
            Code::NestedGroup => "nested-group",
            Code::CallInGroup => "call-in-group",
            Code::UpperCaseConnective => "upper-case-connective",
            Code::TouchingConnective => "touching-connective",
            Code::MisplacedBang => "misplaced-bang",
            Code::NotWord => "not-word",
            Code::SingleQuotes => "single-quotes",
            Code::MatchPattern => "match-pattern",
            Code::TextField => "text-field",
            Code::NotBoolean => "not-boolean",
            Code::MissingValue => "missing-value",
            Code::WhiteSpace => "white-space",
            Code::TouchingOperator => "touching-operator",
            Code::FalsyParent => "falsy-parent",
            Code::LoneSign => "lone-sign",
            Code::CutWord => "cut-word",
            Code::TouchingText => "touching-text",
            Code::WrongToken => "wrong-token",
            Code::Connective => "connective",
            Code::Group => "group",
            Code::Arguments => "arguments",
            Code::Path => "path",
            Code::Number => "number",
            Code::Character => "character",
            Code::OpenText => "open-text",
            Code::TooLong => "too-long",
            Code::Empty => "empty",
        }
    }

    /// Behind one of these the tokens are guesses, and more findings would be too.
    pub(super) fn breaks_tokens(self) -> bool {
        matches!(self, Code::Character | Code::OpenText | Code::TooLong | Code::Number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A finding before its line is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(code: Code, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Fault { code, span, message: message.into(), remedy: remedy.into() }
    }
}

/// A place where a text does not say what its author means, or may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub code: Code,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to write it.
    pub remedy: String,
}

impl Finding {
    pub(super) fn new(text: &str, fault: Fault) -> Self {
        let Fault { code, span, message, remedy } = fault;
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        Finding { code, span, line, column, message, remedy }
    }

    /// Findings in the order of their places, at most [`MOST`].
    pub(super) fn all(text: &str, mut faults: Vec<Fault>) -> Vec<Self> {
        faults.sort_by_key(|fault| fault.span.start); // stable: what the lexer finds explains what the parser finds there
        faults.dedup_by(|one, other| one.code == other.code && one.span == other.span);
        faults.truncate(MOST);
        faults.into_iter().map(|fault| Finding::new(text, fault)).collect()
    }

    /// The finding, the line of `text` that it is in, and a caret below each character that it is about.
    #[must_use]
    pub fn caret(&self, text: &str) -> String {
        let line = text.split('\n').nth(self.line.saturating_sub(1)).unwrap_or_default();
        let from = self.column.saturating_sub(1);
        let skipped = if from > WINDOW.0 { from.saturating_sub(WINDOW.0) } else { 0 };
        let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
        let shown: String = line.chars().skip(skipped).take(WINDOW.1).map(printable).collect();
        let start = if skipped > 0 { "…" } else { "" };
        let end = if line.chars().nth(skipped.saturating_add(WINDOW.1)).is_some() { "…" } else { "" };
        let indent = " ".repeat(from.saturating_sub(skipped).saturating_add(start.chars().count()));
        let room = shown.chars().count().saturating_sub(from.saturating_sub(skipped)).max(1);
        let about = text.get(self.span.clone()).unwrap_or_default().split('\n').next().unwrap_or_default();
        let carets = "^".repeat(about.chars().count().clamp(1, room));
        format!("subscription, {self}\n  {start}{shown}{end}\n  {indent}{carets}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}: {}: {}", self.line, self.column, self.message, self.remedy)
    }
}

/// Why a text cannot be read, also not compatibly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubscriptionError(Box<Finding>);

impl SubscriptionError {
    pub(super) fn new(text: &str, fault: Fault) -> Self {
        SubscriptionError(Box::new(Finding::new(text, fault)))
    }

    /// What is wrong, and where.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        &self.0
    }

    /// As [`Finding::caret`].
    #[must_use]
    pub fn caret(&self, text: &str) -> String {
        self.0.caret(text)
    }
}

/// The reference implementation raises an internal error instead of an answer. Here it counts as no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The event is `null`.
    #[error("the event is null; send an object")]
    NullEvent,
    /// Evaluation came to a group without a condition.
    #[error("a group of the subscription holds no condition that can be evaluated; remove it, or write its condition")]
    EmptyGroup,
    /// Evaluation came to a path such as `properties.\.`.
    #[error("a path of the subscription names no member; write the member's name behind the dot")]
    EmptyPath,
}
