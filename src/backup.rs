//! A store as text, and back: a backup that does not depend on which embedded store keeps the records, nor on its version.
//!
//! ```text
//! {"outlast":"backup","version":1}
//! {"table":"delivery","key":"…","value":"…"}        one line for each record; key and value in base64, as they are stored
//! {"records":3,"deliveries":1,"sha256":"…"}         the last line: how many, and the SHA-256 of all lines before it
//! ```
//!
//! Everything is in it that a store holds, deliveries in flight included. Tokens stay sealed: whoever imports needs the same
//! key. A file that was cut or changed is refused as a whole.

use std::io::{BufRead, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::digest::hex;
use crate::error::{Error, ErrorKind};
use crate::store::scratch::{Scratch, is_scratch};
use crate::store::{
    DiskOptions, DiskStore, GOOD_WRITES, Key, Store, StoreError, StoreKind, Table, Writes, codec, put_in_place, wreck,
};
use crate::unix;

const VERSION: u32 = 1;

/// So many records are read at a time.
const PAGE: usize = 1024;

/// No line is longer: the largest key and the largest value, in base64, and what is around them.
const LONGEST_LINE: u64 = 16 * 1024;

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// How many deliveries, ended ones included.
    pub deliveries: u64,
    /// How many records, those included.
    pub records: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    outlast: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    table: String,
    key: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    records: u64,
    deliveries: u64,
    sha256: String,
}

/// Writes everything that the store in the directory `path` holds to `out`.
///
/// # Errors
/// [`ErrorKind::Held`] while an engine runs on it; [`ErrorKind::Corrupt`] when a record does not verify, since a backup of
/// damage would pass for one that is whole; [`ErrorKind::Storage`] when the store or `out` fails.
pub fn export(path: &Path, out: &mut dyn Write) -> Result<Backup, Error> {
    let kind = wreck::present(path)?;
    let store = DiskStore::open(path, &DiskOptions { kind, ..DiskOptions::default() })?;
    let mut writing = Writing { out, digest: digest(), told: Backup::default() };
    writing.line(&Head { outlast: "backup".to_owned(), version: VERSION })?;
    for table in Table::ALL {
        writing.table(&store, table)?;
    }
    let Writing { out, digest, told } = writing;
    let sha256 = hex(digest.finish().as_ref());
    let tail = Tail { records: told.records, deliveries: told.deliveries, sha256 };
    writeln!(out, "{}", text(&tail)).and_then(|()| out.flush()).map_err(|error| written(&error))?;
    store.close()?;
    Ok(told)
}

fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("numbers and text")
}

fn digest() -> ring::digest::Context {
    ring::digest::Context::new(&ring::digest::SHA256)
}

fn written(error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!("the backup cannot be written: {error}; operator: make room, or write it elsewhere"),
    )
}

struct Writing<'a> {
    out: &'a mut dyn Write,
    digest: ring::digest::Context,
    told: Backup,
}

impl Writing<'_> {
    fn line(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let text = format!("{}\n", text(line));
        self.digest.update(text.as_bytes());
        self.out.write_all(text.as_bytes()).map_err(|error| written(&error))
    }

    fn table(&mut self, store: &dyn Store, table: Table) -> Result<(), Error> {
        let mut from: Option<Key> = None;
        loop {
            let page = store.scan(table, from.as_ref(), PAGE)?;
            let full = page.len() == PAGE;
            // The first of a page is the last of the one before.
            let fresh = page.into_iter().skip(usize::from(from.is_some()));
            let mut last = None;
            for (key, value) in fresh {
                self.record(&key, &value)?;
                last = Some(key);
            }
            match last {
                Some(key) if full => from = Some(key),
                _ => return Ok(()),
            }
        }
    }

    fn record(&mut self, key: &Key, value: &[u8]) -> Result<(), Error> {
        if is_its_own(key) {
            return Ok(());
        }
        verify(key, value).map_err(|damage| {
            let why = format!(
                "{key} {damage}. Nothing was exported: `outlast doctor` says what is damaged, and saves the rest"
            );
            Error::new(ErrorKind::Corrupt, why)
        })?;
        self.told.count(key);
        let (key_text, value) = (BASE64.encode(key.encode()), BASE64.encode(value));
        self.line(&Line { table: key.table().to_string(), key: key_text, value })
    }
}

impl Backup {
    fn count(&mut self, key: &Key) {
        self.records = self.records.saturating_add(1);
        if key.is_delivery() {
            self.deliveries = self.deliveries.saturating_add(1);
        }
    }
}

/// What each store writes for itself.
fn is_its_own(key: &Key) -> bool {
    *key == Key::Meta(crate::store::keys::Meta::Format)
}

/// Tokens verify with the key only that they were sealed with.
fn verify(key: &Key, value: &[u8]) -> Result<(), codec::Damage> {
    match key.table() {
        Table::Token | Table::Grant => Ok(()),
        _ => codec::open(key, value).map(drop),
    }
}

/// Writes what a backup holds to a new store in the directory `path`, which is there whole or not at all. The store that it
/// was taken from must not be used any more: both would send what is in flight.
///
/// # Errors
/// [`ErrorKind::Caller`] when `path` holds something already, or the backup is cut, changed or none; it names the line.
/// [`ErrorKind::Storage`] when the new store cannot be written.
pub fn import(from: &mut dyn BufRead, path: &Path, kind: StoreKind) -> Result<Backup, Error> {
    let foreign = |entry: std::io::Result<std::fs::DirEntry>| !entry.is_ok_and(|entry| is_scratch(&entry.path()));
    if path.is_file() || std::fs::read_dir(path).is_ok_and(|entries| entries.into_iter().any(foreign)) {
        let why = "is not empty; import into a directory that is new or empty (store.path in the configuration)";
        return Err(Error::new(ErrorKind::Caller, format!("{}: {why}", path.display())));
    }
    let preparing = |error: std::io::Error| StoreError::io(format_args!("preparing {}", path.display()), &error);
    unix::private_dir(path).map_err(preparing)?;
    let scratch = Scratch::in_dir(path).map_err(preparing)?;
    let begun = scratch.path().join("begun");
    let store = DiskStore::open(&begun, &DiskOptions { kind, ..DiskOptions::default() })?;
    let told = Reading { from, number: 0, digest: digest() }.into_store(&store)?;
    store.close()?;
    put_in_place(&begun, kind, path)
        .map_err(|error| StoreError::io(format_args!("moving it to {}", path.display()), &error))?;
    Ok(told)
}

struct Reading<'a> {
    from: &'a mut dyn BufRead,
    number: u64,
    digest: ring::digest::Context,
}

impl Reading<'_> {
    fn into_store(mut self, store: &dyn Store) -> Result<Backup, Error> {
        let head: Option<Head> = self.next()?.and_then(|line| serde_json::from_str(&line).ok());
        match head {
            Some(head) if head.outlast == "backup" && head.version == VERSION => {}
            Some(head) if head.outlast == "backup" => {
                let why =
                    format!("has version {}, and this Outlast reads version {VERSION}: use a newer one", head.version);
                return Err(self.refused(&why));
            }
            _ => return Err(self.refused("is not the beginning of a backup that `outlast export` wrote")),
        }
        let (mut told, mut writes) = (Backup::default(), Writes::new());
        loop {
            let before = self.digest.clone();
            let Some(line) = self.next()? else {
                return Err(self.refused("is missing: the backup is cut off. Nothing was imported; take another copy"));
            };
            if let Ok(tail) = serde_json::from_str::<Tail>(&line) {
                return self.end(store, &tail, told, before, writes);
            }
            let (key, value) = self.record(&line)?;
            told.count(&key);
            writes.put(key, value);
            if writes.len() >= GOOD_WRITES {
                store.commit(std::mem::take(&mut writes))?;
            }
        }
    }

    fn end(
        mut self,
        store: &dyn Store,
        tail: &Tail,
        told: Backup,
        digest: ring::digest::Context,
        writes: Writes,
    ) -> Result<Backup, Error> {
        let counted = Backup { records: tail.records, deliveries: tail.deliveries };
        if counted != told || tail.sha256 != hex(digest.finish().as_ref()) {
            return Err(self.refused("does not fit what comes before it: the backup was changed. Nothing was imported"));
        }
        if self.next()?.is_some() {
            return Err(
                self.refused("comes behind the last one of the backup: is it two of them? Nothing was imported")
            );
        }
        store.commit(writes)?;
        Ok(told)
    }

    fn record(&self, line: &str) -> Result<(Key, Vec<u8>), Error> {
        let unreadable = || self.refused("is not a record that this Outlast knows. Nothing was imported");
        let line: Line = serde_json::from_str(line).map_err(|_| unreadable())?;
        let key = BASE64.decode(&line.key).ok().and_then(|key| Key::decode(&key)).ok_or_else(unreadable)?;
        let value = BASE64.decode(&line.value).map_err(|_| unreadable())?;
        verify(&key, &value)
            .map_err(|damage| self.refused(&format!("holds {key}, which {damage}. Nothing was imported")))?;
        Ok((key, value))
    }

    fn next(&mut self) -> Result<Option<String>, Error> {
        let mut line = String::new();
        self.number = self.number.saturating_add(1);
        let mut bounded = std::io::Read::take(&mut *self.from, LONGEST_LINE);
        bounded.read_line(&mut line).map_err(|error| self.refused(&format!("cannot be read: {error}")))?;
        if line.is_empty() {
            return Ok(None);
        }
        if !line.ends_with('\n') {
            return Err(self.refused("has no end: the backup is cut off, or is none. Nothing was imported"));
        }
        self.digest.update(line.as_bytes());
        Ok(Some(line))
    }

    fn refused(&self, why: &str) -> Error {
        Error::new(ErrorKind::Caller, format!("line {} of the backup {why}", self.number))
    }
}

#[cfg(test)]
mod tests;
