//! A small store as an engine leaves it, copies of it, and what is known to be in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use outlast::destination::linkedin;
use outlast::oauth::Profile;
use outlast::state::DeliveryId;
use outlast::store::{DiskOptions, DiskStore, Key, Store, StoreError, StoreKind, Table};
use outlast::vault::VaultKey;
use outlast::verify::tamper;
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Parcel, Scope, Secret};
use tempfile::TempDir;

pub(crate) type Records = BTreeMap<Key, Vec<u8>>;

/// A directory with a store in it.
pub(crate) struct Place {
    root: TempDir,
    pub(crate) kind: StoreKind,
}

/// In memory where there is such a place: the sweep opens some ten thousand stores, and waits for no disk.
fn root() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl Place {
    pub(crate) fn new(kind: StoreKind) -> Place {
        let place = Place { root: root(), kind };
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

    /// The directory of sled's files.
    pub(crate) fn sled(&self) -> PathBuf {
        self.path().join("sled")
    }

    /// The name of what the base has in the store's directory.
    pub(crate) fn base_name(&self) -> &'static str {
        if self.kind == StoreKind::Sled { "sled" } else { "base.redb" }
    }

    /// The file that holds the base's blocks.
    pub(crate) fn base(&self) -> PathBuf {
        if self.kind == StoreKind::Sled { self.sled().join("db") } else { self.path().join("base.redb") }
    }

    /// The segments of the journal, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("journal")).into_iter().flatten();
        let mut segments: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        segments.sort();
        segments
    }

    /// All files of the store, and what is in them.
    pub(crate) fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("control.sock") {
                    let bytes = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                    files.insert(path.strip_prefix(self.root.path()).unwrap().to_owned(), bytes);
                }
            }
        }
        files
    }

    pub(crate) fn builder_on(&self, path: &Path) -> Builder {
        let conversions = linkedin::conversions().rule("789123").build().unwrap();
        Engine::builder(path)
            .hold(true)
            .store_kind(self.kind)
            .vault_key(VaultKey::open(&self.root.path().join("key")).unwrap())
            .credential("acme", OAuth::new(Profile::linkedin(), "client", Secret::new("client secret")))
            .destination("conversions", Endpoint::new(conversions).credential("acme"))
    }

    pub(crate) async fn open(&self) -> Engine {
        self.builder_on(&self.path()).open().await.unwrap()
    }

    /// The same with a store that has this to say about itself.
    pub(crate) async fn open_with(&self, options: &DiskOptions) -> Engine {
        let store = DiskStore::open(&self.path(), options).unwrap();
        self.builder_on(&self.path()).store(Arc::new(store)).open().await.unwrap()
    }

    /// A copy of the whole directory. Of one that is in use it is what a kill at one moment leaves: threads that write
    /// meanwhile are waited for.
    pub(crate) fn copied(&self) -> Place {
        loop {
            let before = self.bytes();
            let to = Place { root: root(), kind: self.kind };
            copy(self.root.path(), to.root.path());
            if before == self.bytes() && before == to.bytes() {
                return to;
            }
        }
    }

    pub(crate) fn options(&self) -> DiskOptions {
        let mut options = DiskOptions::default();
        options.kind = self.kind;
        options.cache_bytes = 1 << 20;
        options
    }

    pub(crate) fn store(&self) -> Result<DiskStore, StoreError> {
        DiskStore::open(&self.path(), &self.options())
    }

    pub(crate) fn records(&self) -> Records {
        let store = self.store().unwrap();
        let records = everything(&store).unwrap();
        store.close().unwrap();
        records
    }

    /// Changes records behind the store's back.
    pub(crate) fn behind(&self, changes: impl IntoIterator<Item = (Key, Option<Vec<u8>>)>) {
        let changes = changes.into_iter().map(|(key, value)| (key.encode(), value));
        tamper(&self.path(), self.kind, changes.collect()).unwrap();
    }

    /// The same for what counts the records.
    pub(crate) fn behind_ledger(&self, value: Option<&[u8]>) {
        tamper(&self.path(), self.kind, vec![(b"\0ledger".to_vec(), value.map(<[u8]>::to_vec))]).unwrap();
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

pub(crate) fn everything(store: &DiskStore) -> Result<Records, StoreError> {
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
        scope: None,
    }
}

/// An engine's store, closed, so that its base holds everything: deliveries, two of them in a lane and one cancelled, a body
/// in parts, a credential, a pause. As many more as asked for.
pub(crate) async fn made(kind: StoreKind, more: usize) -> (Place, Vec<DeliveryId>) {
    quiet();
    let place = Place::new(kind);
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

/// What such a store is after each of three lives that were killed, the latest last, and what is in it then. Its journal has
/// a segment of each life; `merging`: the base took most of it over while the engine ran, so that files were used again.
pub(crate) async fn killed(kind: StoreKind, merging: bool) -> Vec<(Place, Records)> {
    let (mut place, ids) = made(kind, 0).await;
    let (mut images, mut turned) = (Vec::new(), false);
    for (life, id) in ids.iter().take(3).enumerate() {
        let mut options = place.options();
        options.journal_bytes = if merging { 700 } else { options.journal_bytes };
        let known = place.segments();
        let engine = place.open_with(&options).await;
        for n in 0..3 {
            let parcel = Parcel::to("conversions").json(&event(&format!("life-{life}-{n}"), 300 * n)).unwrap();
            engine.submit(parcel).await.unwrap();
        }
        engine.cancel(*id).await.ok(); // one of them has been
        let image = place.copied();
        engine.stop().await.unwrap();
        drop(engine);
        let records = image.copied().records();
        assert!(!image.segments().is_empty(), "nothing is in the journal");
        let new =
            image.segments().iter().filter(|path| !known.iter().any(|old| old.file_name() == path.file_name())).count();
        turned |= new > 1;
        place = image.copied();
        images.push((image, records));
    }
    // A merge may be done with a file before anybody looks, so that of the others nothing can be said.
    assert!(merging || !turned, "a file of the journal was left for the next one");
    images
}

/// The panics of sled and redb are caught, and are thousands here: they are not printed.
pub(crate) fn quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|location| location.file().to_owned()).unwrap_or_default();
            let caught = ["sled-0.34", "redb-", "/library/"].iter().any(|known| place.contains(known));
            if !caught {
                shown(panic);
            }
        }));
    });
}
