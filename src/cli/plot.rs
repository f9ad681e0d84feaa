//! What pictures of measurements share: their letters, their scales, their text.

use std::fmt::Write as _;

pub(crate) const STYLE: &str = "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2933}\
.title{font-size:19px;font-weight:600}.sub{font-size:13px;fill:#52606d}.axis{font-size:12px;fill:#52606d}\
.mark{font-size:12.5px;font-weight:600}";

/// The least of 1, 2 or 5 times a power of ten with which at most `parts` steps reach `value`.
pub(crate) fn step(value: f64, parts: f64) -> f64 {
    let mut scale = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if factor * scale * parts >= value {
                return factor * scale;
            }
        }
        scale *= 10.0;
    }
}

pub(crate) fn add(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("writing to a string cannot fail");
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Each tag that is opened is closed, in order, and no text or attribute holds a bare `<` or `&`.
    pub(crate) fn well_formed(svg: &str) -> bool {
        let mut open: Vec<&str> = Vec::new();
        for tag in svg.split('<').skip(1) {
            let Some((inside, text)) = tag.split_once('>') else { return false };
            let name = inside.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
            let quotes = inside.matches('"').count();
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;"];
            let bare =
                text.match_indices('&').any(|(at, _)| !entities.iter().any(|entity| text[at..].starts_with(entity)));
            if quotes % 2 != 0 || bare {
                return false;
            }
            if inside.starts_with('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !inside.ends_with('/') {
                open.push(name);
            }
        }
        open.is_empty()
    }

    #[test]
    fn what_is_not_well_formed_is_known() {
        assert!(well_formed("<a x=\"1\"><b/>&lt;</a>"));
        assert!(!well_formed("<a><b></a></b>") && !well_formed("<a x=\"></a>") && !well_formed("<a>&</a>"));
    }

    #[test]
    fn scales_are_round() {
        for (value, parts, expected) in [(3.0, 5.0, 1.0), (1_400.0, 4.0, 500.0), (17.0, 8.0, 5.0), (90.0, 9.0, 10.0)] {
            assert!((step(value, parts) - expected).abs() < f64::EPSILON, "{value}: {}", step(value, parts));
        }
    }
}
