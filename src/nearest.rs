//! What someone may have meant who wrote a name that there is not.

/// The one of `known` that `written` is likely to mean.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.chars().count() / 3).clamp(1, 3);
    let scored = known.into_iter().map(|name| (distance(written, name), name));
    scored.filter(|(distance, _)| *distance <= limit).min().map(|(_, name)| name)
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to get from one to the other
/// (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=to.len()).collect();
    let mut last = None;
    for (row, letter) in from.chars().enumerate() {
        let mut new = vec![row.saturating_add(1)];
        for (column, other) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&old, column).saturating_add(usize::from(letter != *other));
            let removed = at(&old, column.saturating_add(1)).saturating_add(1);
            let added = at(&new, column).saturating_add(1);
            let before = column.checked_sub(1);
            let crossed = last == Some(*other) && before.and_then(|before| to.get(before)) == Some(&letter);
            let swapped = if crossed { at(&older, column.saturating_sub(1)).saturating_add(1) } else { usize::MAX };
            new.push(replaced.min(removed).min(added).min(swapped));
        }
        older = std::mem::replace(&mut old, new);
        last = Some(letter);
    }
    old.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood() {
        let known = ["batch_size", "credential", "kind"];
        for (written, meant) in [
            ("bacth_size", Some("batch_size")),
            ("batchsize", Some("batch_size")),
            ("knd", Some("kind")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
