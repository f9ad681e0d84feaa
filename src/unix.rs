//! What needs Unix: files and directories that only their owner can read, and making a new name survive a power failure.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Creates `path` and what leads to it, for the owner only, and makes the new names durable. A directory that exists
/// stays as it is: it may be the user's own, with rights that were chosen.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.is_dir()).collect();
    for ancestor in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(ancestor) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && ancestor.is_dir() => {}
            other => other?,
        }
        sync_dir(&parent(ancestor))?;
    }
    Ok(())
}

/// Opens `path` for reading and writing; creates it, for the owner only, when there is none.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes the names in a directory durable: a new file can be lost with its name, however often its content is synced.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory that holds the name `path`.
pub(crate) fn parent(path: &Path) -> std::path::PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => ".".into(),
        None => path.to_owned(),
    }
}

/// Makes a file that its owner alone may read, and makes it durable. An existing file is left alone.
pub(crate) fn create_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_dir(&parent(path))
}

/// Whether nobody but its owner may read or write it. Asked of the open file, so that it is the one that is then read.
pub(crate) fn is_private(file: &File) -> io::Result<bool> {
    let others = file.metadata()?.mode() & 0o077;
    Ok(others == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_reads_what_is_made_here() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        private_dir(&inner).unwrap();
        private_file(&inner.join("key")).unwrap();
        assert_eq!(mode(&root.path().join("a")), 0o700);
        assert_eq!(mode(&inner), 0o700);
        assert_eq!(mode(&inner.join("key")), 0o600);
    }

    #[test]
    fn what_exists_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let shared = root.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o750)).unwrap();
        private_dir(&shared).unwrap();
        assert_eq!(mode(&shared), 0o750);
        std::fs::write(shared.join("file"), "kept").unwrap();
        private_file(&shared.join("file")).unwrap();
        assert_eq!(std::fs::read_to_string(shared.join("file")).unwrap(), "kept");
        assert!(private_dir(&shared.join("file")).is_err(), "a file is in the way");
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(parent(Path::new("data")), Path::new("."));
        assert_eq!(parent(Path::new("/data")), Path::new("/"));
        assert_eq!(parent(Path::new("/")), Path::new("/"));
    }
}
