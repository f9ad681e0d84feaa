//! Reads the small parts of a template: words, numbers, quoted text.
//!
//! It goes by positions in the whole template, as the reference engine does, since some of what that engine takes for
//! valid is only explained by where it looks.

use super::super::error::{Stage, Trouble};

/// So deep may brackets and parentheses nest. The reference engine has no limit; readers and renderers recurse with it.
const DEEPEST: usize = 32;

/// A position in a template, and where the part that is read ends.
#[derive(Clone, Debug)]
pub(super) struct Reader<'t> {
    pub(super) text: &'t [char],
    pub(super) at: usize,
    pub(super) end: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t [char], at: usize, end: usize) -> Self {
        Reader { text, at, end, depth: 0 }
    }

    /// The character so many places on, when it belongs to the part.
    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        let place = self.at.saturating_add(ahead);
        if place >= self.end { None } else { self.text.get(place).copied() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(super) fn skip_blank(&mut self) {
        while self.peek(0).is_some_and(is_blank) {
            self.step();
        }
    }

    /// Whether the template goes on with `word` from here, also beyond the part.
    pub(super) fn starts(&self, word: &str) -> bool {
        let mut place = self.at;
        word.chars().all(|letter| {
            let fits = self.text.get(place) == Some(&letter);
            place = place.saturating_add(1);
            fits
        })
    }

    /// Whether `word` stands right before here.
    pub(super) fn follows(&self, word: &str) -> bool {
        let mut place = self.at;
        word.chars().rev().all(|letter| {
            let Some(before) = place.checked_sub(1) else { return false };
            place = before;
            self.text.get(place) == Some(&letter)
        })
    }

    /// Goes on behind the next `word`; to the end when there is none.
    pub(super) fn skip_to(&mut self, word: &str) -> bool {
        while !self.is_at_end() {
            self.step();
            if self.follows(word) {
                return true;
            }
        }
        false
    }

    pub(super) fn written(&self, from: usize) -> String {
        self.text.get(from..self.at).unwrap_or_default().iter().collect()
    }

    pub(super) fn rest(&self) -> String {
        self.text.get(self.at..self.end).unwrap_or_default().iter().collect()
    }

    /// A word; empty when there is none.
    pub(super) fn word(&mut self) -> String {
        self.skip_blank();
        let from = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.step();
        }
        self.written(from)
    }

    /// The name of a tag: a word, or `#`.
    pub(super) fn tag_name(&mut self) -> String {
        self.skip_blank();
        if self.text.get(self.at) == Some(&'#') {
            self.step();
            return "#".to_owned();
        }
        self.word()
    }

    /// One of some words, the longest that fits. What ends with a letter ends at a word's end.
    pub(super) fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        self.skip_blank();
        let fits = |word: &str| {
            let length = word.chars().count();
            self.starts(word) && self.at.saturating_add(length) <= self.end
        };
        let (word, value) = words.iter().filter(|(word, _)| fits(word)).max_by_key(|(word, _)| word.len())?;
        let length = word.chars().count();
        if word.ends_with(is_word) && self.peek(length).is_some_and(is_word) {
            return None;
        }
        self.at = self.at.saturating_add(length);
        Some(*value)
    }

    pub(super) fn number(&mut self) -> Option<f64> {
        self.skip_blank();
        let mut ahead = usize::from(matches!(self.peek(0), Some('+' | '-')));
        let (mut digits, mut decimal) = (false, false);
        loop {
            match self.peek(ahead) {
                Some('0'..='9') => digits = true,
                Some('.') if self.peek(ahead.saturating_add(1)) != Some('.') => {
                    if decimal || !digits {
                        return None;
                    }
                    decimal = true;
                }
                _ => break,
            }
            ahead = ahead.saturating_add(1);
        }
        if !digits || self.peek(ahead).is_some_and(is_word) {
            return None;
        }
        let from = self.at;
        self.at = self.at.saturating_add(ahead);
        self.written(from).parse().ok()
    }

    /// Quoted text as it was meant. Without a closing quote it ends with the part, less one character: so does the
    /// reference engine.
    pub(super) fn quoted(&mut self) -> Option<String> {
        let from = self.skip_quoted()?;
        let inner = self.text.get(from.saturating_add(1)..self.at.saturating_sub(1));
        Some(unescaped(inner.unwrap_or_default()))
    }

    /// Goes on behind quoted text; where that began.
    pub(super) fn skip_quoted(&mut self) -> Option<usize> {
        self.skip_blank();
        let from = self.at;
        let quote = self.peek(0).filter(|letter| matches!(letter, '"' | '\''))?;
        self.step();
        let mut escaped = false;
        while let Some(letter) = self.peek(0) {
            self.step();
            if letter == quote && !escaped {
                break;
            }
            escaped = !escaped && letter == '\\';
        }
        Some(from)
    }

    /// Runs `read` one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Trouble>) -> Result<T, Trouble> {
        if self.depth >= DEEPEST {
            return Err(self.wrong("brackets nest too deep"));
        }
        self.depth = self.depth.saturating_add(1);
        let read = read(self);
        self.depth = self.depth.saturating_sub(1);
        read
    }

    /// The error for what cannot be read here.
    pub(super) fn wrong(&self, what: &str) -> Trouble {
        self.wrong_at(self.at, what)
    }

    pub(super) fn wrong_at(&self, at: usize, what: &str) -> Trouble {
        let near: String = self.text.iter().skip(at).take(24).collect();
        let message = if near.is_empty() {
            format!("the template ends too early: {what}")
        } else {
            format!("the template cannot be read at `{near}`, character {}: {what}", at.saturating_add(1))
        };
        Trouble::liquid(Stage::Tokenization, message, "correct the template")
    }
}

/// What counts as blank in a template.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\t'..='\r'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{180e}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
    )
}

/// What words are made of: also hyphens, question marks, and all that is not ASCII.
pub(super) fn is_word(letter: char) -> bool {
    match letter {
        '-' | '_' | '?' => true,
        '\u{201c}' | '\u{201d}' => false,
        _ => letter.is_ascii_alphanumeric() || (!letter.is_ascii() && !is_blank(letter)),
    }
}

/// Text without its escapes. They can write half characters, so it is put together of UTF-16 units.
fn unescaped(text: &[char]) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text.iter().copied().peekable();
    let push = |units: &mut Vec<u16>, letter: char| units.extend(letter.encode_utf16(&mut [0; 2]).iter());
    while let Some(letter) = rest.next() {
        let Some(escape) = (letter == '\\').then(|| rest.next()).flatten() else {
            push(&mut units, letter);
            continue;
        };
        let short = match escape {
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            _ => None,
        };
        if let Some(short) = short {
            push(&mut units, short);
            continue;
        }
        let (radix, first, most) = match escape {
            'u' => (16, None, 4),
            octal if octal.is_digit(8) => (8, octal.to_digit(8), 2),
            other => {
                push(&mut units, other);
                continue;
            }
        };
        let mut value = first.unwrap_or_default();
        for _ in 0..most {
            let Some(digit) = rest.next_if(|next| next.is_digit(radix)).and_then(|next| next.to_digit(radix)) else {
                break;
            };
            value = value.saturating_mul(radix).saturating_add(digit);
        }
        units.push(u16::try_from(value).unwrap_or(u16::MAX));
    }
    String::from_utf16_lossy(&units)
}
