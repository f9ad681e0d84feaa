//! The directory of a store on disk: its lock, and the files that sled leaves in it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::base::StoreKind;
use super::error::StoreError;
use crate::unix;

/// Takes the store for this process, or says who has it.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join("lock");
    let failed = |error: io::Error| StoreError::io(format_args!("locking {}", name.display()), &error);
    let mut file = unix::private_file(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(path, file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

/// Keeps others from opening the store meanwhile, and changes nothing. Nothing to hold where it was never locked. Others
/// may look as well, and who wants to open it can tell a look from an engine.
pub(super) fn lock_to_look(path: &Path) -> Result<Option<File>, StoreError> {
    let looked = match File::open(path.join("lock")) {
        Ok(file) => match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Err(held(path, file)),
            _ => Some(file),
        },
        Err(_) => None,
    };
    if released(&path.join("sled")) { Ok(looked) } else { Err(StoreError::held(path, None)) }
}

fn held(path: &Path, mut lock: File) -> StoreError {
    // Those who hold it only look, and the number that stands there is that of an engine that has ended.
    if lock.try_lock_shared().is_ok() {
        return StoreError::looked_at(path);
    }
    let mut holder = String::new();
    let _ = lock.read_to_string(&mut holder); // it is for the message only
    StoreError::held(path, holder.trim().parse().ok())
}

/// Gives a store that was written and closed in the directory `from` its place: the directory `to`, on the same disk. It is
/// there whole or not at all, since there is no store without its base, the last name.
pub(crate) fn put_in_place(from: &Path, kind: StoreKind, to: &Path) -> io::Result<()> {
    let base = from.join(kind.place());
    if base.is_dir() {
        sync_all(&base)?;
    }
    for name in ["mark", kind.place()] {
        fs::rename(from.join(name), to.join(name))?;
        unix::sync_dir(to)?;
    }
    Ok(())
}

/// What an interrupted snapshot left.
pub(super) fn unfinished_snapshots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("snap.") && name.ends_with(".generating")
    };
    Ok(paths.into_iter().filter(unfinished).collect())
}

pub(super) fn remove_unfinished_snapshots(folder: &Path) -> io::Result<()> {
    unfinished_snapshots(folder)?.into_iter().try_for_each(fs::remove_file)
}

pub(super) fn refuse_spilled_pages(folder: &Path) -> Result<(), StoreError> {
    let blobs = folder.join("blobs");
    match fs::read_dir(&blobs).map(|mut entries| entries.next().is_some()) {
        Ok(false) => Ok(()),
        Ok(true) => {
            Err(StoreError::corrupt(format_args!("{} is not empty, and Outlast never writes there", blobs.display())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io(format_args!("reading {}", blobs.display()), &error)),
    }
}

/// Syncs sled's files and their names: sled itself syncs only the content of snapshots.
pub(super) fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    unix::sync_dir(folder)?;
    unix::sync_dir(&unix::parent(folder))
}

/// Waits until sled's file is locked by nobody: its threads end a moment after the last handle is dropped, and a store
/// that was just closed could not be opened again before. Whoever still has it after two seconds means to keep it.
pub(super) fn released(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("db")) else { return true };
    for _ in 0..400 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            _ => return true,
        }
    }
    false
}

/// Reads a file to its end. What the disk cannot give is met here, where nothing is overwritten for it.
pub(super) fn read_whole(path: &Path) -> Result<(), StoreError> {
    let read = || {
        let file = File::open(path)?;
        let mut piece = vec![0; 1 << 20];
        let mut at: u64 = 0;
        loop {
            match file.read_at(&mut piece, at) {
                Ok(0) => return Ok(()),
                Ok(read) => at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    match read() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(format_args!("reading {}", path.display()), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number in the file is that of the engine that had it last, and who would stop that one would stop a stranger.
    #[test]
    fn a_store_that_is_only_looked_at_is_told_from_one_that_an_engine_has() {
        let place = tempfile::tempdir().unwrap();
        assert!(lock_to_look(place.path()).unwrap().is_none(), "it was never locked");
        let engine = lock(place.path()).unwrap();
        let pid = format!("pid {}", std::process::id());
        assert!(lock_to_look(place.path()).err().unwrap().to_string().contains(&pid));
        assert!(lock(place.path()).err().unwrap().to_string().contains(&pid));
        drop(engine);
        let (one, other) = (lock_to_look(place.path()).unwrap(), lock_to_look(place.path()).unwrap());
        let refused = lock(place.path()).err().unwrap().to_string();
        assert!(refused.contains("`outlast doctor` copies it") && !refused.contains(&pid), "{refused}");
        drop((one, other));
        lock(place.path()).unwrap();
    }
}
