//! `outlast export` and `outlast import`

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::print;
use crate::backup::{self, Backup};
use crate::config::Config;
use crate::error::ErrorKind;

/// Write everything in the store to a file, which any kind of store can be made of
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast export backup.jsonl              to a new file
  outlast export - | gzip > backup.gz      to standard output

No engine may run on the store meanwhile. Tokens stay sealed: keep the key apart from the file. Events are in it as they
were accepted: the file is for you alone to read.")]
pub(crate) struct ExportArgs {
    /// The file, which must not exist yet; `-` is standard output
    file: PathBuf,
}

/// Make a new store of what `outlast export` wrote
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast import backup.jsonl              into store.path of the configuration, of the kind store.kind
  gunzip < backup.gz | outlast import -

The directory must be new or empty. Never use the store that the file was taken from after that: both would send what
was in flight.")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    file: PathBuf,
}

pub(crate) fn export(config: &Path, args: &ExportArgs) -> Result<(), Failure> {
    let store = Config::outline(config)?.store;
    if args.file.as_os_str() == "-" {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let told = backup::export(&store, &mut out)?;
        print::note(&said(told, "exported"));
        return Ok(());
    }
    let named = |why: std::io::Error| {
        Failure::usage(format!("{} cannot be written: {why}; name a file that does not exist yet", args.file.display()))
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file).map_err(named)?;
    let mut out = BufWriter::new(file);
    let exported = backup::export(&store, &mut out).map_err(Failure::from).and_then(|told| {
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(named)?;
        Ok(told)
    });
    match exported {
        Ok(told) => print::line(&format!("{} to {}", said(told, "exported"), args.file.display())),
        Err(failure) => {
            let _ = std::fs::remove_file(&args.file); // half a backup is none
            Err(failure)
        }
    }
}

pub(crate) fn import(config: &Path, args: &ImportArgs) -> Result<(), Failure> {
    let outline = Config::outline(config)?;
    let refused = |error: crate::Error| match error.kind() {
        ErrorKind::Caller => Failure::usage(error.to_string()),
        _ => error.into(),
    };
    let told = if args.file.as_os_str() == "-" {
        backup::import(&mut std::io::stdin().lock(), &outline.store, outline.kind).map_err(refused)?
    } else {
        let named = |why| Failure::usage(format!("{} cannot be read: {why}", args.file.display()));
        let file = File::open(&args.file).map_err(named)?;
        backup::import(&mut BufReader::new(file), &outline.store, outline.kind).map_err(refused)?
    };
    let (kind, path) = (outline.kind.name(), outline.store.display());
    print::line(&format!("{} into {path}, a store of kind {kind}", said(told, "imported")))
}

fn said(told: Backup, what: &str) -> String {
    format!("{} deliveries ({} records) {what}", told.deliveries, told.records)
}
