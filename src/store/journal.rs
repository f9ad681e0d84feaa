//! The journal: each commit is one frame at the end of a file, synced before it is acknowledged. It holds what the base has
//! not taken over yet, and is read again when the store is opened.
//!
//! ```text
//! segment: magic "OLJ1" | number of its first commit u64 | salt u64 | CRC-32 u32 of the store's number and these | frames
//! frame:   magic "OLJF" | length of the payload u32 | number of the commit u64 | CRC-32 u32 | payload
//! payload: for each key in order: 0 (delete) or 1 (put) u8 | length of key u16 | length of value u16 | key | value
//! ```
//!
//! The frames of a segment have numbers without a gap. A frame is written only after the one before it is durable, so that
//! what a crash leaves behind the last whole frame was never acknowledged. Files whose commits the base holds are used again
//! under another name: overwriting costs a sync about half of what growing does. The checksum of a frame covers the salt of
//! its segment, which is drawn anew each time: frames of an earlier life do not verify, and nor does what somebody's event
//! contains.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::Batch;
use crate::unix;

const SEGMENT: [u8; 4] = *b"OLJ1";
const FRAME: [u8; 4] = *b"OLJF";

/// Before a segment's frames.
const TITLE: usize = 24;
/// Before a frame's payload.
const HEAD: usize = 20;

/// So many files at most are kept to be used again.
const SPARE: usize = 2;

/// The journal of an open store.
pub(super) struct Journal {
    folder: PathBuf,
    /// The number of the store that it belongs to.
    store: u64,
    /// The segment that is written to; none before the first commit since the store was opened or the segment closed.
    open: Option<Open>,
    /// Closed segments, oldest first: the number of the first commit of each.
    closed: Vec<u64>,
    /// Files that may be overwritten.
    spare: Vec<PathBuf>,
    frame: Vec<u8>,
    /// The number of the last commit.
    last: u64,
    /// How many bytes of frames were written since the last segment was closed.
    pub(super) bytes: u64,
    /// How often a file or a directory was synced.
    pub(super) syncs: u64,
}

struct Open {
    file: File,
    first: u64,
    salt: u64,
    at: u64,
}

/// What a journal holds, as it was found.
pub(super) struct Found {
    /// The segments that are needed, by the number of their first commit.
    segments: Vec<u64>,
    /// Those that are not.
    spare: Vec<u64>,
    /// The number of the last commit.
    pub(super) last: u64,
    /// Where reading ended before the end: what that means, if it means anything.
    pub(super) fault: Option<String>,
}

impl Found {
    /// The same without anything that can be read: what it held is in the base, or given up.
    pub(super) fn given_up(mut self) -> Found {
        self.spare.append(&mut self.segments);
        Found { fault: None, ..self }
    }
}

impl Journal {
    /// Whether anything was ever written there.
    pub(super) fn is_there(folder: &Path) -> io::Result<bool> {
        Ok(!segments(folder)?.is_empty())
    }

    /// Reads the commits after number `after` and gives each to `take`. Changes nothing. A journal that is damaged is read up
    /// to there; [`Found::fault`] tells.
    pub(super) fn read(folder: &Path, store: u64, after: u64, take: &mut dyn FnMut(u64, Batch)) -> io::Result<Found> {
        let segments = segments(folder)?;
        // A segment is of use if it holds a commit that comes after: the next one's name says what it ends before.
        let needed = segments.iter().skip(1).take_while(|next| **next <= after.saturating_add(1)).count();
        let (spare, needed) = segments.split_at(needed.min(segments.len()));
        let mut found = Found { segments: needed.to_vec(), spare: spare.to_vec(), last: after, fault: None };
        for first in needed {
            if *first > found.last.saturating_add(1) {
                let last = found.last;
                found.fault =
                    Some(format!("its journal goes on at commit {first}, and the last before is number {last}"));
                return Ok(found);
            }
            let bytes = fs::read(folder.join(name(*first)))?;
            let Some((salt, mut rest)) = title(&bytes, store, *first) else { continue };
            let mut expected = *first;
            while let Some((frame, behind)) = frame(rest, salt, expected) {
                if expected > after {
                    take(expected, frame);
                    found.last = expected;
                }
                expected = expected.saturating_add(1);
                rest = behind;
            }
            if let Some(number) = later(rest, salt, expected) {
                found.fault = Some(format!(
                    "commit {expected} in its journal does not verify, and commit {number} behind it does"
                ));
                return Ok(found);
            }
        }
        Ok(found)
    }

    /// The journal of a store that goes on after what was found. What is there is synced: a commit that a crash left whole
    /// counts from here on, and may not have been durable.
    pub(super) fn open(folder: &Path, store: u64, found: Found) -> io::Result<Journal> {
        unix::private_dir(folder)?;
        for first in &found.segments {
            File::open(folder.join(name(*first)))?.sync_all()?;
        }
        unix::sync_dir(folder)?;
        let mut journal = Journal {
            folder: folder.to_owned(),
            store,
            open: None,
            closed: found.segments,
            spare: Vec::new(),
            frame: Vec::new(),
            last: found.last,
            bytes: 0,
            syncs: 0,
        };
        // What nothing whole was written to is as good as none.
        let empty = journal.closed.pop_if(|first| *first > found.last);
        found.spare.into_iter().chain(empty).try_for_each(|first| journal.set_aside(first))?;
        Ok(journal)
    }

    /// Writes a commit and waits until it is durable.
    pub(super) fn append(&mut self, number: u64, batch: &Batch) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(number)?,
        };
        self.frame.clear();
        if open.at == 0 {
            write_title(&mut self.frame, self.store, open.first, open.salt);
        }
        write_frame(&mut self.frame, open.salt, number, batch);
        open.file.write_all_at(&self.frame, open.at)?;
        open.file.sync_data()?;
        let written = u64::try_from(self.frame.len()).unwrap_or(u64::MAX);
        open.at = open.at.saturating_add(written);
        self.last = number;
        self.bytes = self.bytes.saturating_add(written);
        self.syncs = self.syncs.saturating_add(1);
        self.frame.shrink_to(1 << 20);
        self.open = Some(open);
        Ok(())
    }

    /// A barrier alone.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.syncs = self.syncs.saturating_add(1);
        match &self.open {
            Some(open) => open.file.sync_data(),
            None => unix::sync_dir(&self.folder),
        }
    }

    /// The next commit begins a new segment.
    pub(super) fn close_segment(&mut self) {
        self.closed.extend(self.open.take().map(|open| open.first));
        self.bytes = 0;
    }

    /// Lets go of the segments whose last commit is number `through` or before. The one that is written to stays.
    pub(super) fn forget(&mut self, through: u64) -> io::Result<()> {
        // A segment ends before the next one begins; behind the last closed one comes what is written to, or will be.
        let next = self.open.as_ref().map_or(self.last.saturating_add(1), |open| open.first);
        while let Some(first) = self.closed.first().copied()
            && self.closed.get(1).copied().unwrap_or(next) <= through.saturating_add(1)
        {
            self.closed.remove(0);
            self.set_aside(first)?;
        }
        Ok(())
    }

    fn set_aside(&mut self, first: u64) -> io::Result<()> {
        let path = self.folder.join(name(first));
        if self.spare.len() < SPARE {
            self.spare.push(path);
            Ok(())
        } else {
            fs::remove_file(path)
        }
    }

    fn begin(&mut self, first: u64) -> io::Result<Open> {
        let path = self.folder.join(name(first));
        if let Some(spare) = self.spare.pop() {
            fs::rename(spare, &path)?;
        }
        let file = unix::private_file(&path)?;
        unix::sync_dir(&self.folder)?;
        self.syncs = self.syncs.saturating_add(1);
        Ok(Open { file, first, salt: salt()?, at: 0 })
    }

    /// Removes all of it: the base holds everything.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.close_segment();
        for first in std::mem::take(&mut self.closed) {
            fs::remove_file(self.folder.join(name(first)))?;
        }
        self.spare.iter().try_for_each(fs::remove_file)?;
        unix::sync_dir(&self.folder)
    }
}

fn name(first: u64) -> String {
    format!("{first:020}")
}

/// The segments of a journal, oldest first. Other files are none of ours.
fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let file = entry?.file_name();
        segments.extend(file.to_str().and_then(|text| text.parse::<u64>().ok().filter(|first| name(*first) == text)));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// A number that nobody can know beforehand.
pub(super) fn salt() -> io::Result<u64> {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| io::Error::other("the machine gives no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn write_title(bytes: &mut Vec<u8>, store: u64, first: u64, salt: u64) {
    let title = [&SEGMENT[..], &first.to_le_bytes(), &salt.to_le_bytes()].concat();
    bytes.extend_from_slice(&title);
    bytes.extend(title_sum(store, &title).to_le_bytes());
}

/// Covers the number of the store: the journal of another one does not verify.
fn title_sum(store: u64, title: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&store.to_le_bytes());
    hasher.update(title);
    hasher.finalize()
}

/// The salt of the segment with this name, and its frames. One that does not verify was never written whole, or is damaged:
/// then what it held is missing, and the next segment or the witness tells.
fn title(bytes: &[u8], store: u64, first: u64) -> Option<(u64, &[u8])> {
    let (title, frames) = bytes.split_at_checked(TITLE)?;
    let (title, sum) = title.split_last_chunk::<4>()?;
    let (said, salt) = title.strip_prefix(&SEGMENT)?.split_first_chunk::<8>()?;
    let whole = *sum == title_sum(store, title).to_le_bytes() && u64::from_le_bytes(*said) == first;
    whole.then_some((u64::from_le_bytes(salt.try_into().ok()?), frames))
}

/// Appends a frame to `bytes`.
fn write_frame(bytes: &mut Vec<u8>, salt: u64, number: u64, batch: &Batch) {
    let short = |length: usize| u16::try_from(length).expect("a store refuses larger keys and values").to_le_bytes();
    let start = bytes.len();
    let body = start.saturating_add(HEAD);
    bytes.resize(body, 0);
    for (key, value) in batch {
        let value_bytes = value.as_deref().unwrap_or_default();
        bytes.push(u8::from(value.is_some()));
        bytes.extend(short(key.len()));
        bytes.extend(short(value_bytes.len()));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value_bytes);
    }
    let length = u32::try_from(bytes.len().saturating_sub(body)).expect("a commit is bounded");
    let sum = checksum(salt, length, number, bytes.get(body..).unwrap_or_default());
    let head = [&FRAME[..], &length.to_le_bytes(), &number.to_le_bytes(), &sum.to_le_bytes()].concat();
    if let Some(place) = bytes.get_mut(start..body) {
        place.copy_from_slice(&head);
    }
}

fn checksum(salt: u64, length: u32, number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// The commit with this number at the beginning of `bytes`, and what comes behind it.
fn frame(bytes: &[u8], salt: u64, number: u64) -> Option<(Batch, &[u8])> {
    let (found, payload, behind) = payload(bytes, salt)?;
    if found != number {
        return None;
    }
    Some((batch(payload)?, behind))
}

/// A frame that verifies: its number, its payload, and what comes behind it.
fn payload(bytes: &[u8], salt: u64) -> Option<(u64, &[u8], &[u8])> {
    let rest = bytes.strip_prefix(&FRAME)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (length, number) = (u32::from_le_bytes(*length), u64::from_le_bytes(*number));
    let (payload, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (checksum(salt, length, number, payload) == u32::from_le_bytes(*sum)).then_some((number, payload, behind))
}

fn batch(mut payload: &[u8]) -> Option<Batch> {
    let mut batch = Batch::new();
    while let Some((put, rest)) = payload.split_first() {
        let (key, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key)))?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*value)))?;
        batch.push((key.to_vec(), (*put == 1).then(|| value.to_vec())));
        payload = rest;
    }
    Some(batch)
}

/// The number of a frame somewhere in `bytes` that verifies and is not older than `expected`: something before it that was
/// acknowledged does not verify.
fn later(bytes: &[u8], salt: u64, expected: u64) -> Option<u64> {
    let mut rest = bytes;
    while let Some(at) = rest.windows(FRAME.len()).position(|window| window == FRAME) {
        rest = rest.get(at..)?;
        if let Some((number, _, _)) = payload(rest, salt)
            && number > expected
        {
            return Some(number);
        }
        rest = rest.get(1..)?;
    }
    None
}

#[cfg(test)]
mod tests;
