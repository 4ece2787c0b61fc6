//! What is read back is what was written, or an error (§13 Tamper).

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
};

use bytes::Bytes;
use live_crew::store::{Frame, MemoryStore, Retention, SqliteStore, Store, StoreError};
use proptest::{prelude::*, sample::Index};
use rusqlite::Connection;

use crate::store_fixture::{
    InMemory, Journal, OnDisk, append, at_once, bodies, everything, fill, frame, id, mark, prune,
    snapshot,
};

/// A small sealed journal with all there can be in one, and what it answers.
fn sealed() -> (OnDisk, Vec<String>) {
    let journal = OnDisk::default();
    let mut store = journal.open();
    fill_a_bit_of_everything(&mut store);
    let answers = everything(&mut store).unwrap();
    at_once(store.close()).unwrap();
    (journal, answers)
}

/// The same with pages as small as they get: fewer bytes to try, and trees of some depth.
fn sealed_in_small_pages() -> (OnDisk, Vec<String>) {
    let (journal, answers) = sealed();
    let tool = Connection::open(journal.path()).unwrap();
    let shrink = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;
                  PRAGMA journal_mode = WAL;";
    tool.execute_batch(shrink).unwrap();
    tool.close().unwrap();
    (journal, answers)
}

fn fill_a_bit_of_everything(store: &mut impl Store) {
    fill(store, "goals", 6);
    append(store, vec![frame("cards", 1), frame("goals", 7), frame("cards", 2)]);
    let big = Frame { body: Bytes::from(vec![b'x'; 1_200]), ..frame("video", 1) };
    append(store, vec![big, Frame { marks: vec![], ..frame("video", 2) }]);
    append(store, vec![Frame { marks: vec![mark(3), mark(4)], ..frame("video", 3) }]);
    for after in [2, 4, 7] {
        at_once(store.write_snapshot(&id("goals"), snapshot(after, 2 * after.cast_signed())))
            .unwrap();
    }
    at_once(store.write_snapshot(&id("video"), snapshot(1, 1))).unwrap();
    let keep = Retention { max_age: None, max_bytes: Some(900) };
    assert_eq!(prune(store, "goals", keep, 0).frames, 2);
}

fn read_file(journal: &OnDisk) -> Result<Vec<String>, StoreError> {
    everything(&mut SqliteStore::open_readonly(journal.path())?)
}

fn writable(journal: &OnDisk) -> File {
    OpenOptions::new().write(true).open(journal.path()).unwrap()
}

#[test]
fn a_flipped_byte_of_a_sealed_file_is_an_error_or_changes_no_answer() {
    let (journal, answers) = sealed_in_small_pages();
    assert_eq!(read_file(&journal).unwrap(), answers);
    let file = writable(&journal);
    let bytes = fs::read(journal.path()).unwrap();
    let mut errors = 0;
    for (offset, byte) in (0..).zip(&bytes) {
        file.write_all_at(&[byte ^ 0xff], offset).unwrap();
        match read_file(&journal) {
            Ok(found) => assert_eq!(found, answers, "byte {offset} of {}", bytes.len()),
            Err(_) => errors += 1,
        }
        file.write_all_at(&[*byte], offset).unwrap();
    }
    assert_eq!(read_file(&journal).unwrap(), answers);
    assert!(errors > bytes.len() / 3, "only {errors} of {} flips were errors", bytes.len());
}

#[test]
fn a_file_cut_short_at_any_length_is_an_error_or_changes_no_answer() {
    let (journal, answers) = sealed_in_small_pages();
    let file = writable(&journal);
    let length = fs::metadata(journal.path()).unwrap().len();
    for length in (0..length).rev() {
        file.set_len(length).unwrap();
        if let Ok(found) = read_file(&journal) {
            assert_eq!(found, answers, "cut to {length}");
        }
    }
    let empty = SqliteStore::open(journal.path());
    assert!(matches!(empty, Err(StoreError::NotAJournal { .. })), "an empty file is no new one");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn a_writer_too_sees_flipped_bits(bits in prop::collection::vec(any::<Index>(), 1..4)) {
        let (journal, answers) = sealed();
        let mut bytes = fs::read(journal.path()).unwrap();
        for bit in bits {
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(journal.path(), bytes).unwrap();
        let opened = SqliteStore::open(journal.path());
        if let Ok(found) = opened.and_then(|mut store| everything(&mut store)) {
            prop_assert_eq!(found, answers);
        }
    }
}

/// What someone with a database tool could do to a sealed journal.
#[test]
fn rows_removed_swapped_or_moved_to_another_stream_are_found() {
    let last = "(SELECT max(key) FROM frames)";
    for change in [
        "DELETE FROM frames WHERE key = (1 << 40) + 5",
        &format!("DELETE FROM frames WHERE key = {last}"),
        "DELETE FROM frames",
        "DELETE FROM streams WHERE name = 'cards'",
        "DELETE FROM snapshots WHERE key = (1 << 40) + 7",
        "DELETE FROM snapshots WHERE key = (1 << 40) + 4",
        "UPDATE frames SET key = key + 1 WHERE key = (1 << 40) + 7",
        "UPDATE frames SET body = (SELECT body FROM frames WHERE key = (2 << 40) + 1)
         WHERE key = (1 << 40) + 5",
        "UPDATE frames SET (link, at, records, marks, body) =
         (SELECT link, at, records, marks, body FROM frames WHERE key = (2 << 40) + 1)
         WHERE key = (1 << 40) + 5",
        "UPDATE frames SET at = at + 1 WHERE key = (3 << 40) + 2",
        "UPDATE frames SET records = records + 1 WHERE key = (3 << 40) + 2",
        "UPDATE frames SET marks = x'' WHERE key = (3 << 40) + 3",
        "UPDATE snapshots SET slice = slice + 1 WHERE key = (1 << 40) + 4",
        "UPDATE snapshots SET body = x'00'",
        "UPDATE streams SET number = 2 WHERE name = 'goals'",
        "UPDATE streams SET head = (SELECT head FROM streams WHERE name = 'cards')",
    ] {
        let (journal, _) = sealed();
        let tool = Connection::open(journal.path()).unwrap();
        assert!(tool.execute(change, []).unwrap() > 0, "{change}");
        drop(tool);
        let found = read_file(&journal);
        assert!(matches!(found, Err(StoreError::Corrupt { .. })), "{change}: {found:?}");
    }
}

#[test]
fn a_journal_of_a_newer_format_is_refused_and_another_file_is_none() {
    let (journal, _) = sealed();
    let set = |pragma| {
        Connection::open(journal.path()).unwrap().execute_batch(pragma).unwrap();
    };
    set("PRAGMA user_version = 2");
    for opened in [SqliteStore::open(journal.path()), SqliteStore::open_readonly(journal.path())] {
        let newer = matches!(opened, Err(StoreError::NewerFormat { found: 2, known: 1, .. }));
        assert!(newer, "{opened:?}");
    }
    set("PRAGMA user_version = 1; PRAGMA application_id = 7");
    let other = SqliteStore::open(journal.path());
    assert!(matches!(other, Err(StoreError::NotAJournal { .. })), "{other:?}");
    fs::write(journal.path(), "kind,player\ngoal,Kane\n".repeat(100)).unwrap();
    for opened in [SqliteStore::open(journal.path()), SqliteStore::open_readonly(journal.path())] {
        assert!(matches!(opened, Err(StoreError::NotAJournal { .. })), "{opened:?}");
    }
}

#[test]
fn what_a_crash_left_of_a_new_journal_is_no_journal_and_in_nobodys_way() {
    let journal = OnDisk::default();
    fs::create_dir_all(journal.path().parent().unwrap()).unwrap();
    for ending in ["new", "new-wal", "new-shm"] {
        fs::write(journal.path().with_extension(format!("db.{ending}")), b"half of it").unwrap();
    }
    let mut store = journal.open();
    fill(&mut store, "a", 1);
}

/// The items of a byte log: `[length][check][item][checksum]`.
fn split(mut log: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    while let Some(length) = log.first_chunk() {
        let (item, rest) = log.split_at(8 + u32::from_le_bytes(*length) as usize + 16);
        items.push(item);
        log = rest;
    }
    items
}

#[test]
fn a_byte_log_comes_back_with_every_answer() {
    let mut store = InMemory::default().open();
    fill_a_bit_of_everything(&mut store);
    let (mut again, torn_at) = MemoryStore::from_bytes(&store.export()).unwrap();
    assert_eq!(torn_at, None);
    assert_eq!(everything(&mut again).unwrap(), everything(&mut store).unwrap());
    assert_eq!(again.export(), store.export());
    assert_eq!(append(&mut again, vec![frame("goals", 8)]), [8]);
}

#[test]
fn a_log_torn_in_an_append_has_the_appends_before_and_goes_on() {
    let mut store = MemoryStore::new();
    append(&mut store, vec![frame("a", 1), frame("b", 1)]);
    let whole = store.export().len();
    append(&mut store, vec![frame("a", 2), frame("b", 2)]);
    let log = store.export();
    for cut in whole..log.len() {
        let (mut torn, torn_at) = MemoryStore::from_bytes(&log[..cut]).unwrap();
        assert_eq!(torn_at, (cut > whole).then_some(whole));
        assert_eq!(bodies(&mut torn, "a").len(), 1);
        assert_eq!(append(&mut torn, vec![frame("b", 2), frame("a", 2)]), [2, 2]);
    }
}

proptest! {
    /// Items are whole here, so only the chain can tell.
    #[test]
    fn frames_of_a_log_removed_swapped_or_doubled_are_found(
        names in prop::collection::vec(prop::sample::select(vec!["a", "b"]), 2..8),
        one: Index,
        other: Index,
        change in 0..3,
    ) {
        let mut store = MemoryStore::new();
        for (n, name) in (1..).zip(names) {
            append(&mut store, vec![frame(name, n)]);
        }
        let (log, answers) = (store.export(), everything(&mut store).unwrap());
        let mut items = split(&log);
        let (one, other) = (one.index(items.len()), other.index(items.len()));
        match change {
            0 => drop(items.remove(one)),
            1 => items.swap(one, other),
            _ => items.insert(other, items[one]),
        }
        match MemoryStore::from_bytes(&items.concat()) {
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
            // A log without the last frame of a stream is what it was before that frame.
            Ok((mut found, _)) if change == 0 => {
                let found = everything(&mut found).unwrap();
                prop_assert!(found.len() < answers.len());
            }
            Ok((mut found, _)) => prop_assert_eq!(everything(&mut found).unwrap(), answers),
        }
    }
}
