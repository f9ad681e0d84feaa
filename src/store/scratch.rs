//! A directory for copies of a store, gone when it is no longer needed. Its process may be killed, and the copies hold
//! what the store holds: so it is locked while it is used, and one that nobody holds is removed by whoever comes next.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::unix;

/// What the name of each begins with.
const PREFIX: &str = ".outlast-doctor-";

/// Such a directory.
pub(crate) struct Scratch {
    path: PathBuf,
    /// The kernel drops it with the process.
    _held: File,
}

impl Scratch {
    /// A new one in the directory `parent`.
    pub(crate) fn in_dir(parent: &Path) -> io::Result<Scratch> {
        remove_abandoned(parent)?;
        let mut number = 0_u32;
        loop {
            let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
            number = number.saturating_add(1);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => continue,
                other => other?,
            }
            // Between these two lines somebody may take it for abandoned; then it is gone, or about to be.
            let Ok(held) = File::open(&path) else { continue };
            if held.try_lock().is_ok() && path.exists() {
                return Ok(Scratch { path, _held: held });
            }
        }
    }

    /// A new one beside the store at `path`, or within it where that is a disk of its own.
    pub(crate) fn beside(path: &Path) -> io::Result<Scratch> {
        let parent = unix::parent(path);
        let disk = |path: &Path| path.metadata().map(|metadata| metadata.dev());
        Scratch::in_dir(if disk(path)? == disk(&parent)? { &parent } else { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path); // the next one removes it
    }
}

/// Whether a directory is a scratch of somebody's.
pub(crate) fn is_scratch(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Removes what was left by processes that are gone.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        if is_scratch(&path)
            && let Ok(held) = File::open(&path)
            && held.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&path); // its owner, or the next one, may
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().unwrap();
        // Also under the name that this process would choose: in a container each has the same number.
        let abandoned = place.path().join(format!("{PREFIX}{}-0", std::process::id()));
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("db"), "older").unwrap();
        fs::write(place.path().join("mine"), "kept").unwrap();
        let one = Scratch::in_dir(place.path()).unwrap();
        assert_eq!(fs::read_dir(one.path()).unwrap().count(), 0, "it holds what somebody left");
        let other = Scratch::in_dir(place.path()).unwrap();
        assert!(one.path() != other.path() && one.path().exists() && other.path().exists());
        assert_eq!(names(place.path()), 3);
        drop((one, other));
        assert_eq!(names(place.path()), 1);
        assert!(place.path().join("mine").exists());
    }

    #[test]
    fn it_lies_beside_a_store_on_the_same_disk() {
        let place = tempfile::tempdir().unwrap();
        let store = place.path().join("data");
        fs::create_dir(&store).unwrap();
        assert_eq!(unix::parent(Scratch::beside(&store).unwrap().path()), place.path());
    }
}
