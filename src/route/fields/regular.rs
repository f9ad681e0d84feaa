//! Whether a text is a regular expression.

/// Checks what makes JavaScript refuse an expression: what is opened is closed, a backslash has something behind it, and
/// what is repeated is there. Names of groups and of Unicode's properties are not looked up.
pub(super) fn is_expression(text: &str) -> bool {
    let mut reader = Reader { letters: text.chars().peekable(), open: 0, repeatable: false };
    while let Some(letter) = reader.letters.next() {
        if !reader.takes(letter) {
            return false;
        }
    }
    reader.open == 0
}

struct Reader<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    /// How many groups are open.
    open: usize,
    /// Whether `*` may come now.
    repeatable: bool,
}

impl Reader<'_> {
    fn takes(&mut self, letter: char) -> bool {
        match letter {
            '\\' => {
                // A boundary is no character, so it cannot be repeated.
                let escaped = self.letters.next();
                self.repeatable = !matches!(escaped, Some('b' | 'B'));
                escaped.is_some()
            }
            '[' => {
                self.repeatable = true;
                self.class()
            }
            '(' => {
                self.open = self.open.saturating_add(1);
                self.repeatable = false;
                self.kind_of_group()
            }
            ')' => {
                let opened = self.open > 0;
                self.open = self.open.saturating_sub(1);
                self.repeatable = true;
                opened
            }
            '*' | '+' | '?' => self.repeat(),
            '{' => {
                if let Some(ordered) = self.bounds() {
                    return ordered && self.repeat();
                }
                self.repeatable = true; // it stands for itself
                true
            }
            '|' | '^' | '$' => {
                self.repeatable = false;
                true
            }
            _ => {
                self.repeatable = true;
                true
            }
        }
    }

    /// A repetition, and the `?` that makes it lazy.
    fn repeat(&mut self) -> bool {
        self.letters.next_if_eq(&'?');
        std::mem::replace(&mut self.repeatable, false)
    }

    /// `{2}`, `{2,}` or `{2,3}`: whether the first number is at most the second; nothing when it is not of this form.
    fn bounds(&mut self) -> Option<bool> {
        let mut ahead = self.letters.clone();
        let inside: String = ahead.by_ref().take_while(|letter| *letter != '}').take(40).collect();
        let closed = self.letters.clone().nth(inside.chars().count()) == Some('}');
        let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !closed || least.is_empty() || !digits(least) || !digits(most) {
            return None;
        }
        self.letters = ahead;
        let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
        Some(most.is_empty() || number(least) <= number(most))
    }

    /// The rest of `[…]`. Ranges must go up.
    fn class(&mut self) -> bool {
        let mut last: Option<char> = None;
        self.letters.next_if_eq(&'^');
        while let Some(letter) = self.letters.next() {
            match letter {
                ']' => return true,
                '\\' => {
                    if self.letters.next().is_none() {
                        return false;
                    }
                    last = None;
                }
                '-' => {
                    let from = last.take();
                    let to = self.letters.peek().copied().filter(|to| !matches!(to, ']' | '\\'));
                    if let (Some(from), Some(to)) = (from, to) {
                        self.letters.next();
                        if from > to {
                            return false;
                        }
                    } else if from.is_none() {
                        last = Some('-');
                    }
                }
                other => last = Some(other),
            }
        }
        false
    }

    /// What a `?` at the beginning of a group says.
    fn kind_of_group(&mut self) -> bool {
        if self.letters.next_if_eq(&'?').is_none() {
            return true;
        }
        match self.letters.next() {
            Some(':' | '=' | '!') => true,
            Some('<') => {
                if self.letters.next_if(|letter| matches!(letter, '=' | '!')).is_some() {
                    return true;
                }
                let name: String = self.letters.by_ref().take_while(|letter| *letter != '>').collect();
                !name.is_empty() && !name.starts_with(|letter: char| letter.is_ascii_digit())
            }
            _ => false,
        }
    }
}
