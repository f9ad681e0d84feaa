//! A small store as an engine leaves it, copies of it, and what is known to be in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use outlast::destination::linkedin;
use outlast::oauth::Profile;
use outlast::state::DeliveryId;
use outlast::store::{Key, SledOptions, SledStore, Store, StoreError, Table};
use outlast::vault::VaultKey;
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Parcel, Scope, Secret};
use tempfile::TempDir;

pub(crate) type Records = BTreeMap<Key, Vec<u8>>;

/// A directory with a store in it.
pub(crate) struct Place {
    root: TempDir,
}

/// In memory where there is such a place: the sweep opens some ten thousand stores, and waits for no disk.
fn root() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { root: root() };
        VaultKey::create(&place.root.path().join("key")).unwrap();
        place
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The names of what lies beside the store.
    pub(crate) fn litter(&self) -> Vec<String> {
        let names = fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "key" && name != "data").collect()
    }

    pub(crate) fn sled(&self) -> PathBuf {
        self.path().join("sled")
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.sled().join("db")
    }

    pub(crate) fn builder_on(&self, path: &Path) -> Builder {
        let conversions = linkedin::conversions().rule("789123").build().unwrap();
        Engine::builder(path)
            .hold(true)
            .vault_key(VaultKey::open(&self.root.path().join("key")).unwrap())
            .credential("acme", OAuth::new(Profile::linkedin(), "client", Secret::new("client secret")))
            .destination("conversions", Endpoint::new(conversions).credential("acme"))
    }

    pub(crate) async fn open(&self) -> Engine {
        self.builder_on(&self.path()).open().await.unwrap()
    }

    /// A copy of the whole directory.
    pub(crate) fn copied(&self) -> Place {
        let to = Place { root: root() };
        copy(self.root.path(), to.root.path());
        to
    }

    pub(crate) fn store(&self) -> Result<SledStore, StoreError> {
        let mut options = SledOptions::default();
        options.cache_bytes = 1 << 20;
        SledStore::open(&self.path(), options)
    }

    pub(crate) fn records(&self) -> Records {
        let store = self.store().unwrap();
        let records = everything(&store).unwrap();
        store.close().unwrap();
        records
    }

    /// Does something to the store behind its back.
    pub(crate) fn behind(&self, act: impl FnOnce(&sled::Db)) {
        let db = sled::Config::new().path(self.sled()).open().unwrap();
        act(&db);
        db.flush().unwrap();
        drop(db);
        // sled lets go of its file a moment later; opening waits for that.
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

pub(crate) fn everything(store: &SledStore) -> Result<Records, StoreError> {
    let mut records = Records::new();
    for table in Table::ALL {
        records.extend(store.scan(table, None, usize::MAX)?);
    }
    Ok(records)
}

pub(crate) fn event(name: &str, padding: usize) -> serde_json::Value {
    serde_json::json!({
        "type": "track", "event": "Order Completed", "messageId": name, "timestamp": "2026-03-01T12:00:00Z",
        "traits": {"email": "ada@example.org", "note": "x".repeat(padding)},
        "properties": {"currency": "EUR", "revenue": 12.5}
    })
}

pub(crate) fn grant() -> Authorisation {
    Authorisation {
        access: Secret::new("an access token"),
        refresh: Some(Secret::new("a refresh token")),
        issued: None,
        expires: None,
        refresh_expires: None,
    }
}

/// An engine's store: deliveries, two of them in a lane and one cancelled, a body in parts, a credential, a pause. As many
/// more as asked for.
pub(crate) async fn made(more: usize) -> (Place, Vec<DeliveryId>) {
    quiet();
    let place = Place::new();
    let engine = place.open().await;
    engine.authorise("acme", grant()).await.unwrap();
    engine.pause(Scope::Lane { destination: "conversions".into(), lane: "b".into() }).await.unwrap();
    let mut ids = Vec::new();
    for (n, padding) in [0, 0, 0, 7_000].into_iter().chain(std::iter::repeat_n(0, more)).enumerate() {
        let parcel = Parcel::to("conversions").json(&event(&format!("order-{n}"), padding)).unwrap();
        let parcel = parcel.once(format!("order-{n}"));
        let parcel = if n < 2 { parcel.lane("a") } else { parcel };
        ids.push(engine.submit(parcel).await.unwrap());
    }
    engine.cancel(ids[2]).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    (place, ids)
}

/// sled's panics are caught, and are thousands here: they are not printed.
pub(crate) fn quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|location| location.file().to_owned()).unwrap_or_default();
            if !place.contains("sled-0.34") && !place.contains("/library/") {
                shown(panic);
            }
        }));
    });
}
