//! The numbers, words and signs of which [`super::date`] makes dates.

use super::text::is_space;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Digits: their value (at most the first nine that count), and how many there are.
    Number { value: i64, length: usize },
    /// `+` or `-`, as 1 or -1.
    Sign(i64),
    /// Any other character.
    Symbol(char),
    /// White space.
    Space,
    /// Letters, and whatever else comes behind `A` in Unicode but space.
    Word(Word),
    /// There is no more.
    End,
}

/// A word, of which the first three letters count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `Jan` is 1.
    Month(i64),
    /// `am` adds no hours, `pm` adds twelve.
    HalfDay(i64),
    /// A zone's name, in hours from UTC.
    Zone(i64),
    /// `Z`, `UTC` is a zone.
    Z,
    /// What parts day and time in the standard's form.
    T,
    /// Any other.
    Other,
}

/// The words that mean something. (A shorter one ends with the text's word; a month's name may go on.)
const WORDS: [(&str, Word); 27] = [
    ("jan", Word::Month(1)),
    ("feb", Word::Month(2)),
    ("mar", Word::Month(3)),
    ("apr", Word::Month(4)),
    ("may", Word::Month(5)),
    ("jun", Word::Month(6)),
    ("jul", Word::Month(7)),
    ("aug", Word::Month(8)),
    ("sep", Word::Month(9)),
    ("oct", Word::Month(10)),
    ("nov", Word::Month(11)),
    ("dec", Word::Month(12)),
    ("am", Word::HalfDay(0)),
    ("pm", Word::HalfDay(12)),
    ("ut", Word::Zone(0)),
    ("utc", Word::Zone(0)),
    ("z", Word::Z),
    ("gmt", Word::Zone(0)),
    ("cdt", Word::Zone(-5)),
    ("cst", Word::Zone(-6)),
    ("edt", Word::Zone(-4)),
    ("est", Word::Zone(-5)),
    ("mdt", Word::Zone(-6)),
    ("mst", Word::Zone(-7)),
    ("pdt", Word::Zone(-7)),
    ("pst", Word::Zone(-8)),
    ("t", Word::T),
];

/// How many digits of a number count: more can be no part of a date, and would not fit.
const DIGITS: usize = 9;

impl Token {
    /// A number read as the digits behind a decimal point, in thousandths; what is finer is cut off.
    pub(super) fn milliseconds(self) -> i64 {
        let Token::Number { value, length } = self else { return 0 };
        let power = |digits: usize| 10_i64.saturating_pow(u32::try_from(digits).unwrap_or(u32::MAX));
        match length {
            0..=3 => value.saturating_mul(power(3_usize.saturating_sub(length))),
            _ => value.checked_div(power(length.min(DIGITS).saturating_sub(3))).unwrap_or(0),
        }
    }
}

/// Takes a text apart, with one token of foresight.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    ahead: Token,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut scanner = Scanner { rest: text, ahead: Token::End };
        scanner.ahead = scanner.scan();
        scanner
    }

    pub(super) fn peek(&self) -> Token {
        self.ahead
    }

    pub(super) fn next(&mut self) -> Token {
        let next = self.scan();
        std::mem::replace(&mut self.ahead, next)
    }

    /// Takes the next token if it is `token`.
    pub(super) fn skip(&mut self, token: Token) -> bool {
        let same = self.ahead == token;
        if same {
            self.next();
        }
        same
    }

    /// Takes all up to the parenthesis that closes the one that was just taken.
    pub(super) fn skip_parentheses(&mut self) {
        let mut open = 1_usize;
        while open > 0 && self.ahead != Token::End {
            match self.next() {
                Token::Symbol('(') => open = open.saturating_add(1),
                Token::Symbol(')') => open = open.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn scan(&mut self) -> Token {
        let Some(first) = self.rest.chars().next() else { return Token::End };
        if first.is_ascii_digit() {
            return number(self.take(|letter| letter.is_ascii_digit()));
        }
        if let '+' | '-' | ':' | '.' | '(' | ')' = first {
            self.rest = self.rest.get(1..).unwrap_or_default();
            return match first {
                '+' => Token::Sign(1),
                '-' => Token::Sign(-1),
                symbol => Token::Symbol(symbol),
            };
        }
        let in_word = |letter: char| letter >= 'A' && !is_space(letter);
        if in_word(first) {
            return Token::Word(word(self.take(in_word)));
        }
        self.rest = self.rest.get(first.len_utf8()..).unwrap_or_default();
        if is_space(first) { Token::Space } else { Token::Symbol(first) }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|letter| !belongs(letter)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }
}

fn number(digits: &str) -> Token {
    let counted = digits.trim_start_matches('0');
    let counted = counted.get(..DIGITS).unwrap_or(counted);
    Token::Number { value: counted.parse().unwrap_or(0), length: digits.len() }
}

fn word(letters: &str) -> Word {
    let matches = |name: &str, word: Word| {
        let start = letters.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        start && (letters.len() == name.len() || matches!(word, Word::Month(_)))
    };
    WORDS.iter().find(|(name, word)| matches(name, *word)).map_or(Word::Other, |(_, word)| *word)
}
