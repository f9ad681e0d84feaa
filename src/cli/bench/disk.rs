//! Whether the directory stops growing: the same work ten times, and nothing kept of what is done.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::deliver::AT_ONCE;
use super::event::SIZE;
use super::figures::Figures;
use super::ground::Ground;
use super::load::{self, Load};
use super::post::{Post, Record};
use super::sink;
use super::spread::float;
use super::target::DISK;
use super::task;
use crate::Endpoint;
use crate::cli::failure::Failure;

const ROUNDS: u64 = 10;

/// The row `disk`.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (_sink, address) = task::sink().await?;
    let (store, round) = (ground.store(), ground.scale.round);
    let record = Record::of(round.saturating_mul(ROUNDS));
    let endpoint = Endpoint::new(Post::new(sink::url(address, "/")).record(&record)).concurrency(AT_ONCE);
    let engine = ground.kind.keeping_nothing(&store).destination("sink", endpoint).open().await?;
    let mut sizes = Vec::new();
    for number in 0..ROUNDS {
        let (from, to) = (number.saturating_mul(round), number.saturating_add(1).saturating_mul(round));
        let load = Load { events: from..to, size: SIZE, at_once: AT_ONCE };
        load::submit(&engine, "sink", &load, &record).await?;
        load::none_live(&engine).await?;
        // What the store gives back by itself it has given back then.
        if number == 0 || number.saturating_add(1) == ROUNDS {
            ground.scale.settle().await;
        }
        sizes.push(size(&store)?);
    }
    engine.stop().await?;
    if record.left() > 0 {
        return Err(Failure::new(format!("{} events were not delivered, and all should be", record.left())));
    }
    Ground::remove(&store)?;
    let (first, last) = (sizes.first().copied().unwrap_or(0), sizes.last().copied().unwrap_or(0));
    figures.value("disk_bytes_by_round", &sizes);
    let mib = |bytes: u64| bytes >> 20;
    let beside = format!("{} MiB after 10 rounds of {round}, {} MiB after one", mib(last), mib(first));
    figures.line(DISK, float(last) / float(first).max(1.0), beside);
    Ok(())
}

/// What the files below a directory take on the disk.
fn size(path: &Path) -> Result<u64, Failure> {
    let failed = |why| Failure::new(format!("{} cannot be read: {why}", path.display()));
    let mut sum = 0_u64;
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match fs::symlink_metadata(&path) {
            Ok(known) if known.is_dir() => sum = sum.saturating_add(size(&path)?),
            Ok(known) => sum = sum.saturating_add(known.blocks().saturating_mul(512)),
            // The store removed it meanwhile.
            Err(_) => {}
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_as_large_as_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(size(folder.path()).unwrap(), 0);
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/file"), vec![7; 1 << 20]).unwrap();
        fs::File::open(folder.path().join("deep/file")).unwrap().sync_all().unwrap();
        assert!(size(folder.path()).unwrap() >= 1 << 20);
        assert!(size(&folder.path().join("none")).is_err());
    }
}
