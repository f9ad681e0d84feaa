//! A disk as it can be after a power cut: everything that was synced, and of the rest any part, in any order. (The rule is
//! that of ALICE: Pillai and others, "All File Systems Are Not Created Equal", OSDI 2014.)
//!
//! A file's content and length are kept from its last `fsync` or `fdatasync`, a name from the last `fsync` of its directory.
//! `sync_file_range` counts for nothing: it writes neither a file's length nor what the disk holds in its own memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::draw::Draw;
use crate::trace::Call;

type FileId = usize;

/// Something that happened to the disk, or was said.
struct Event {
    began: u64,
    ended: u64,
    what: What,
}

enum What {
    Write {
        file: FileId,
        at: u64,
        bytes: Vec<u8>,
    },
    Length {
        file: FileId,
        to: u64,
    },
    /// By `fdatasync`, or by `fsync`; of a segment of our store's journal, or of another file.
    Sync {
        file: FileId,
        by_data: bool,
        of_journal: bool,
    },
    SyncFolder {
        folder: PathBuf,
    },
    /// Names change: what is taken away, and what is put there.
    Names {
        folder: PathBuf,
        gone: Option<PathBuf>,
        new: Option<(PathBuf, Node)>,
    },
    Acknowledged {
        number: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(FileId),
}

/// What processes did below one directory, one after the other.
pub(crate) struct Recording {
    root: PathBuf,
    events: Vec<Event>,
    files: usize,
    /// Names as the processes saw them.
    names: BTreeMap<PathBuf, Node>,
    /// The moment after everything so far.
    now: u64,
    /// The moment after what was there before.
    start: u64,
}

/// What a cut keeps for sure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    /// What was synced. Names change in their order, and any sync makes those before it durable, as in file systems that
    /// keep a journal of their metadata (ext4, XFS, APFS).
    Journalled,
    /// What was synced. Each name by itself, and only by a sync of its directory: what POSIX promises, and no more.
    Posix,
    /// As the first, but each `fdatasync`, which is our store's barrier, did nothing: a control.
    WithoutBarrier,
    /// As the first, but each `fdatasync` of the journal did nothing, which is what a commit waits for: a control.
    WithoutJournal,
}

impl Model {
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Model::WithoutBarrier | Model::WithoutJournal)
    }

    fn counts(self, by_data: bool, of_journal: bool) -> bool {
        match self {
            Model::Journalled | Model::Posix => true,
            Model::WithoutBarrier => !by_data,
            Model::WithoutJournal => !(by_data && of_journal),
        }
    }
}

impl Recording {
    /// Of processes that will work below `root`; what is there already is durable.
    pub(crate) fn new(root: &Path) -> Self {
        let mut recording =
            Recording { root: root.to_owned(), events: Vec::new(), files: 0, names: BTreeMap::new(), now: 1, start: 1 };
        recording.take_folder(root);
        recording.folder_is_durable(root.to_owned());
        recording.start = recording.now;
        recording
    }

    fn take_folder(&mut self, folder: &Path) {
        self.names.insert(folder.to_owned(), Node::Folder);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.take_name(path.clone(), Node::Folder);
                self.take_folder(&path);
                self.folder_is_durable(path);
            } else {
                let file = self.new_file();
                self.take_name(path.clone(), Node::File(file));
                self.push(What::Write { file, at: 0, bytes: fs::read(&path).unwrap() });
                self.push(What::Sync { file, by_data: false, of_journal: false });
            }
        }
    }

    fn folder_is_durable(&mut self, folder: PathBuf) {
        self.push(What::SyncFolder { folder });
    }

    fn new_file(&mut self) -> FileId {
        self.files += 1;
        self.files
    }

    fn take_name(&mut self, path: PathBuf, node: Node) {
        self.names.insert(path.clone(), node);
        let folder = path.parent().unwrap().to_owned();
        self.push(What::Names { folder, gone: None, new: Some((path, node)) });
    }

    fn push(&mut self, what: What) {
        self.events.push(Event { began: self.now, ended: self.now, what });
        self.now += 1;
    }

    /// Takes what a process did, after all that is recorded already.
    pub(crate) fn take(&mut self, calls: &[Call]) {
        let mut process = Process { recording: self, offsets: HashMap::new() };
        for call in calls {
            process.take(call);
        }
        let last = calls.iter().flat_map(|call| [call.began, call.ended]).filter(|time| *time != u64::MAX).max();
        self.now += last.unwrap_or(0) + 1;
        // A call that never returned had its effect or not while the process lived.
        self.events.iter_mut().filter(|event| event.ended == u64::MAX).for_each(|event| event.ended = self.now - 1);
    }

    /// The moments at which power can fail and leave something that it would not have left a moment before.
    pub(crate) fn moments(&self) -> Vec<u64> {
        let events = self.events.iter().filter(|event| event.began >= self.start);
        let mut moments: Vec<u64> = events.flat_map(|event| [event.began + 1, event.ended + 1]).collect();
        moments.push(self.now);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The moments right after something was acknowledged.
    pub(crate) fn acknowledgements(&self) -> Vec<u64> {
        let told = self.events.iter().filter(|event| matches!(event.what, What::Acknowledged { .. }));
        told.map(|event| event.began + 1).collect()
    }

    /// The last commit that was acknowledged before this moment.
    pub(crate) fn acknowledged(&self, cut: u64) -> u64 {
        let before = self.events.iter().filter(|event| event.began < cut);
        let numbers = before.filter_map(|event| match event.what {
            What::Acknowledged { number } => Some(number),
            _ => None,
        });
        numbers.max().unwrap_or(0)
    }

    /// How many writes, and how many syncs.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |wanted: fn(&What) -> bool| self.events.iter().filter(|event| wanted(&event.what)).count();
        (
            count(|what| matches!(what, What::Write { .. })),
            count(|what| matches!(what, What::Sync { .. } | What::SyncFolder { .. })),
        )
    }

    /// What had not been synced at a cut, a line for each: for finding out why an image is bad.
    pub(crate) fn unsynced(&self, cut: u64, model: Model) -> Vec<String> {
        let past: Vec<&Event> = self.events.iter().filter(|event| event.began < cut).collect();
        let kept = Kept::of(&past, cut, model);
        let name = |file: &FileId| {
            let found = self.names.iter().find(|(_, node)| **node == Node::File(*file));
            found.map_or_else(|| format!("file {file}"), |(path, _)| path.display().to_string())
        };
        let told = past.iter().filter(|event| !kept.is_durable(event)).filter_map(|event| {
            let line = match &event.what {
                What::Write { file, at, bytes } => format!("write {} at {at}, {} bytes", name(file), bytes.len()),
                What::Length { file, to } => format!("length of {} to {to}", name(file)),
                What::Names { gone, new, .. } => format!("names: {gone:?} goes, {new:?} comes"),
                What::Sync { .. } | What::SyncFolder { .. } | What::Acknowledged { .. } => return None,
            };
            Some(format!("{}-{}: {line}", event.began, event.ended))
        });
        told.collect()
    }

    /// Puts below `target` what a power cut at this moment can leave.
    pub(crate) fn image(&self, cut: u64, model: Model, draw: &mut Draw, target: &Path) {
        let past: Vec<&Event> = self.events.iter().filter(|event| event.began < cut).collect();
        let kept = Kept::of(&past, cut, model);
        let manner = Manner::draw(draw);
        let mut names = BTreeMap::from([(self.root.clone(), Node::Folder)]);
        let mut in_order = true;
        for event in &past {
            let What::Names { gone, new, .. } = &event.what else { continue };
            let durable = kept.is_durable(event);
            let taken = durable || manner.keeps(draw);
            in_order &= taken;
            if taken && (durable || in_order || model == Model::Posix) {
                change(&mut names, gone.as_ref(), new.as_ref());
            }
        }
        let mut lost: BTreeSet<&Path> = BTreeSet::new();
        for (path, node) in &names {
            // In the order of paths a directory comes before what is in it.
            let there = *path == self.root || path.parent().is_some_and(|above| names.contains_key(above));
            if !there || path.parent().is_some_and(|above| lost.contains(above)) {
                lost.insert(path);
                continue;
            }
            let place = target.join(path.strip_prefix(&self.root).unwrap());
            match node {
                Node::Folder => fs::create_dir_all(&place).unwrap(),
                Node::File(file) => fs::write(&place, content(*file, &past, &kept, manner, draw)).unwrap(),
            }
        }
    }
}

/// Takes a name away and puts one there. What is in a directory moves with it.
fn change(names: &mut BTreeMap<PathBuf, Node>, gone: Option<&PathBuf>, new: Option<&(PathBuf, Node)>) {
    let below: Vec<PathBuf> = match gone {
        Some(gone) => names.keys().filter(|path| path.starts_with(gone)).cloned().collect(),
        None => Vec::new(),
    };
    for (path, gone) in below.iter().filter_map(|path| Some((path, gone?))) {
        let Some(node) = names.remove(path) else { continue };
        if let (Some((new, _)), Ok(inside)) = (new, path.strip_prefix(gone)) {
            names.insert(if path == gone { new.clone() } else { new.join(inside) }, node);
        }
    }
    names.extend(new.cloned());
}

/// Until when each file and each directory is durable at a cut.
struct Kept<'a> {
    files: HashMap<FileId, u64>,
    folders: HashMap<&'a Path, u64>,
    /// Until when all names are, where there is a journal of them.
    journal: Option<u64>,
}

impl<'a> Kept<'a> {
    fn of(past: &[&'a Event], cut: u64, model: Model) -> Self {
        let journal = (model != Model::Posix).then_some(0);
        let mut kept = Kept { files: HashMap::new(), folders: HashMap::new(), journal };
        for event in past.iter().filter(|event| event.ended < cut) {
            // A sync covers what had returned when it was begun.
            match &event.what {
                What::Sync { file, by_data, of_journal } if model.counts(*by_data, *of_journal) => {
                    let until = kept.files.entry(*file).or_default();
                    *until = event.began.max(*until);
                }
                What::SyncFolder { folder } => {
                    let until = kept.folders.entry(folder.as_path()).or_default();
                    *until = event.began.max(*until);
                }
                _ => continue,
            }
            kept.journal = kept.journal.map(|until| event.began.max(until));
        }
        kept
    }

    fn is_durable(&self, event: &Event) -> bool {
        let until = match &event.what {
            What::Write { file, .. } | What::Length { file, .. } => self.files.get(file),
            What::Names { folder, .. } => self.folders.get(folder.as_path()).max(self.journal.as_ref()),
            What::Sync { .. } | What::SyncFolder { .. } | What::Acknowledged { .. } => None,
        };
        until.is_some_and(|until| event.ended < *until)
    }
}

/// What a cut does with what was not synced.
#[derive(Clone, Copy)]
struct Manner {
    /// So many times in a thousand a write is kept.
    of_1000: u64,
    /// The size of the pieces in which a disk writes, where writes can be torn.
    torn: Option<usize>,
}

impl Manner {
    fn draw(draw: &mut Draw) -> Self {
        let of_1000 = match draw.below(8) {
            0 => 0,
            1 => 1000,
            2 => 950,
            3 => 50,
            _ => draw.below(1000),
        };
        let torn = match draw.below(3) {
            0 => None,
            1 => Some(512),
            _ => Some(4096),
        };
        Manner { of_1000, torn }
    }

    fn keeps(self, draw: &mut Draw) -> bool {
        draw.happens(self.of_1000)
    }
}

fn content(file: FileId, past: &[&Event], kept: &Kept<'_>, manner: Manner, draw: &mut Draw) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut durable_length, mut full_length) = (0, 0);
    for event in past {
        match &event.what {
            What::Write { file: written, at, bytes: data } if *written == file => {
                let end = *at as usize + data.len();
                full_length = end.max(full_length);
                if kept.is_durable(event) {
                    durable_length = end.max(durable_length);
                    put(&mut bytes, *at as usize, data);
                } else {
                    put_in_part(&mut bytes, *at as usize, data, manner, draw);
                }
            }
            What::Length { file: cut, to } if *cut == file => {
                full_length = *to as usize;
                let durable = kept.is_durable(event);
                if durable {
                    durable_length = full_length;
                }
                if durable || manner.keeps(draw) {
                    bytes.resize(full_length, 0);
                }
            }
            _ => {}
        }
    }
    // The length is written apart from the data: the old one, the new one, or what the data makes of it.
    match draw.below(3) {
        0 => bytes.resize(durable_length, 0),
        1 if full_length >= durable_length => bytes.resize(full_length, 0),
        _ if bytes.len() < durable_length => bytes.resize(durable_length, 0),
        _ => {}
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// Whole or not at all, or some of the pieces in which a disk writes.
fn put_in_part(bytes: &mut Vec<u8>, at: usize, data: &[u8], manner: Manner, draw: &mut Draw) {
    match manner.torn.filter(|_| draw.coin()) {
        None => {
            if manner.keeps(draw) {
                put(bytes, at, data);
            }
        }
        Some(piece) => {
            let mut from = 0;
            while from < data.len() {
                let to = data.len().min(from + piece - (at + from) % piece);
                if manner.keeps(draw) {
                    put(bytes, at + from, &data[from..to]);
                }
                from = to;
            }
        }
    }
}

/// A process whose calls are taken.
struct Process<'a> {
    recording: &'a mut Recording,
    /// Where each descriptor reads and writes next.
    offsets: HashMap<u64, u64>,
}

impl Process<'_> {
    fn take(&mut self, call: &Call) {
        if !call.worked() {
            return;
        }
        match call.name.as_str() {
            "openat" => self.opened(call),
            "read" => drop(self.moved(call)),
            "write" => self.written(call),
            "pwrite64" => {
                let (Some(file), Some(at)) = (self.file(call, 0), call.number(3)) else { return };
                self.data(call, file, at);
            }
            "lseek" => {
                if let (Some(descriptor), Some(at)) = (call.descriptor(0), call.returned()) {
                    self.offsets.insert(descriptor, at);
                }
            }
            "ftruncate" => {
                let (Some(file), Some(to)) = (self.file(call, 0), call.number(1)) else { return };
                self.push(call, What::Length { file, to });
            }
            "fsync" | "fdatasync" => self.synced(call),
            "mkdir" => self.named(call, None, Some((call.path(0), Some(Node::Folder)))),
            "rename" => self.named(call, Some(call.path(0)), Some((call.path(1), None))),
            "unlink" | "rmdir" => self.named(call, Some(call.path(0)), None),
            "close" | "sync_file_range" => {}
            "fcntl" if !call.says(1, "F_DUPFD_CLOEXEC") && !call.says(1, "F_DUPFD") => {}
            // Nothing that is not understood may pass for nothing.
            other => {
                let inside = call.file(0).is_some_and(|path| self.inside(&path).is_some());
                assert!(!inside, "the recording does not know {other} on the store's files");
            }
        }
    }

    fn inside(&self, path: &str) -> Option<PathBuf> {
        let path = PathBuf::from(path);
        path.starts_with(&self.recording.root).then_some(path)
    }

    fn file(&self, call: &Call, at: usize) -> Option<FileId> {
        match self.recording.names.get(&self.inside(&call.file(at)?)?)? {
            Node::File(file) => Some(*file),
            Node::Folder => None,
        }
    }

    fn push(&mut self, call: &Call, what: What) {
        let from = self.recording.now;
        let ended = if call.ended == u64::MAX { u64::MAX } else { from + call.ended };
        self.recording.events.push(Event { began: from + call.began, ended, what });
    }

    fn opened(&mut self, call: &Call) {
        let Some(descriptor) = call.returned() else { return };
        self.offsets.insert(descriptor, 0);
        let Some(path) = call.opened().and_then(|path| self.inside(&path)) else { return };
        assert!(!call.says(2, "O_APPEND"), "the recording does not know appending");
        match self.recording.names.get(&path) {
            Some(Node::File(file)) if call.says(2, "O_TRUNC") => {
                let file = *file;
                self.push(call, What::Length { file, to: 0 });
            }
            Some(_) => {}
            None => {
                assert!(call.says(2, "O_CREAT"), "{} was there before anybody made it", path.display());
                let file = self.recording.new_file();
                let path = path.to_string_lossy().into_owned();
                self.named(call, None, Some((path, Some(Node::File(file)))));
            }
        }
    }

    /// Moves a descriptor by what was read or written, and says where it was.
    fn moved(&mut self, call: &Call) -> Option<u64> {
        let offset = self.offsets.entry(call.descriptor(0)?).or_default();
        let from = *offset;
        *offset += call.returned().unwrap_or(0);
        Some(from)
    }

    fn written(&mut self, call: &Call) {
        let at = self.moved(call);
        if call.descriptor(0) == Some(1) {
            let line = String::from_utf8_lossy(&call.bytes(1)).into_owned();
            if let Some(number) = line.strip_prefix("ack ").and_then(|rest| rest.trim().parse().ok()) {
                self.push(call, What::Acknowledged { number });
            }
            return;
        }
        if let (Some(file), Some(at)) = (self.file(call, 0), at) {
            self.data(call, file, at);
        }
    }

    fn data(&mut self, call: &Call, file: FileId, at: u64) {
        let mut bytes = call.bytes(1);
        if let Some(taken) = call.returned() {
            bytes.truncate(taken as usize);
        }
        self.push(call, What::Write { file, at, bytes });
    }

    fn synced(&mut self, call: &Call) {
        // One that has not returned has promised nothing.
        if call.ended == u64::MAX {
            return;
        }
        let Some(path) = call.file(0).and_then(|path| self.inside(&path)) else { return };
        match self.recording.names.get(&path) {
            Some(Node::File(file)) => {
                let file = *file;
                let of_journal = path.parent().is_some_and(|folder| folder.ends_with("journal"));
                self.push(call, What::Sync { file, by_data: call.name == "fdatasync", of_journal });
            }
            Some(Node::Folder) => self.push(call, What::SyncFolder { folder: path }),
            None => {}
        }
    }

    fn named(&mut self, call: &Call, gone: Option<String>, new: Option<(String, Option<Node>)>) {
        let gone = gone.and_then(|path| self.inside(&path));
        let new = new.and_then(|(path, node)| Some((self.inside(&path)?, node)));
        let moved = gone.as_ref().and_then(|path| self.recording.names.get(path)).copied();
        let new = new.and_then(|(path, node)| Some((path, node.or(moved)?)));
        let Some(folder) = new.as_ref().map(|(path, _)| path).or(gone.as_ref()).and_then(|path| path.parent()) else {
            return;
        };
        let folder = folder.to_owned();
        change(&mut self.recording.names, gone.as_ref(), new.as_ref());
        self.push(call, What::Names { folder, gone, new });
    }
}
