use super::*;
use tempfile::TempDir;

impl Journal {
    /// Breaks what is written to, so that the next sync fails.
    pub(in crate::store) fn break_file(&mut self) {
        self.open = Some(Open {
            file: File::options().write(true).open("/dev/null").unwrap(),
            first: u64::MAX,
            salt: 0,
            at: 0,
        });
    }
}

const STORE: u64 = 77;

type Commits = Vec<(u64, Batch)>;

fn commit(number: u64, size: usize) -> Batch {
    vec![
        (number.to_be_bytes().to_vec(), Some(vec![u8::try_from(number % 251).unwrap(); size])),
        (b"gone".to_vec(), None),
    ]
}

fn read(place: &TempDir, after: u64) -> (Commits, Found) {
    let mut commits = Commits::new();
    let found = Journal::read(place.path(), STORE, after, &mut |number, batch| commits.push((number, batch))).unwrap();
    (commits, found)
}

fn numbers(place: &TempDir, after: u64) -> Vec<u64> {
    read(place, after).0.into_iter().map(|(number, _)| number).collect()
}

fn files(place: &TempDir) -> usize {
    fs::read_dir(place.path()).unwrap().count()
}

#[test]
fn what_was_appended_is_read_across_segments_and_openings() {
    let place = tempfile::tempdir().unwrap();
    let mut number = 0;
    for opening in 0..5_usize {
        let (_, found) = read(&place, 0);
        assert_eq!(found.last, number);
        let mut journal = Journal::open(place.path(), STORE, found).unwrap();
        for round in 0..opening * 2 {
            number += 1;
            journal.append(number, &commit(number, round * 700)).unwrap();
            if round % 3 == 1 {
                journal.close_segment();
            }
        }
    }
    for after in 0..=number {
        let (commits, found) = read(&place, after);
        let expected: Vec<u64> = (after + 1..=number).collect();
        assert_eq!(commits.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected);
        assert!(
            found.fault.is_none()
                && commits
                    .iter()
                    .all(|(number, batch)| batch[0] == commit(*number, batch[0].1.as_ref().unwrap().len())[0])
        );
    }
}

#[test]
fn files_are_used_again_and_old_frames_in_them_are_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(place.path(), STORE, read(&place, 0).1).unwrap();
    for number in 1..=30 {
        // The later ones are shorter: behind them stands what the file held before.
        journal.append(number, &commit(number, 5000 - usize::try_from(number).unwrap() * 100)).unwrap();
        if number % 3 == 0 {
            journal.close_segment();
            journal.forget(number - 1).unwrap();
        }
        let known = (number - 1) / 3 * 3;
        assert_eq!(numbers(&place, known), (known + 1..=number).collect::<Vec<_>>());
        assert!(files(&place) <= 5, "{} files", files(&place));
    }
    journal.close_segment();
    journal.forget(30).unwrap();
    assert!(files(&place) <= SPARE);
    journal.append(31, &commit(31, 10)).unwrap();
    assert_eq!(numbers(&place, 30), [31]);
    journal.remove().unwrap();
    assert_eq!(files(&place), 0);
}

/// Every cut of the last segment leaves the frames before it; none is read in part.
#[test]
fn a_cut_leaves_what_is_whole() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(place.path(), STORE, read(&place, 0).1).unwrap();
    let mut ends = vec![0, TITLE];
    for number in 1..=4 {
        journal.append(number, &commit(number, 40)).unwrap();
        ends.push(usize::try_from(journal.open.as_ref().unwrap().at).unwrap());
    }
    let file = place.path().join(name(1));
    let whole = fs::read(&file).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let frames = ends.iter().skip(2).filter(|end| **end <= cut).count();
        let (commits, found) = read(&place, 0);
        assert_eq!((commits.len(), found.fault), (frames, None), "cut at {cut}");
    }
}

#[test]
fn damage_before_a_frame_that_verifies_is_a_fault() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(place.path(), STORE, read(&place, 0).1).unwrap();
    for number in 1..=3 {
        journal.append(number, &commit(number, 40)).unwrap();
    }
    let (file, last) = (place.path().join(name(1)), usize::try_from(journal.open.as_ref().unwrap().at).unwrap());
    let whole = fs::read(&file).unwrap();
    let frame = (last - TITLE) / 3;
    for bit in TITLE * 8..last * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, damaged).unwrap();
        let (commits, found) = read(&place, 0);
        let hit = (bit / 8 - TITLE) / frame;
        assert_eq!(commits.len(), hit, "bit {bit}");
        // Of the last frame nobody here can know whether it was acknowledged: the witness does.
        assert_eq!(found.fault.is_some(), hit < 2, "bit {bit}");
    }
}

#[test]
fn files_that_are_none_of_ours_stay() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("notes"), "mine").unwrap();
    fs::write(place.path().join("7"), "mine").unwrap();
    let mut journal = Journal::open(place.path(), STORE, read(&place, 0).1).unwrap();
    journal.append(1, &commit(1, 1)).unwrap();
    journal.remove().unwrap();
    assert_eq!(files(&place), 2);
}

#[test]
fn the_journal_of_another_store_is_none() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(place.path(), STORE, read(&place, 0).1).unwrap();
    journal.append(1, &commit(1, 40)).unwrap();
    let found = Journal::read(place.path(), STORE + 1, 0, &mut |number, _| panic!("commit {number}")).unwrap();
    assert_eq!((found.last, found.fault), (0, None));
    assert_eq!(numbers(&place, 0), [1]);
}
