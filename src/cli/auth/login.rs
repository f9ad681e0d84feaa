//! `outlast auth login`: a grant from a human, by way of a browser; or anew from what the configuration holds.

use std::io::BufRead as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use outlast_state::Time;
use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::redirect::{Arrived, Redirect};
use super::{deliver, page, standing};
use crate::builder::OAuth;
use crate::cli::control::Grant;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::clock;
use crate::config::{Config, text};
use crate::http::{Http, HttpOptions};
use crate::oauth::{self, Code, Consent, GrantKind, Minted, Outcome, Profile};
use crate::view::CredentialView;

/// Get a grant: from a human in the browser, or, where none is needed, from what is configured
#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct Login {
    /// The credential's name in the configuration
    name: String,
    /// Listen for the browser on this port of 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "manual")]
    port: Option<u16>,
    /// Print the address, and start no browser
    #[arg(long)]
    no_browser: bool,
    /// Listen for nobody: read the address where the browser ended, or the code, from stdin
    #[arg(long)]
    manual: bool,
    /// Ask for this scope instead of those that are configured; may be repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How long to wait for the consent, such as 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = patience)]
    timeout: Duration,
    /// How it stands afterwards, as JSON
    #[arg(long)]
    json: bool,
}

const HELP: &str =
    "The address to come back to is redirect_uri in [credential.NAME], which must be one that is registered with
the provider, to the letter. Without it: http://127.0.0.1:PORT/. One that is not on this machine needs --manual.

Client credentials and signed assertions need no human: then a token is asked for at once. A configured token is
tried again.

Examples:
  outlast auth login acme
  outlast auth login acme --port 8421 --no-browser
  outlast auth login acme --manual --scope r_ads --scope rw_conversions";

fn patience(written: &str) -> Result<Duration, String> {
    let span = text::span(written).map_err(|why| why.to_string())?;
    Ok(Duration::from_millis(span.as_millis()))
}

/// What was asked for and what came.
#[derive(Serialize)]
struct Scopes {
    asked: Vec<String>,
    granted: Vec<String>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    credential: CredentialView,
    scopes: Scopes,
}

pub(super) async fn run(config: &Path, args: &Login) -> Result<(), Failure> {
    let described = Config::load(config)?;
    let mut oauth = described.oauth(&args.name)?;
    if !args.scope.is_empty() {
        oauth.profile.scopes.clone_from(&args.scope);
    }
    let options = HttpOptions { allow_loopback: described.allow_loopback, ..HttpOptions::default() };
    let http = Http::new(options).map_err(|why| Failure::new(why.to_string()))?;
    match oauth.profile.grant {
        GrantKind::AuthorizationCode => consented(config, args, &oauth, &http).await,
        GrantKind::ClientCredentials | GrantKind::JwtBearer => {
            let minted = granted(oauth::mint(&http, &oauth.profile, &oauth.client, clock::wall).await)?;
            let (grant, scopes) = grant(&oauth.profile, minted, clock::wall());
            tell(args, deliver(config, &args.name, grant).await?, scopes)
        }
        GrantKind::Static => {
            let token =
                oauth.fixed.ok_or_else(|| Failure::usage(format!("credential.{}.token is missing", args.name)))?;
            let grant =
                Grant { access: token, refresh: None, issued: None, expires: None, refresh_expires: None, scope: None };
            let scopes = Scopes { asked: Vec::new(), granted: Vec::new(), missing: Vec::new() };
            tell(args, deliver(config, &args.name, grant).await?, scopes)
        }
    }
}

async fn consented(config: &Path, args: &Login, oauth: &OAuth, http: &Http) -> Result<(), Failure> {
    let redirect = Redirect::of(oauth.client.redirect_uri.as_deref(), args.port)?;
    let manual = args.manual || !redirect.is_here();
    if manual && !args.manual {
        print::note("redirect_uri is not an address of this machine, so the browser ends there: --manual");
    }
    let (redirect, listener) = if manual { (redirect.address(), None) } else { redirect.listen().await? };
    let consent =
        Consent::begin(&oauth.profile, &oauth.client, &redirect).map_err(|why| Failure::usage(why.to_string()))?;
    print::note(&format!("Consent here, as the one whose account it is:\n\n  {}\n", consent.url()));
    let Some(listener) = listener else {
        let code = pasted(&consent).await?;
        let (grant, scopes) = redeemed(oauth, http, &consent, &code).await?;
        return tell(args, deliver(config, &args.name, grant).await?, scopes);
    };
    if !args.no_browser && open::that_detached(consent.url().as_str()).is_err() {
        print::note("no browser could be started; open the address by hand");
    }
    print::note(&format!("waiting at {redirect} for {}", print::length(millis(args.timeout))));
    let Arrived { result, mut browser } = listener.wait(args.timeout, |query| consent.returned(query)).await?;
    let ended = match result {
        Ok(code) => match redeemed(oauth, http, &consent, &code).await {
            Ok((grant, scopes)) => deliver(config, &args.name, grant).await.map(|view| (view, scopes)),
            Err(failure) => Err(failure),
        },
        Err(none) => Err(Failure::new(none.to_string())),
    };
    let shown = match &ended {
        Ok((view, _)) => page::done(&args.name, &view.state),
        Err(failure) => page::failed(&args.name, &failure.to_string()),
    };
    browser.answer(&shown).await;
    let (view, scopes) = ended?;
    tell(args, view, scopes)
}

/// What a human copied from the browser.
async fn pasted(consent: &Consent) -> Result<Code, Failure> {
    print::note("Then paste the address where the browser ended (it may show an error there), and press enter:");
    let line = spawn_blocking(|| {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = line.await.map_err(|_| Failure::new("stdin cannot be read"))?;
    let line = line.map_err(|why| Failure::new(format!("stdin cannot be read: {why}")))?;
    consent.pasted(&line).map_err(|none| Failure::new(none.to_string()))
}

async fn redeemed(oauth: &OAuth, http: &Http, consent: &Consent, code: &Code) -> Result<(Grant, Scopes), Failure> {
    let outcome = consent.redeem(http, &oauth.profile, &oauth.client, code, clock::wall).await;
    Ok(grant(&oauth.profile, granted(outcome)?, clock::wall()))
}

fn granted(outcome: Outcome) -> Result<Minted, Failure> {
    match outcome {
        Outcome::Renewed(minted) => Ok(minted),
        Outcome::RefusedForGood { why } => Err(Failure::new(why).help("begin again: outlast auth login")),
        Outcome::Misconfigured { why } => Err(Failure::usage(why)),
        Outcome::Unknown { why, .. } => Err(Failure::new(why).help("nothing has changed; begin again")),
    }
}

/// What was minted as a grant, with the profile's word where the answer is silent.
fn grant(profile: &Profile, minted: Minted, now: Time) -> (Grant, Scopes) {
    let asked = profile.scopes.clone();
    // RFC 6749, section 5.1: an answer without scopes grants what was asked for.
    let granted = minted.scope.as_deref().map_or_else(|| asked.clone(), |scope| listed(scope, profile.scope_separator));
    let missing = asked.iter().filter(|scope| !granted.contains(scope)).cloned().collect();
    let refresh_expires = minted.refresh_expires_in.or(profile.grant_life).map(|life| now.after(life));
    let grant = Grant {
        access: minted.access,
        refresh_expires: refresh_expires.filter(|_| minted.refresh.is_some()),
        refresh: minted.refresh.filter(|_| !profile.grant.mints()),
        issued: Some(now),
        expires: Some(now.after(minted.expires_in.unwrap_or(profile.access_life))),
        scope: minted.scope,
    };
    (grant, Scopes { asked, granted, missing })
}

/// The scopes of an answer. LinkedIn is asked with blanks and answers with commas.
fn listed(scope: &str, separator: char) -> Vec<String> {
    let parts = scope.split([separator, ' ', ',']);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn tell(args: &Login, credential: CredentialView, scopes: Scopes) -> Result<(), Failure> {
    if args.json {
        return print::json(&Told { credential, scopes });
    }
    standing(&credential)?;
    if !scopes.granted.is_empty() {
        print::line(&format!("scopes granted: {}", scopes.granted.join(" ")))?;
    }
    if !scopes.missing.is_empty() {
        let missing = scopes.missing.join(" ");
        print::line(&format!("scopes asked for and not granted: {missing}; requests that need them will be refused"))?;
    }
    Ok(())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use outlast_state::Span;
    use url::Url;

    use super::*;
    use crate::guard::Audience;
    use crate::secret::Secret;

    const NOW: Time = Time::from_millis(1_000_000);

    fn minted(scope: Option<&str>, refresh: bool) -> Minted {
        Minted {
            access: Secret::new("a"),
            expires_in: None,
            refresh: refresh.then(|| Secret::new("r")),
            refresh_expires_in: None,
            scope: scope.map(str::to_owned),
        }
    }

    fn profile() -> Profile {
        let token_url = Url::parse("https://id.example/token").unwrap();
        Profile {
            scopes: vec!["r_ads".into(), "rw_conversions".into()],
            access_life: Span::from_secs(60),
            grant_life: Some(Span::from_secs(600)),
            ..Profile::generic("test", token_url, Audience::default())
        }
    }

    #[test]
    fn the_profile_speaks_where_the_answer_is_silent() {
        let (made, _) = grant(&profile(), minted(None, true), NOW);
        assert_eq!((made.issued, made.expires), (Some(NOW), Some(NOW.after(Span::from_secs(60)))));
        assert_eq!(made.refresh_expires, Some(NOW.after(Span::from_secs(600))));
        let (made, _) = grant(&profile(), minted(None, false), NOW);
        assert_eq!(made.refresh_expires, None, "what is not there does not end");
        let said = Minted {
            expires_in: Some(Span::from_secs(5)),
            refresh_expires_in: Some(Span::from_secs(7)),
            ..minted(None, true)
        };
        let (made, _) = grant(&profile(), said, NOW);
        assert_eq!(made.expires, Some(NOW.after(Span::from_secs(5))));
        assert_eq!(made.refresh_expires, Some(NOW.after(Span::from_secs(7))));
    }

    #[test]
    fn scopes_are_compared_however_they_are_separated() {
        for (scope, granted, missing) in [
            (None, "r_ads rw_conversions", ""),
            (Some("r_ads,rw_conversions"), "r_ads rw_conversions", ""),
            (Some("rw_conversions  other"), "rw_conversions other", "r_ads"),
            (Some(","), "", "r_ads rw_conversions"),
        ] {
            let (_, scopes) = grant(&profile(), minted(scope, true), NOW);
            assert_eq!(
                (scopes.granted.join(" "), scopes.missing.join(" ")),
                (granted.into(), missing.into()),
                "{scope:?}"
            );
        }
    }
}
