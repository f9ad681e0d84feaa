//! A run as a picture: deliveries a second over time, and how long an event was under way.

use std::time::Duration;

use super::figures::number;
use super::spread::{Sorted, float, rate};
use crate::cli::plot::{STYLE, add, escaped, step};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 936.0;

/// The two plots, one above the other.
const RATES: Plot = Plot { top: 84.0, bottom: 284.0, unit: "per second" };
const LATENCIES: Plot = Plot { top: 324.0, bottom: 494.0, unit: "milliseconds" };

/// How many parts of the time are told apart.
const COLUMNS: usize = 80;

const GREEN: &str = "#2f855a";
const BLUE: &str = "#2b6cb0";
const AMBER: &str = "#b7791f";

/// What is drawn: when each event was delivered, and how long it had been under way by then.
pub(super) struct Picture<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) deliveries: &'a [(Duration, Duration)],
    /// What the client alone reaches, a second.
    pub(super) baseline: f64,
}

/// A plot's place.
struct Plot {
    top: f64,
    bottom: f64,
    unit: &'static str,
}

/// One part of the time.
struct Column {
    rate: f64,
    median: f64,
    p99: f64,
}

pub(super) fn draw(picture: &Picture<'_>) -> String {
    let length = picture.deliveries.iter().map(|(at, _)| *at).max().unwrap_or(Duration::from_millis(1));
    let columns = columns(picture.deliveries, length);
    let (title, subtitle) = (escaped(picture.title), escaped(picture.subtitle));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\" aria-labelledby=\"title description\">\n<title id=\"title\">{title}</title>\n\
         <desc id=\"description\">Deliveries per second, and the median and 99th percentile of the time from submit to \
         delivery, over the time of the run. {subtitle}</desc>\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text class=\"title\" x=\"24\" y=\"34\">{title}</text>\n<text class=\"sub\" x=\"24\" y=\"56\">{subtitle}</text>\n"
    );
    let most = columns.iter().map(|column| column.rate).fold(picture.baseline.max(1.0), f64::max);
    let top = scale(&mut svg, &RATES, most);
    bars(&mut svg, &columns, top);
    let baseline = RATES.y(picture.baseline, top);
    add(
        &mut svg,
        format_args!(
            "<line x1=\"{LEFT}\" y1=\"{baseline:.1}\" x2=\"{RIGHT}\" y2=\"{baseline:.1}\" stroke=\"#52606d\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"/>\n"
        ),
    );
    let most = columns.iter().map(|column| column.p99).fold(0.001, f64::max);
    let top = scale(&mut svg, &LATENCIES, most);
    line(&mut svg, &columns, top, BLUE, |column| column.median);
    line(&mut svg, &columns, top, AMBER, |column| column.p99);
    times(&mut svg, length);
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn columns(deliveries: &[(Duration, Duration)], length: Duration) -> Vec<Column> {
    let mut parts: Vec<Vec<Duration>> = vec![Vec::new(); COLUMNS];
    let nanos = length.as_nanos().saturating_add(1);
    for (at, took) in deliveries {
        let column = at.as_nanos().saturating_mul(COLUMNS as u128).checked_div(nanos).unwrap_or(0);
        if let Some(part) = usize::try_from(column).ok().and_then(|column| parts.get_mut(column)) {
            part.push(*took);
        }
    }
    let each = length.div_f64(float(COLUMNS));
    let column = |part: Vec<Duration>| {
        let rate = rate(part.len(), each);
        let sorted = Sorted::millis(part);
        Column { rate, median: sorted.at(0.5), p99: sorted.at(0.99) }
    };
    parts.into_iter().map(column).collect()
}

impl Plot {
    fn y(&self, value: f64, top: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * value / top
    }
}

/// Lines and numbers for values up to `most`; the value at the top.
fn scale(svg: &mut String, plot: &Plot, most: f64) -> f64 {
    let every = step(most, 5.0);
    let top = (most / every).ceil() * every;
    let mut value = 0.0;
    while value <= top {
        let (at, text, label) = (plot.y(value, top), plot.y(value, top) + 4.0, number_of(value));
        add(
            svg,
            format_args!(
                "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#e4e7eb\"/>\n\
                 <text class=\"axis\" x=\"76\" y=\"{text:.1}\" text-anchor=\"end\">{label}</text>\n"
            ),
        );
        value += every;
    }
    let (middle, unit) = (f64::midpoint(plot.top, plot.bottom), plot.unit);
    add(
        svg,
        format_args!(
            "<text class=\"axis\" transform=\"translate(22 {middle}) rotate(-90)\" text-anchor=\"middle\">{unit}</text>\n"
        ),
    );
    top
}

/// A number on an axis: without digits that say nothing.
fn number_of(value: f64) -> String {
    if value.fract().abs() < 1e-9 { format!("{value:.0}") } else { number(value) }
}

fn bars(svg: &mut String, columns: &[Column], top: f64) {
    let width = (RIGHT - LEFT) / float(COLUMNS);
    add(svg, format_args!("<g fill=\"{GREEN}\">\n"));
    for (place, column) in (0_u32..).zip(columns).filter(|(_, column)| column.rate > 0.0) {
        let (left, above) = (LEFT + width * f64::from(place), RATES.y(column.rate, top));
        let (bar, height) = (width - 0.8, RATES.bottom - above);
        add(svg, format_args!("<rect x=\"{left:.1}\" y=\"{above:.1}\" width=\"{bar:.1}\" height=\"{height:.1}\"/>\n"));
    }
    svg.push_str("</g>\n");
}

/// A line through the middle of each column in which something was delivered.
fn line(svg: &mut String, columns: &[Column], top: f64, colour: &str, value: impl Fn(&Column) -> f64) {
    let width = (RIGHT - LEFT) / float(COLUMNS);
    let point = |(place, column): (u32, &Column)| {
        let (x, y) = (LEFT + width * (f64::from(place) + 0.5), LATENCIES.y(value(column), top));
        format!("{x:.1},{y:.1}")
    };
    let points: Vec<String> = (0_u32..).zip(columns).filter(|(_, column)| column.rate > 0.0).map(point).collect();
    let points = points.join(" ");
    add(svg, format_args!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n"));
}

fn times(svg: &mut String, length: Duration) {
    let seconds = length.as_secs_f64();
    // Tenths of a second are the least that is marked: shorter runs show that they are too short.
    let every = step(seconds * 10.0, 10.0) / 10.0;
    let (bottom, text, words) = (LATENCIES.bottom, LATENCIES.bottom + 19.0, LATENCIES.bottom + 38.0);
    add(svg, format_args!("<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{RIGHT}\" y2=\"{bottom}\" stroke=\"#52606d\"/>\n"));
    let mut second = 0.0;
    while second <= seconds {
        let (place, label) = (LEFT + (RIGHT - LEFT) * second / seconds, number_of((second * 10.0_f64).round() / 10.0));
        add(
            svg,
            format_args!("<text class=\"axis\" x=\"{place:.1}\" y=\"{text}\" text-anchor=\"middle\">{label}</text>\n"),
        );
        second += every;
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    add(
        svg,
        format_args!(
            "<text class=\"axis\" x=\"{middle}\" y=\"{words}\" text-anchor=\"middle\">seconds since the first submit</text>\n"
        ),
    );
}

fn legend(svg: &mut String) {
    let entries = [
        (GREEN, "deliveries"),
        ("#52606d", "the client alone (dashed)"),
        (BLUE, "submit to delivery, median"),
        (AMBER, "99th percentile"),
    ];
    let mut left = LEFT;
    for (colour, words) in entries {
        let text = left + 18.0;
        add(
            svg,
            format_args!(
                "<rect x=\"{left}\" y=\"540\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n\
                 <text class=\"axis\" x=\"{text}\" y=\"550\">{words}</text>\n"
            ),
        );
        left += 210.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plot::tests::well_formed;

    #[test]
    fn a_run_can_be_drawn() {
        let at = |ms: u64| (Duration::from_millis(ms), Duration::from_micros(ms.saturating_mul(10)));
        let deliveries: Vec<_> = (1..=1000).map(at).collect();
        let svg = draw(&Picture { title: "A < B & C", subtitle: "1 000", deliveries: &deliveries, baseline: 1500.0 });
        assert!(well_formed(&svg), "{svg}");
        assert!(svg.contains("A &lt; B") && !svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        let bars = svg.split("<g fill").nth(1).unwrap().split("</g>").next().unwrap();
        assert_eq!(bars.matches("<rect").count(), COLUMNS, "something was delivered all the time");
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        let svg = draw(&Picture { title: "", subtitle: "", deliveries: &[], baseline: 0.0 });
        assert!(well_formed(&svg) && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
