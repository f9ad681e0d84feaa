//! What is said in Unix's own words: file modes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Makes a file that its owner alone may read, and makes it durable. An existing file is left alone.
pub(crate) fn create_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Whether nobody but its owner may read or write it. Asked of the open file, so that it is the one that is then read.
pub(crate) fn is_private(file: &File) -> io::Result<bool> {
    let others = file.metadata()?.mode() & 0o077;
    Ok(others == 0)
}
