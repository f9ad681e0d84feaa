//! Chance that repeats: every draw is a hash of the seed and of what is drawn for, so that no draw depends on how many came before it.

/// A uniform 64-bit value for `parts` under `seed` (the finalizer of splitmix64, folded over the parts).
pub(super) fn draw(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(mix(seed), |acc, part| mix(acc ^ mix(*part)))
}

/// A value in `min..=max`, or `min` where the range is empty. The modulo bias is below 2^-32 for ranges of milliseconds.
pub(super) fn between(min: u64, max: u64, drawn: u64) -> u64 {
    let width = max.saturating_sub(min).saturating_add(1);
    min.saturating_add(drawn.checked_rem(width).unwrap_or(0))
}

/// Whether an event of this probability happens for this draw.
pub(super) fn happens(probability: f64, drawn: u64) -> bool {
    // 32 bits of the draw convert to f64 without loss.
    f64::from(u32::try_from(drawn >> 32).unwrap_or(u32::MAX)) < probability * 4_294_967_296.0
}

/// An opaque-looking string for a token: `prefix` and 64 hexadecimal digits.
pub(super) fn opaque(prefix: &str, seed: u64, parts: &[u64]) -> String {
    let base = draw(seed, parts);
    (0..4).fold(prefix.to_owned(), |text, word| text + &format!("{:016x}", draw(base, &[word])))
}

/// Purposes, so that two draws for the same numbers do not agree.
pub(super) mod purpose {
    pub(crate) const VISIBILITY: u64 = 1;
    pub(crate) const NODE: u64 = 2;
    pub(crate) const REFUSAL: u64 = 3;
    pub(crate) const RULE: u64 = 4;
    pub(crate) const LATENCY: u64 = 5;
    pub(crate) const ACCESS: u64 = 6;
    pub(crate) const REFRESH: u64 = 7;
    pub(crate) const CODE: u64 = 8;
    pub(crate) const REQUEST_ID: u64 = 9;
}

fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_repeats_and_differs_by_seed_and_part() {
        assert_eq!(draw(7, &[1, 2]), draw(7, &[1, 2]));
        assert_ne!(draw(7, &[1, 2]), draw(8, &[1, 2]));
        assert_ne!(draw(7, &[1, 2]), draw(7, &[2, 1]));
    }

    #[test]
    fn a_range_is_kept_and_filled() {
        let drawn: Vec<u64> = (0..1000).map(|n| between(2000, 8000, draw(1, &[n]))).collect();
        assert!(drawn.iter().all(|ms| (2000..=8000).contains(ms)));
        assert!(drawn.iter().any(|ms| *ms < 2500) && drawn.iter().any(|ms| *ms > 7500));
        assert_eq!(between(5, 5, 99), 5);
    }

    #[test]
    fn a_probability_is_met() {
        let hits = (0..10_000).filter(|n| happens(0.25, draw(3, &[*n]))).count();
        assert!((2300..2700).contains(&hits), "{hits}");
        assert!(!happens(0.0, 0) && happens(1.0, u64::MAX));
    }
}
