//! Dates as JavaScript's engines read them: the standard's own form (ECMA-262, 21.4.1.32), and what their readers of older
//! forms take, such as `March 14, 2026 10:00 PM` or `14 Mar 2026 10:00:00 GMT+0100 (CET)`.
//!
//! The rules for older forms are those of V8, the engine that the reference implementation runs on: any text is a row of
//! numbers, words and signs, each of which goes to the day, to the time or to the zone. A local time without a zone is
//! UTC here: an event means the same wherever it is read.

use super::token::{Scanner, Token, Word};

/// The furthest moment from the epoch that a date may name, in milliseconds (ECMA-262, 21.4.1.1).
pub(crate) const FURTHEST: i64 = 8_640_000_000_000_000;

/// Milliseconds since the Unix epoch; `None` when the text is no date.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut reader = Reader::default();
    let mut scanner = Scanner::new(text);
    let mut token = reader.standard(&mut scanner)?;
    while token != Token::End {
        reader.take(token, &mut scanner)?;
        token = scanner.next();
    }
    reader.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    day: Day,
    time: Clock,
    zone: Zone,
    any_number: bool,
}

impl Reader {
    /// Reads the standard's form as far as it goes. Returns the first token that is left for the older forms, [`Token::End`]
    /// when all is read, and nothing when the text can be no date.
    fn standard(&mut self, scanner: &mut Scanner<'_>) -> Option<Token> {
        match scanner.peek() {
            sign @ Token::Sign(direction) => {
                scanner.next();
                let Token::Number { value, length: 6 } = scanner.peek() else { return Some(sign) };
                scanner.next();
                if direction < 0 && value == 0 {
                    return Some(sign); // there is no year -0; V8 goes on behind it
                }
                self.day.add(value.saturating_mul(direction))?;
            }
            Token::Number { value, length: 4 } => {
                scanner.next();
                self.day.add(value)?;
            }
            _ => return Some(scanner.next()),
        }
        self.any_number = true;
        for within in [1..=12, 1..=31] {
            if !scanner.skip(Token::Sign(-1)) {
                break;
            }
            match scanner.peek() {
                Token::Number { value, length: 2 } if within.contains(&value) => {
                    scanner.next();
                    self.day.add(value)?;
                }
                _ => return Some(scanner.next()),
            }
        }
        if scanner.peek() != Token::Word(Word::T) {
            if scanner.peek() == Token::End {
                self.day.standard = true;
                self.zone.utc();
                return Some(Token::End);
            }
            return Some(scanner.next());
        }
        self.standard_time(scanner)
    }

    /// Reads `T10:00:00.000Z`. With a `T`, the text is of the standard's form or no date.
    fn standard_time(&mut self, scanner: &mut Scanner<'_>) -> Option<Token> {
        scanner.next();
        let Token::Number { value: hour, length: 2 } = scanner.peek() else { return None };
        if hour > 24 {
            return None;
        }
        scanner.next();
        if !scanner.skip(Token::Symbol(':')) {
            return None;
        }
        let fits = |value: i64| (0..60).contains(&value) && (hour < 24 || value == 0);
        let Token::Number { value: minute, length: 2 } = scanner.peek() else { return None };
        if !fits(minute) {
            return None;
        }
        scanner.next();
        self.time.add(hour)?;
        self.time.add(minute)?;
        if scanner.skip(Token::Symbol(':')) {
            let Token::Number { value: second, length: 2 } = scanner.peek() else { return None };
            if !fits(second) {
                return None;
            }
            scanner.next();
            self.time.add(second)?;
            if scanner.skip(Token::Symbol('.')) {
                let fraction @ Token::Number { value, .. } = scanner.peek() else { return None };
                if hour == 24 && value != 0 {
                    return None;
                }
                scanner.next();
                self.time.add(fraction.milliseconds())?;
            }
        }
        self.standard_zone(scanner)
    }

    fn standard_zone(&mut self, scanner: &mut Scanner<'_>) -> Option<Token> {
        match scanner.peek() {
            Token::Word(Word::Z) => {
                scanner.next();
                self.zone.utc();
            }
            Token::Sign(direction) => {
                scanner.next();
                self.zone.direction = Some(direction);
                match scanner.next() {
                    Token::Number { value, length: 4 } if value / 100 < 24 && value % 100 < 60 => {
                        self.zone.set(value / 100, Some(value % 100));
                    }
                    Token::Number { value: hour, length: 2 } if hour < 24 => {
                        if !scanner.skip(Token::Symbol(':')) {
                            return None;
                        }
                        let Token::Number { value: minute, length: 2 } = scanner.next() else { return None };
                        if minute > 59 {
                            return None;
                        }
                        self.zone.set(hour, Some(minute));
                    }
                    _ => return None,
                }
            }
            _ => {}
        }
        if scanner.peek() != Token::End {
            return None;
        }
        self.day.standard = true;
        Some(Token::End)
    }

    /// Takes a token of the older forms.
    fn take(&mut self, token: Token, scanner: &mut Scanner<'_>) -> Option<()> {
        match token {
            Token::Number { value, .. } => {
                self.any_number = true;
                self.number(value, scanner)
            }
            Token::Word(word) => self.word(word, scanner),
            Token::Sign(direction) if self.zone.is_utc() || !self.time.is_empty() => self.offset(direction, scanner),
            Token::Sign(_) | Token::Symbol(')') if self.any_number => None,
            Token::Symbol('(') => {
                scanner.skip_parentheses();
                Some(())
            }
            _ => Some(()),
        }
    }

    fn number(&mut self, value: i64, scanner: &mut Scanner<'_>) -> Option<()> {
        if scanner.skip(Token::Symbol(':')) {
            if scanner.skip(Token::Symbol(':')) {
                // `10::` is ten o'clock
                if !self.time.is_empty() {
                    return None;
                }
                self.time.add(value)?;
                return self.time.add(0);
            }
            self.time.add(value)?;
            scanner.skip(Token::Symbol('.'));
            return Some(());
        }
        if scanner.skip(Token::Symbol('.')) && self.time.expects(value) {
            self.time.add(value)?;
            let fraction @ Token::Number { .. } = scanner.next() else { return None };
            return self.time.end_with(fraction.milliseconds());
        }
        if self.zone.expects(value) {
            self.zone.minute = Some(value);
            return Some(());
        }
        if self.time.expects(value) {
            self.time.end_with(value)?;
            let ends = matches!(scanner.peek(), Token::End | Token::Space | Token::Word(Word::Z) | Token::Sign(_));
            return ends.then_some(());
        }
        self.day.add(value)?;
        scanner.skip(Token::Sign(-1));
        Some(())
    }

    fn word(&mut self, word: Word, scanner: &mut Scanner<'_>) -> Option<()> {
        match word {
            Word::HalfDay(hours) if !self.time.is_empty() => self.time.half_day = Some(hours),
            Word::Month(month) => {
                self.day.month = Some(month);
                scanner.skip(Token::Sign(-1));
            }
            Word::Z if self.any_number => self.zone.utc(),
            Word::Zone(hours) if self.any_number => {
                self.zone.direction = Some(if hours < 0 { -1 } else { 1 });
                self.zone.set(hours.saturating_abs(), Some(0));
            }
            // Other words may stand before the first number, and not right before it.
            _ if self.any_number || matches!(scanner.peek(), Token::Number { .. }) => return None,
            _ => {}
        }
        Some(())
    }

    /// A distance from UTC: `+2`, `+02`, `+200`, `+0200`, `+2:`, and a sign alone, which is none.
    fn offset(&mut self, direction: i64, scanner: &mut Scanner<'_>) -> Option<()> {
        self.zone.direction = Some(direction);
        let (mut value, mut digits) = (0, 0);
        if let Token::Number { value: number, length } = scanner.peek() {
            scanner.next();
            (value, digits) = (number, length);
        }
        self.any_number = true;
        if scanner.peek() == Token::Symbol(':') {
            self.zone.set(value, None);
        } else {
            match digits {
                1 | 2 => self.zone.set(value, Some(0)),
                3 | 4 => self.zone.set(value / 100, Some(value % 100)),
                _ => return None,
            }
        }
        Some(())
    }

    fn finish(self) -> Option<i64> {
        let days = self.day.finish()?;
        let moment = days.checked_mul(86_400_000)?.checked_add(self.time.finish()?)?;
        let moment = moment.checked_sub(self.zone.finish()?)?;
        (-FURTHEST..=FURTHEST).contains(&moment).then_some(moment)
    }
}

/// Up to three numbers, and the name of a month.
#[derive(Default)]
struct Day {
    numbers: Vec<i64>,
    month: Option<i64>,
    standard: bool,
}

impl Day {
    fn add(&mut self, number: i64) -> Option<()> {
        (self.numbers.len() < 3).then(|| self.numbers.push(number))
    }

    /// Days since the epoch. What a month lacks, the next one gives: 30 February is 2 March.
    fn finish(mut self) -> Option<i64> {
        if self.numbers.is_empty() {
            return None;
        }
        self.numbers.resize(3, 1);
        let &[first, second, third] = self.numbers.as_slice() else { return None };
        let is_day = |number: i64| (1..=31).contains(&number);
        let (year, month, day) = match self.month {
            None if self.standard || !is_day(first) => (first, second, third),
            None => (third, first, second),
            Some(month) if !is_day(first) => (first, month, second),
            Some(month) => (second, month, first),
        };
        let year = match year {
            0..=49 if !self.standard => year.saturating_add(2000),
            50..=99 if !self.standard => year.saturating_add(1900),
            _ => year,
        };
        // Beyond these no day is within reach of the epoch.
        let reachable = (-300_000..=300_000).contains(&year);
        if !reachable || !(1..=12).contains(&month) || !is_day(day) {
            return None;
        }
        Some(days(year, month)?.saturating_add(day).saturating_sub(1))
    }
}

/// Days from the epoch to the first of a month of the Gregorian calendar; leap days are counted in years that begin in
/// March, so that they come last.
fn days(year: i64, month: i64) -> Option<i64> {
    let shifted = if month < 3 { year.checked_sub(1)? } else { year };
    let from_march = if month < 3 { month.checked_add(9)? } else { month.checked_sub(3)? };
    let within = from_march.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leaps = shifted.div_euclid(4).checked_sub(shifted.div_euclid(100))?.checked_add(shifted.div_euclid(400))?;
    shifted.checked_mul(365)?.checked_add(leaps)?.checked_add(within)?.checked_sub(719_468)
}

/// Hour, minute, second, millisecond.
#[derive(Default)]
struct Clock {
    numbers: Vec<i64>,
    half_day: Option<i64>,
}

impl Clock {
    fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    fn add(&mut self, number: i64) -> Option<()> {
        (self.numbers.len() < 4).then(|| self.numbers.push(number))
    }

    /// Adds the last number; the rest is 0.
    fn end_with(&mut self, number: i64) -> Option<()> {
        self.add(number)?;
        self.numbers.resize(4, 0);
        Some(())
    }

    /// Whether a number would be the next part: a minute, a second or a millisecond.
    fn expects(&self, number: i64) -> bool {
        match self.numbers.len() {
            1 | 2 => (0..60).contains(&number),
            3 => (0..1000).contains(&number),
            _ => false,
        }
    }

    fn finish(mut self) -> Option<i64> {
        self.numbers.resize(4, 0);
        let &[mut hour, minute, second, milli] = self.numbers.as_slice() else { return None };
        if let Some(half) = self.half_day {
            if !(0..=12).contains(&hour) {
                return None;
            }
            hour = hour.checked_rem(12)?.checked_add(half)?;
        }
        let inside = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1000).contains(&milli);
        let midnight = (hour, minute, second, milli) == (24, 0, 0, 0);
        if !inside && !midnight {
            return None;
        }
        let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
        seconds.checked_mul(1000)?.checked_add(milli)
    }
}

/// How far from UTC.
#[derive(Default)]
struct Zone {
    direction: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
}

impl Zone {
    fn utc(&mut self) {
        *self = Zone { direction: Some(1), hour: Some(0), minute: Some(0) };
    }

    fn set(&mut self, hour: i64, minute: Option<i64>) {
        (self.hour, self.minute) = (Some(hour), minute);
    }

    fn is_utc(&self) -> bool {
        self.hour == Some(0) && self.minute == Some(0)
    }

    /// Whether a number would be the minutes of it.
    fn expects(&self, number: i64) -> bool {
        self.hour.is_some() && self.minute.is_none() && (0..60).contains(&number)
    }

    /// What to subtract, in milliseconds.
    fn finish(self) -> Option<i64> {
        let Some(direction) = self.direction else { return Some(0) };
        let minutes = self.hour.unwrap_or(0).checked_mul(60)?.checked_add(self.minute.unwrap_or(0))?;
        direction.checked_mul(minutes.checked_mul(60_000)?)
    }
}

#[cfg(test)]
mod tests;
