//! The timeline as an SVG file.

use super::picture::seconds;
use super::timeline::{Mark, Timeline, What, number};
use crate::cli::plot::{STYLE, add, escaped, step};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 460.0;
/// The plot.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 150.0;
const BOTTOM: f64 = 382.0;

/// How many bars there are.
const COLUMNS: u32 = 144;

const GREEN: &str = "#2f855a";
const RED: &str = "#c53030";
const AMBER: &str = "#fbe3b0";

/// Draws it. `subtitle` says in numbers what came of it.
pub(super) fn draw(timeline: &Timeline, subtitle: &str) -> String {
    let mut svg = String::new();
    let title = escaped(&timeline.title);
    let told: Vec<String> =
        timeline.marks.iter().map(|mark| format!("{} at {} s", mark.what.words(), seconds(mark.at))).collect();
    let description = escaped(&format!("Deliveries per second over time. {subtitle} Events: {}.", told.join(", ")));
    let parts = [
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"description\">{description}</desc>\n\
             <style>{STYLE}</style>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text class=\"title\" x=\"24\" y=\"34\">{title}</text>\n\
             <text class=\"sub\" x=\"24\" y=\"56\">{}</text>\n",
            escaped(subtitle)
        ),
        spread(timeline),
        plot(timeline),
        marks(timeline),
        legend(timeline),
        "</svg>\n".to_owned(),
    ];
    svg.extend(parts);
    svg
}

fn x(timeline: &Timeline, time: u64) -> f64 {
    LEFT + (RIGHT - LEFT) * number(time.min(timeline.length)) / number(timeline.length)
}

fn spread(timeline: &Timeline) -> String {
    let Some((from, to)) = timeline.spread else { return String::new() };
    let (from, to) = (x(timeline, from), x(timeline, to));
    format!(
        "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{AMBER}\" opacity=\"0.6\"/>\n",
        (to - from).max(1.0),
        BOTTOM - TOP
    )
}

fn plot(timeline: &Timeline) -> String {
    let applied = timeline.rates(&timeline.applied, COLUMNS);
    let refused = timeline.rates(&timeline.refused, COLUMNS);
    let most = applied.iter().chain(&refused).copied().fold(1.0, f64::max);
    let every = step(most, 5.0);
    let top = (most / every).ceil() * every;
    let y = |rate: f64| BOTTOM - (BOTTOM - TOP) * rate / top;
    let mut svg = String::new();
    let mut rate = 0.0;
    while rate <= top {
        let (line, text) = (y(rate), y(rate) + 4.0);
        add(
            &mut svg,
            format_args!("<line x1=\"{LEFT}\" y1=\"{line:.1}\" x2=\"{RIGHT}\" y2=\"{line:.1}\" stroke=\"#e4e7eb\"/>\n"),
        );
        add(
            &mut svg,
            format_args!("<text class=\"axis\" x=\"66\" y=\"{text:.1}\" text-anchor=\"end\">{rate}</text>\n"),
        );
        rate += every;
    }
    let width = (RIGHT - LEFT) / f64::from(COLUMNS);
    // A handful of refusals is the point of the picture, and would be a pixel high beside a thousand deliveries.
    for (rates, colour, least) in [(&applied, GREEN, 1.5), (&refused, RED, 8.0)] {
        add(&mut svg, format_args!("<g fill=\"{colour}\">\n"));
        for (column, rate) in (0_u32..).zip(rates).filter(|(_, rate)| **rate > 0.0) {
            let height = (BOTTOM - y(*rate)).max(least);
            let (left, above) = (LEFT + width * f64::from(column), BOTTOM - height);
            let bar = width - 0.8;
            add(
                &mut svg,
                format_args!("<rect x=\"{left:.1}\" y=\"{above:.1}\" width=\"{bar:.1}\" height=\"{height:.1}\"/>\n"),
            );
        }
        svg.push_str("</g>\n");
    }
    svg.push_str(&times(timeline));
    svg
}

fn times(timeline: &Timeline) -> String {
    let length = number(timeline.length) / 1000.0;
    let every = step(length, 10.0);
    let mut svg = format!("<line x1=\"{LEFT}\" y1=\"{BOTTOM}\" x2=\"{RIGHT}\" y2=\"{BOTTOM}\" stroke=\"#52606d\"/>\n");
    let mut second = 0.0;
    while second <= length {
        let place = LEFT + (RIGHT - LEFT) * second / length;
        let (tick, text) = (BOTTOM + 5.0, BOTTOM + 19.0);
        add(
            &mut svg,
            format_args!(
                "<line x1=\"{place:.1}\" y1=\"{BOTTOM}\" x2=\"{place:.1}\" y2=\"{tick}\" stroke=\"#52606d\"/>\n"
            ),
        );
        add(
            &mut svg,
            format_args!("<text class=\"axis\" x=\"{place:.1}\" y=\"{text}\" text-anchor=\"middle\">{second}</text>\n"),
        );
        second += every;
    }
    let (middle, below) = (f64::midpoint(LEFT, RIGHT), BOTTOM + 38.0);
    add(
        &mut svg,
        format_args!(
            "<text class=\"axis\" x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">seconds since the first event</text>\n"
        ),
    );
    let up = f64::midpoint(TOP, BOTTOM);
    add(
        &mut svg,
        format_args!(
            "<text class=\"axis\" transform=\"translate(22 {up}) rotate(-90)\" text-anchor=\"middle\">per second</text>\n"
        ),
    );
    svg
}

/// A line through the plot for each mark, its words above it, each on a line of its own so that none covers another.
fn marks(timeline: &Timeline) -> String {
    let mut svg = String::new();
    for (row, mark) in (0_u32..).zip(&timeline.marks) {
        let place = x(timeline, mark.at);
        let above = 80.0 + 17.0 * f64::from(row % 4);
        let (anchor, text) = if place > 700.0 { ("end", place - 6.0) } else { ("start", place + 6.0) };
        let colour = colour(mark);
        let words = format!("{} {} s", mark.what.words(), seconds(mark.at));
        let top = above - 11.0;
        add(
            &mut svg,
            format_args!(
                "<line x1=\"{place:.1}\" y1=\"{top:.1}\" x2=\"{place:.1}\" y2=\"{BOTTOM}\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"/>\n"
            ),
        );
        add(
            &mut svg,
            format_args!(
                "<text class=\"mark\" x=\"{text:.1}\" y=\"{above:.1}\" text-anchor=\"{anchor}\" style=\"fill:{colour}\">{words}</text>\n"
            ),
        );
    }
    svg
}

fn colour(mark: &Mark) -> &'static str {
    match mark.what {
        What::Revoked => "#9c4221",
        What::Refreshed => "#2b6cb0",
        What::Killed => "#9b2c2c",
        What::Restarted => "#276749",
    }
}

fn legend(timeline: &Timeline) -> String {
    let mut entries = vec![(GREEN, "applied by the provider"), (RED, "refused for the token (401)")];
    if timeline.spread.is_some() {
        entries.push((AMBER, "the new token spreads over the nodes"));
    }
    let mut svg = String::new();
    let mut left = LEFT;
    for (colour, words) in entries {
        let text = left + 18.0;
        add(&mut svg, format_args!("<rect x=\"{left}\" y=\"434\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n"));
        add(&mut svg, format_args!("<text class=\"axis\" x=\"{text}\" y=\"444\">{words}</text>\n"));
        left += 220.0;
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::example;
    use super::*;
    use crate::cli::plot::tests::well_formed;

    #[test]
    fn the_picture_is_well_formed_and_says_what_it_shows() {
        let svg = draw(&example(), "2 < 3 & \"so on\".");
        assert!(well_formed(&svg), "{svg}");
        for text in ["<title", "<desc", "role=\"img\"", "An &lt;example&gt; &amp;", "engine killed (SIGKILL) 12.0 s"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        let svg = draw(&Timeline { length: 1, ..Timeline::default() }, "");
        assert!(well_formed(&svg) && !svg.contains("NaN"), "{svg}");
    }
}
