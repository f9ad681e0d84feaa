//! What the figures were measured on. Read from where Linux tells it; elsewhere it is "unknown".

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::spread::Spread;
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) version: &'static str,
    /// The program as it was built: figures of one without optimisation mean nothing.
    pub(super) optimised: bool,
    pub(super) cores: usize,
    pub(super) processor: String,
    pub(super) memory_bytes: Option<u64>,
    pub(super) kernel: String,
    pub(super) file_system: String,
    /// What a write of 4 KiB and its `fdatasync` take in the bench's directory.
    pub(super) fdatasync_us: Spread,
}

impl Machine {
    /// This machine, and the file system that `path` is on.
    pub(super) fn here(path: &Path) -> Result<Self, Failure> {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches([':', ' ', '\t']).to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").and_then(|text| {
            let kib: u64 = text.trim_end_matches("kB").trim().parse().ok()?;
            Some(kib.saturating_mul(1024))
        });
        let unknown = || "unknown".to_owned();
        let release = read("/proc/sys/kernel/osrelease");
        let kernel =
            if release.is_empty() { std::env::consts::OS.to_owned() } else { format!("Linux {}", release.trim()) };
        Ok(Machine {
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            memory_bytes: memory,
            kernel,
            file_system: file_system(&read("/proc/self/mountinfo"), path).unwrap_or_else(unknown),
            fdatasync_us: fdatasync(path)?,
        })
    }

    pub(super) fn words(&self) -> String {
        let memory = self.memory_bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} GiB", bytes >> 30));
        let Machine { cores, processor, kernel, file_system, .. } = self;
        let built = if self.optimised { "" } else { "; BUILT WITHOUT OPTIMISATION, use --release" };
        let free = if self.syncs_are_free() { "; ITS SYNCS ARE FREE, name a disk with --dir" } else { "" };
        let sync = self.fdatasync_us.median;
        format!(
            "{cores} cores ({processor}), {memory} of memory, {kernel}, {file_system} with {sync:.0} µs for a write and fdatasync{free}{built}"
        )
    }

    /// Whether the directory is in memory, where a barrier costs nothing and holds nothing.
    pub(super) fn syncs_are_free(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.file_system.as_str())
    }
}

/// The type of the file system of `path`, by the longest mount point above it.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        path.starts_with(&point).then(|| (point.len(), after.split(' ').next().unwrap_or_default().to_owned()))
    };
    // Of two on the same point the later one is on top.
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

fn fdatasync(folder: &Path) -> Result<Spread, Failure> {
    let path = folder.join("fdatasync");
    let failed = |why| Failure::new(format!("{} cannot be written: {why}", path.display()));
    let mut file = File::create(&path).map_err(failed)?;
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let watch = Stopwatch::start();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(failed)?;
        took.push(watch.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(&path).map_err(failed)?;
    Ok(Spread::of(took))
}

const SYNCS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_names_the_file_system() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:25 / /tmp rw shared:5 - tmpfs tmpfs rw\n\
                      31 30 0:26 / /tmp/a\\040b rw - xfs /dev/vdb rw\n";
        for (path, kind) in [("/home", "ext4"), ("/tmp/x", "tmpfs"), ("/tmp/a b/c", "xfs"), ("/tmpx", "ext4")] {
            assert_eq!(file_system(mounts, Path::new(path)).as_deref(), Some(kind), "{path}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn a_machine_can_be_described() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::here(folder.path()).unwrap();
        assert!(machine.cores > 0 && machine.fdatasync_us.median > 0.0);
        assert!(machine.words().contains("cores"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
