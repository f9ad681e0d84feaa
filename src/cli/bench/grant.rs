//! Credentials of the bench: a grant that lasts longer than any measurement, or none at all.

use outlast_state::{Span, Time};
use url::Url;

use super::ground::Kind;
use super::load::Failed;
use crate::cli::failure::Failure;
use crate::clock;
use crate::guard::Audience;
use crate::oauth::Profile;
use crate::vault::VaultKey;
use crate::{Authorisation, Builder, Engine, OAuth, Secret};

/// A client of a provider whose tokens are for this API. Nobody ever asks its token endpoint.
pub(super) fn oauth(api: &Url) -> OAuth {
    let profile = Profile::generic("bench", api.clone(), Audience::of([api]));
    OAuth::new(profile, "bench", Secret::new("bench-client-secret"))
}

/// A token that was minted a while ago, so that it has long settled, and that lasts.
fn grant() -> Authorisation {
    let now = clock::wall();
    let ago = Time::from_millis(now.as_millis().saturating_sub(HOUR.as_millis()));
    Authorisation {
        access: Secret::new("bench-access-token"),
        refresh: Some(Secret::new("bench-refresh-token")),
        issued: Some(ago),
        expires: Some(now.after(DAY)),
        refresh_expires: None,
        scope: None,
    }
}

/// Gives these credentials their grants, many at once, as one commit can hold many.
pub(super) async fn authorise(engine: &Engine, names: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (tasks, failed) = (tokio_util::task::TaskTracker::new(), Failed::default());
    let room = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    for name in names {
        let Ok(place) = std::sync::Arc::clone(&room).acquire_owned().await else { break };
        let (engine, failed) = (engine.clone(), failed.clone());
        tasks.spawn(async move {
            if let Err(error) = engine.authorise(&name, grant()).await {
                failed.tell(&error.to_string());
            }
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
    failed.into_result()
}

/// The description of an engine that can keep tokens.
pub(super) fn builder(kind: Kind, store: &std::path::Path) -> Result<Builder, Failure> {
    let key = VaultKey::create(&store.with_extension("key")).map_err(|why| Failure::new(why.to_string()))?;
    Ok(kind.builder(store).vault_key(key))
}

const AT_ONCE: usize = 256;
const HOUR: Span = Span::from_secs(3600);
const DAY: Span = Span::from_secs(24 * 3600);
