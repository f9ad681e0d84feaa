//! The profiles that ship: files, each fact in them with its source.

use super::Profile;
use crate::guard::Guard;
use crate::table::{Document, Section};

const SHIPPED: [(&str, &str); 9] = [
    ("generic", include_str!("shipped/generic.toml")),
    ("generic-rotating", include_str!("shipped/generic-rotating.toml")),
    ("generic-token", include_str!("shipped/generic-token.toml")),
    ("github-app", include_str!("shipped/github-app.toml")),
    ("google", include_str!("shipped/google.toml")),
    ("hubspot", include_str!("shipped/hubspot.toml")),
    ("linkedin", include_str!("shipped/linkedin.toml")),
    ("salesforce", include_str!("shipped/salesforce.toml")),
    ("salesforce-jwt", include_str!("shipped/salesforce-jwt.toml")),
];

impl Profile {
    /// The profile that ships under this name. Some leave open where tokens are asked for ([`Profile::lacks_token_url`]).
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        let text = Profile::shipped_text(name)?;
        let document = Document::new(name, text, &|_| None);
        let table = document.parse().ok()?;
        // Judged without the guard of any configuration: these files hold addresses of the internet only.
        Profile::from_section(Section::root(&document, &table), None, &Guard::default())
    }

    /// The names of the profiles that ship.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The file of the profile that ships under this name, with its sources.
    #[must_use]
    pub fn shipped_text(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }
}
