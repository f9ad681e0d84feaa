//! The forms that are posted to a provider's OAuth endpoints, one for each grant (RFC 6749, RFC 7523, RFC 7009).

use outlast_state::Time;

use super::{Asked, AssertionIn, Client, ClientAuth, GrantKind, Profile};
use crate::Secret;
use crate::exchange::Form;

/// Asks for a token with a refresh token (RFC 6749, section 6).
pub(crate) fn refresh_form(profile: &Profile, client: &Client, refresh_token: &Secret) -> Form {
    identified(Form::grant("refresh_token").field("refresh_token", refresh_token), profile, client)
}

/// Asks for a token with the code of a consent (RFC 6749, section 4.1.3, and RFC 7636, section 4.5).
#[cfg(feature = "login")]
pub(super) fn code_form(
    profile: &Profile,
    client: &Client,
    code: &Secret,
    redirect: &str,
    verifier: Option<&Secret>,
) -> Form {
    let form = Form::grant("authorization_code").field("code", code).field("redirect_uri", &Secret::new(redirect));
    let form = verifier.into_iter().fold(form, |form, verifier| form.field("code_verifier", verifier));
    identified(with_parameters(form, client), profile, client)
}

/// Asks for a token that needs no human, and with what it asks.
///
/// # Errors
/// What is missing to ask with, and the remedy.
pub(crate) fn mint_form(profile: &Profile, client: &Client, now: Time) -> Result<(Form, Asked), String> {
    let scope = profile.scopes.join(&profile.scope_separator.to_string());
    let with_scope =
        |form: Form| if scope.is_empty() { form } else { form.field("scope", &Secret::new(scope.as_str())) };
    match profile.grant {
        GrantKind::ClientCredentials => {
            let form = with_parameters(with_scope(Form::grant("client_credentials")), client);
            Ok((identified(form, profile, client), Asked::Client))
        }
        GrantKind::JwtBearer => {
            let assertion =
                client.assertion.as_ref().ok_or("no assertion is configured: give it issuer and private_key_file")?;
            let signed = assertion.sign(&scope, now)?;
            let form = match profile.token_shape.assertion {
                AssertionIn::Bearer => Form::bearing(&signed),
                AssertionIn::Form => {
                    let form = Form::grant("urn:ietf:params:oauth:grant-type:jwt-bearer").field("assertion", &signed);
                    identified(with_parameters(with_scope(form), client), profile, client)
                }
            };
            Ok((form, Asked::Assertion))
        }
        GrantKind::AuthorizationCode | GrantKind::Static => {
            Err("its grant needs a human; nothing can be minted without one".to_owned())
        }
    }
}

/// Asks about an access token (RFC 7662, section 2.1). Who asks proves itself as for a token.
pub(crate) fn inspect_form(profile: &Profile, client: &Client, token: &Secret) -> Form {
    let form = Form::default().field("token", token).field("token_type_hint", &Secret::new("access_token"));
    identified(form, profile, client)
}

/// Ends a token at the provider (RFC 7009, section 2.1).
pub(crate) fn revoke_form(profile: &Profile, client: &Client, token: &Secret, hint: &'static str) -> Form {
    let form = Form::default().field("token", token).field("token_type_hint", &Secret::new(hint));
    identified(form, profile, client)
}

fn with_parameters(form: Form, client: &Client) -> Form {
    let add = |form: Form, (name, value): &(String, String)| form.field(name.clone(), &Secret::new(value.as_str()));
    client.parameters.iter().fold(form, add)
}

/// Adds who asks: in the header where the provider wants it and there is a secret, else in the form.
fn identified(form: Form, profile: &Profile, client: &Client) -> Form {
    match (profile.client_auth, &client.secret) {
        (ClientAuth::Basic, Some(secret)) => form.basic(&client.id, secret),
        _ if client.id.is_empty() => form,
        (_, None) => form.field("client_id", &Secret::new(client.id.as_str())),
        (ClientAuth::Form, Some(secret)) => {
            form.field("client_id", &Secret::new(client.id.as_str())).field("client_secret", secret)
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::guard::Audience;

    fn profile(grant: GrantKind, client_auth: ClientAuth) -> Profile {
        let token_url = Url::parse("https://id.example/token").unwrap();
        let scopes = vec!["a".to_owned(), "b".to_owned()];
        Profile { grant, client_auth, scopes, ..Profile::generic("test", token_url, Audience::default()) }
    }

    fn said(form: &Form) -> (String, Option<&str>) {
        (String::from_utf8(form.encoded()).unwrap(), form.authorization().map(Secret::reveal))
    }

    #[test]
    fn a_client_proves_itself_in_one_place() {
        let (client, token) = (Client::new("me", Secret::new("hush")), Secret::new("r"));
        let form = refresh_form(&profile(GrantKind::AuthorizationCode, ClientAuth::Form), &client, &token);
        assert_eq!(
            said(&form),
            ("grant_type=refresh_token&refresh_token=r&client_id=me&client_secret=hush".into(), None)
        );
        let form = refresh_form(&profile(GrantKind::AuthorizationCode, ClientAuth::Basic), &client, &token);
        assert_eq!(said(&form), ("grant_type=refresh_token&refresh_token=r".into(), Some("Basic bWU6aHVzaA==")));
        let basic = profile(GrantKind::AuthorizationCode, ClientAuth::Basic);
        let form = refresh_form(&basic, &Client::public("me"), &token);
        assert_eq!(
            said(&form),
            ("grant_type=refresh_token&refresh_token=r&client_id=me".into(), None),
            "nothing to prove"
        );
        let form = revoke_form(&basic, &client, &token, "refresh_token");
        assert_eq!(said(&form).0, "token=r&token_type_hint=refresh_token");
    }

    #[test]
    fn client_credentials_ask_for_scopes_and_say_what_else_is_configured() {
        let mut client = Client::new("me", Secret::new("hush"));
        client.parameters.push(("audience".into(), "https://api.example/".into()));
        let form = mint_form(&profile(GrantKind::ClientCredentials, ClientAuth::Form), &client, Time::ZERO);
        let (form, asked) = form.ok().unwrap();
        assert_eq!(asked, Asked::Client);
        let expected = "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fapi.example%2F&client_id=me&client_secret=hush";
        assert_eq!(said(&form), (expected.into(), None));
    }

    #[test]
    fn what_needs_a_human_or_a_key_says_so() {
        for (grant, word) in [
            (GrantKind::AuthorizationCode, "human"),
            (GrantKind::Static, "human"),
            (GrantKind::JwtBearer, "private_key_file"),
        ] {
            let made = mint_form(&profile(grant, ClientAuth::Form), &Client::public("me"), Time::ZERO);
            assert!(made.err().unwrap().contains(word), "{grant:?}");
        }
    }
}
