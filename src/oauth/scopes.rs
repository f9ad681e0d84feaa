//! Scopes: what is asked for, and what a token endpoint says that a token permits.

use super::Profile;

/// The scopes in a text. RFC 6749 has a blank between them; some providers are asked with blanks and answer with commas.
pub(crate) fn listed(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let apart = move |letter: char| letter == separator || letter == ',' || letter.is_whitespace();
    text.split(apart).filter(|scope| !scope.is_empty())
}

/// Which of those that the profile asks for a token does not permit.
pub(crate) fn missing(profile: &Profile, granted: &str) -> Vec<String> {
    let has = |asked: &String| listed(granted, profile.scope_separator).any(|scope| scope == asked);
    profile.scopes.iter().filter(|asked| !has(asked)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_found_however_they_are_separated() {
        let profile = Profile { scopes: vec!["r_ads".into(), "rw_conversions".into()], ..Profile::linkedin() };
        for (granted, expected) in [
            ("r_ads rw_conversions", &[][..]),
            ("rw_conversions,r_ads,r_basicprofile", &[]),
            ("r_ads, r_ads_reporting", &["rw_conversions"]),
            ("", &["r_ads", "rw_conversions"]),
            ("r_ads+rw_conversions", &["r_ads", "rw_conversions"]),
        ] {
            assert_eq!(missing(&profile, granted), expected, "{granted}");
        }
        let other = Profile { scope_separator: '+', ..profile };
        assert!(missing(&other, "r_ads+rw_conversions").is_empty());
    }
}
