//! What an operator asks of a credential.

use super::Engine;
use crate::authorisation::Authorisation;
use crate::driver::Ask;
use crate::error::Error;
use crate::http::WITHIN;
use crate::oauth;
use crate::view::{CredentialCalendar, CredentialView, Revocation};

impl Engine {
    /// The credentials and how they stand.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when the engine has stopped.
    pub async fn credentials(&self) -> Result<Vec<CredentialView>, Error> {
        self.ask(|reply| Ask::Look(crate::driver::Look::Credentials { reply })).await
    }

    /// What lies ahead of each credential: its ends, what is planned before them, who must act by when, and how many
    /// deliveries are at risk.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when the engine has stopped.
    pub async fn calendar(&self) -> Result<Vec<CredentialCalendar>, Error> {
        self.ask(|reply| Ask::Look(crate::driver::Look::Calendar { reply })).await?
    }

    /// Gives a credential a grant. It is on disk, sealed, when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) when there is no such credential;
    /// [`ErrorKind::Caller`](crate::ErrorKind::Caller) when the token is expired or not a token.
    pub async fn authorise(&self, credential: &str, grant: Authorisation) -> Result<CredentialView, Error> {
        let credential = credential.to_owned();
        self.ask(|reply| Ask::Authorise { credential, grant, reply }).await?
    }

    /// Has a new token asked for now, as a planned refresh would. When this returns, that it is wanted is on disk; the token
    /// comes later.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) when there is no such credential;
    /// [`ErrorKind::Caller`](crate::ErrorKind::Caller) when it may not be refreshed, such as one whose token is younger than
    /// the settle window, and what to do instead.
    pub async fn refresh(&self, credential: &str) -> Result<CredentialView, Error> {
        let credential = credential.to_owned();
        self.ask(|reply| Ask::Refresh { credential, reply }).await?
    }

    /// Ends a credential: here in any case, before anything else, and at its provider where the profile says how (RFC 7009). Its
    /// work waits until it is authorised again. Where the provider was not reached, what it can be told with stays sealed, and
    /// the call may be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) when there is no such credential.
    pub async fn revoke(&self, credential: &str) -> Result<Revocation, Error> {
        let name = credential.to_owned();
        let parting = self.ask(|reply| Ask::Revoke { credential: name, reply }).await??;
        let Some(world) = self.inner.world.upgrade() else { return Err(self.why_stopped()) };
        let client = world.clients.get(credential);
        let told = match (&parting.profile.revoke_url, &parting.token, client) {
            (None, _, _) => Ok("its profile names no revoke_url, so the provider was not told"),
            (Some(_), None, _) | (Some(_), _, None) => match parting.sealed {
                None => Ok("nothing was left to tell the provider with"),
                Some(ref why) => Err(format!("what the provider could be told with cannot be opened: {why}")),
            },
            (Some(url), Some((token, hint)), Some(client)) => {
                let form = oauth::revoke_form(&parting.profile, client, token, hint);
                match world.http.post_form(url, &form, WITHIN, || world.clock.now()).await {
                    Ok(answer) if answer.is_success() => Ok(""),
                    Ok(answer) => Err(format!("the provider answered {} to the revocation", answer.status)),
                    Err(none) => Err(format!("the provider was not told: {none}")),
                }
            }
        };
        let at_provider = told == Ok("");
        let detail = match told {
            Ok("") => "The provider has ended it, too.".to_owned(),
            Ok(why) => format!("At the provider nothing was done: {why}; end it there by hand where that matters."),
            Err(why) => {
                let credential = parting.view;
                // An access token by itself went with the credential: only a grant, or a configured token, is kept for this.
                let kept = parting.sealed.is_some() || parting.token.is_none_or(|(_, kind)| kind == "refresh_token");
                let then = if kept { "Repeat the command to tell it again" } else { "End it there by hand" };
                let detail = format!("At the provider it lives on: {why}. {then}.");
                return Ok(Revocation { credential, at_provider, detail });
            }
        };
        let name = credential.to_owned();
        self.ask(|reply| Ask::Forget { credential: name, reply }).await??;
        Ok(Revocation { credential: parting.view, at_provider, detail })
    }
}
