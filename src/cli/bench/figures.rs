//! What was measured, told as a table and as JSON.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Args;
use super::curves::{self, Point};
use super::machine::Machine;
use super::scale::Scale;
use super::spread::Spread;
use super::target::{Bound, Target};
use crate::cli::failure::Failure;
use crate::cli::print;

/// All figures of a run.
#[derive(Default)]
pub(super) struct Figures {
    numbers: Map<String, Value>,
    spreads: Map<String, Value>,
    lines: Vec<Line>,
    curves: Vec<(&'static str, &'static str, Vec<Point>)>,
}

/// A line of the table with its figure.
struct Line {
    target: Target,
    measured: f64,
    beside: String,
}

impl Figures {
    /// A figure that is held against something; `beside` says in words what it was measured next to.
    pub(super) fn line(&mut self, target: Target, measured: f64, beside: impl Into<String>) {
        self.number(target.key, measured);
        self.lines.push(Line { target, measured, beside: beside.into() });
    }

    /// That, of several runs.
    pub(super) fn spread_line(&mut self, target: Target, spread: Spread, beside: impl Into<String>) {
        self.spread(target.key, spread);
        self.lines.push(Line { target, measured: spread.median, beside: beside.into() });
    }

    /// A figure for itself.
    pub(super) fn number(&mut self, key: &str, value: f64) {
        self.numbers.insert(key.to_owned(), json!(rounded(value)));
    }

    /// The median of several runs, and their ends.
    pub(super) fn spread(&mut self, key: &str, spread: Spread) {
        self.number(key, spread.median);
        let Spread { min, median, max, runs } = spread;
        let ends = json!({"min": rounded(min), "median": rounded(median), "max": rounded(max), "runs": runs});
        self.spreads.insert(key.to_owned(), ends);
    }

    /// Anything else, such as a curve.
    pub(super) fn value(&mut self, key: &str, value: impl Serialize) {
        self.numbers.insert(key.to_owned(), json!(value));
    }

    /// Each curve: its name, what its points are at, and the points.
    pub(super) fn curves(&mut self, curves: impl IntoIterator<Item = (&'static str, &'static str, Vec<Point>)>) {
        self.curves.extend(curves);
    }

    /// Everything as one object.
    pub(super) fn json(&self, args: &Args, scale: &Scale, machine: &Machine) -> Value {
        let mut object = self.numbers.clone();
        object.insert("spread".into(), Value::Object(self.spreads.clone()));
        object.insert("store".into(), json!(args.store.name()));
        object.insert("scale".into(), json!(scale));
        object.insert("machine".into(), json!(machine));
        let target = |line: &Line| {
            json!({"what": line.target.what, "key": line.target.key, "must": line.target.must, "aim": line.target.aim,
                   "measured": rounded(line.measured), "result": result(line), "beside": line.beside})
        };
        object.insert("table".into(), self.lines.iter().map(target).collect());
        if !self.curves.is_empty() {
            let curves = self.curves.iter().map(|(name, _, points)| ((*name).to_owned(), json!(points)));
            object.insert("curves".into(), Value::Object(curves.collect()));
        }
        Value::Object(object)
    }

    /// The table, for people.
    pub(super) fn tell(&self, args: &Args, scale: &Scale, machine: &Machine) -> Result<(), Failure> {
        print::line(&format!("outlast {}, store {}, {}", machine.version, args.store.name(), scale.words()))?;
        print::line(&machine.words())?;
        if !self.lines.is_empty() {
            print::line("")?;
            let rows: Vec<[String; 6]> = self.lines.iter().map(cells).collect();
            print::table(["what", "must", "aim", "measured", "", "beside"], &rows)?;
        }
        let missed = self.lines.iter().filter(|line| !line.target.must.holds(line.measured)).count();
        if missed > 0 {
            print::line(&format!("\n{missed} of {} figures miss what they must be.", self.lines.len()))?;
        }
        self.curves.iter().try_for_each(|(_, words, points)| curves::tell(words, points))
    }
}

fn cells(line: &Line) -> [String; 6] {
    let unit = line.target.unit;
    let bound = |bound: Bound| match bound {
        Bound::AtLeast(_) => format!("≥ {}{unit}", number(bound.value())),
        Bound::AtMost(_) => format!("≤ {}{unit}", number(bound.value())),
    };
    [
        line.target.what.to_owned(),
        bound(line.target.must),
        bound(line.target.aim),
        format!("{}{unit}", number(line.measured)),
        result(line).to_owned(),
        line.beside.clone(),
    ]
}

fn result(line: &Line) -> &'static str {
    match (line.target.must.holds(line.measured), line.target.aim.holds(line.measured)) {
        (true, true) => "aim met",
        (true, false) => "met",
        _ => "missed",
    }
}

/// Three digits that mean something, which is more than a measurement has.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn rounded(value: f64) -> f64 {
    let scale = if value.abs() >= 1000.0 { 10.0 } else { 10_000.0 };
    if value.is_finite() { (value * scale).round() / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::target::{RATIO_SLED, SUBMIT};
    use super::*;

    #[test]
    fn a_line_says_whether_it_is_good_enough() {
        let at = |target, measured| result(&Line { target, measured, beside: String::new() });
        assert_eq!([0.8, 0.7, 0.6, 0.5].map(|ratio| at(RATIO_SLED, ratio)), ["aim met", "aim met", "met", "missed"]);
        assert_eq!([3.0, 8.0, 9.0].map(|ms| at(SUBMIT, ms)), ["aim met", "met", "missed"]);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are written exactly")]
    fn the_table_shows_no_more_digits_than_are_worth_it() {
        assert_eq!([0.5544, 5.55, 55.55, 5555.5].map(number), ["0.55", "5.55", "55.5", "5556"]);
        assert_eq!(rounded(1.0 / 3.0), 0.3333);
        assert_eq!(rounded(f64::NAN), 0.0);
    }

    #[test]
    fn the_json_has_the_figure_and_its_ends() {
        let mut figures = Figures::default();
        figures.spread_line(RATIO_SLED, Spread::of([0.5, 0.7, 0.6]), "");
        figures.line(SUBMIT, 3.0, "");
        assert_eq!((&figures.numbers["ratio"], &figures.spreads["ratio"]["max"]), (&json!(0.6), &json!(0.7)));
        assert_eq!(figures.numbers["accept_p99_ms"], json!(3.0));
    }
}
