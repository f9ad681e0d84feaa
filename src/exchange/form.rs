//! A form for one of a provider's OAuth endpoints.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A form for one of a provider's OAuth endpoints: tokens, codes, and the client's proof of who it is. It has no `Debug`, so
/// that no part of it is ever printed.
#[derive(Clone, Default)]
pub struct Form {
    fields: Vec<(Cow<'static, str>, Secret)>,
    authorization: Option<Secret>,
    /// Whether it is an empty JSON object instead: what it says stands in its header.
    is_json: bool,
}

impl Form {
    /// A form that only names the grant type (RFC 6749).
    #[must_use]
    pub fn grant(kind: &'static str) -> Self {
        Form::default().field("grant_type", &Secret::new(kind))
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: &Secret) -> Self {
        self.fields.push((name.into(), value.clone()));
        self
    }

    /// Has the client prove itself in a header (RFC 6749, section 2.3.1): unlike elsewhere, both parts are encoded as in a form
    /// before they are joined, so that a colon in an id does not end it.
    #[must_use]
    pub fn basic(mut self, id: &str, secret: &Secret) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let password = Zeroizing::new(encoded(secret.reveal()));
        let pair = Zeroizing::new(format!("{}:{}", encoded(id), password.as_str()));
        self.authorization = Some(Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))));
        self
    }

    /// An empty JSON object with this token in the header: what some providers want of an assertion instead of a form.
    #[must_use]
    pub fn bearing(token: &Secret) -> Self {
        let authorization = Some(Secret::new(format!("Bearer {}", token.reveal())));
        Form { fields: Vec::new(), authorization, is_json: true }
    }

    /// What its body is.
    pub(crate) fn content_type(&self) -> &'static str {
        if self.is_json { "application/json" } else { "application/x-www-form-urlencoded" }
    }

    /// The value of its `authorization` header, if it has one.
    pub(crate) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// As it stands in a request's body.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        if self.is_json {
            return b"{}".to_vec();
        }
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            body.append_pair(name, value.reveal());
        }
        body.finish().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_form_is_encoded() {
        let form = Form::grant("refresh_token").field("refresh_token", &Secret::new("a b&c=ü"));
        assert_eq!(form.encoded(), b"grant_type=refresh_token&refresh_token=a+b%26c%3D%C3%BC");
        assert!(form.authorization().is_none());
    }

    #[test]
    fn a_token_in_the_header_comes_with_an_empty_object() {
        let form = Form::bearing(&Secret::new("a.b.c"));
        assert_eq!(form.authorization().map(Secret::reveal), Some("Bearer a.b.c"));
        assert_eq!((form.content_type(), form.encoded()), ("application/json", b"{}".to_vec()));
    }

    #[test]
    fn a_client_in_the_header_is_encoded_before_it_is_joined() {
        // The example of RFC 6749, section 2.3.1, and one that plain Basic would cut in the wrong place.
        for (id, secret, value) in [
            ("s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"),
            ("a:b", "c d+é", "Basic YSUzQWI6YytkJTJCJUMzJUE5"),
        ] {
            let form = Form::grant("client_credentials").basic(id, &Secret::new(secret));
            assert_eq!(form.authorization().map(Secret::reveal), Some(value));
            assert_eq!(form.encoded(), b"grant_type=client_credentials", "it stands in one place only");
        }
    }
}
