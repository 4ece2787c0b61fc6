//! What every store does: one list of cases, each run on each store.

use bytes::Bytes;
use live_crew::{
    engine::{Slice, Span},
    store::{
        Frame, MemoryStore, Pick, Pruned, Retention, Snapshot, SqliteStore, Store, StoreError,
        StreamSummary,
    },
};

use crate::store_fixture::{
    InMemory, Journal, OnDisk, append, at_once, bodies, fill, frame, id, mark, nth, prune, read,
    snapshot, summary,
};

macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod memory { $( #[test] fn $case() { super::$case(&super::InMemory::default()); } )* }
        mod sqlite { $( #[test] fn $case() { super::$case(&super::OnDisk::default()); } )* }
        #[cfg(feature = "nats")]
        mod jetstream {
            use crate::store_fixture::InJetStream;
            $( #[test] fn $case() { super::$case(&InJetStream::default()); } )*
        }
    };
}

contract![
    an_empty_journal_answers_with_nothing,
    frames_come_back_in_order_and_whole,
    an_append_takes_all_frames_or_none,
    a_page_ends_with_the_frame_that_fills_it,
    a_thousand_streams_are_kept_apart_and_listed_by_name,
    a_snapshot_is_found_at_or_before_a_slice,
    a_snapshot_that_no_frame_leads_to_is_refused,
    a_prune_never_removes_what_recovery_needs,
    ordinals_and_numbers_go_on_after_a_prune,
    a_prune_by_age_goes_by_the_frame_at_the_snapshot,
    a_stream_pruned_to_its_last_frame_goes_on,
    what_was_written_is_there_when_opened_again,
    a_big_frame_comes_back,
    a_frame_too_big_is_refused_and_nothing_is_written,
];

fn an_empty_journal_answers_with_nothing(journal: &impl Journal) {
    let mut store = journal.open();
    assert_eq!(at_once(store.streams()).unwrap(), []);
    assert_eq!(read(&mut store, "a"), []);
    assert_eq!(append(&mut store, vec![]), [0; 0]);
    assert_eq!(at_once(store.snapshot(&id("a"), Pick::Latest)).unwrap(), None);
    assert_eq!(at_once(store.mark(&id("a"), 0)).unwrap(), None);
    let keep = Retention { max_age: Some(Span::ZERO), max_bytes: Some(0) };
    assert_eq!(prune(&mut store, "a", keep, 9), Pruned::default());
    at_once(store.close()).unwrap();
}

fn frames_come_back_in_order_and_whole(journal: &impl Journal) {
    let mut store = journal.open();
    let frames = [frame("a", 1), frame("b", 1), frame("a", 2), frame("a", 3)];
    assert_eq!(append(&mut store, frames[..3].to_vec()), [1, 1, 2]);
    assert_eq!(append(&mut store, frames[3..].to_vec()), [3]);

    let written = [&frames[0], &frames[2], &frames[3]];
    let found = read(&mut store, "a");
    assert_eq!(found.len(), 3);
    for ((found, written), seq) in found.iter().zip(written).zip(1..) {
        assert_eq!((found.seq, found.at, found.records), (seq, written.at, written.records));
        assert_eq!(found.body, written.body);
        let nth = at_once(store.mark(&id("a"), seq - 1)).unwrap();
        assert_eq!(nth, Some((seq, written.marks[0])));
    }
    assert_eq!(at_once(store.mark(&id("a"), 3)).unwrap(), None);
    let mut marks = |from, at_most| at_once(store.marks(&id("a"), from, at_most)).unwrap();
    let nth: [_; 3] = std::array::from_fn(|nth| (nth as u64 + 1, written[nth].marks[0]));
    assert_eq!(
        [(0, 9), (0, 2), (1, 1), (2, 9), (3, 9)].map(|(from, most)| marks(from, most)),
        [&nth[..], &nth[..2], &nth[1..2], &nth[2..], &[]]
    );
    assert_eq!(
        summary(&mut store, "a"),
        StreamSummary {
            stream: id("a"),
            frames: 3,
            first_seq: 1,
            last_seq: 3,
            first_commit: 0,
            commits: 3,
            last_slice: Some(Slice(3)),
            bytes: 3 * (64 + 40 + "a does thing 1".len() as u64),
            sealed: false,
        }
    );
}

fn an_append_takes_all_frames_or_none(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 1);
    let body = Bytes::from(vec![0; live_crew::store::MAX_BODY_BYTES + 1]);
    let too_big = Frame { body, ..frame("b", 1) };
    let refused = at_once(store.append(vec![frame("a", 2), frame("c", 1), too_big]));
    assert!(matches!(refused, Err(StoreError::TooLarge { stream, .. }) if stream == id("b")));
    assert_eq!(at_once(store.streams()).unwrap().len(), 1);
    assert_eq!(append(&mut store, vec![frame("a", 2)]), [2]);
}

fn a_page_ends_with_the_frame_that_fills_it(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 10);
    let mut page = |after, max_bytes| -> Vec<u64> {
        let page = at_once(store.read(&id("a"), after, max_bytes)).unwrap();
        page.iter().map(|frame| frame.seq).collect()
    };
    let one = 64 + 40 + "a does thing 1".len();
    assert_eq!(page(0, 0), [1], "never an empty page before the end");
    assert_eq!(page(0, 2 * one), [1, 2]);
    assert_eq!(page(0, 2 * one + 1), [1, 2, 3]);
    assert_eq!(page(7, usize::MAX), [8, 9, 10]);
    assert_eq!(page(10, usize::MAX), [0; 0]);
    assert_eq!(page(u64::MAX, usize::MAX), [0; 0]);
}

fn a_thousand_streams_are_kept_apart_and_listed_by_name(journal: &impl Journal) {
    let mut store = journal.open();
    let name = |n: usize| format!("match-{n:04}");
    for n in 1..=3 {
        append(&mut store, (0..1_000).rev().map(|stream| frame(&name(stream), n)).collect());
    }
    let streams = at_once(store.streams()).unwrap();
    assert_eq!(streams.len(), 1_000);
    for (n, summary) in streams.iter().enumerate() {
        assert_eq!((summary.stream.as_str(), summary.frames), (&*name(n), 3));
    }
    assert_eq!(bodies(&mut store, "match-0567")[2], "match-0567 does thing 3");
}

fn a_snapshot_is_found_at_or_before_a_slice(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 9);
    for after in [3, 9, 6] {
        let written = snapshot(after, 10 * i64::try_from(after).unwrap());
        at_once(store.write_snapshot(&id("a"), written)).unwrap();
    }
    let mut found = |slice: Option<i64>| {
        let found =
            at_once(store.snapshot(
                &id("a"),
                slice.map_or(Pick::Latest, |slice| Pick::NotBeyond(Slice(slice))),
            ))
            .unwrap();
        found.map(|snapshot| snapshot.after)
    };
    assert_eq!(found(None), Some(9));
    assert_eq!(found(Some(90)), Some(9));
    assert_eq!(found(Some(89)), Some(6));
    assert_eq!(found(Some(30)), Some(3));
    assert_eq!(found(Some(29)), None);

    let again = Snapshot { body: Bytes::from_static(b"again"), ..snapshot(6, 60) };
    let before = summary(&mut store, "a").bytes;
    at_once(store.write_snapshot(&id("a"), again.clone())).unwrap();
    assert_eq!(at_once(store.snapshot(&id("a"), Pick::NotBeyond(Slice(60)))).unwrap(), Some(again));
    let shorter = ("state after 6".len() - "again".len()) as u64;
    assert_eq!(summary(&mut store, "a").bytes, before - shorter, "it replaced the other");
}

fn a_snapshot_that_no_frame_leads_to_is_refused(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 6);
    let mut refused = |stream, after| {
        let written = at_once(store.write_snapshot(&id(stream), snapshot(after, 1)));
        matches!(written, Err(StoreError::Misplaced { .. }))
    };
    assert!(refused("a", 0), "before the first frame");
    assert!(refused("a", 7), "ahead of the last frame");
    assert!(refused("b", 1), "of a stream without frames");
    assert!(!refused("a", 4));
    let keep = Retention { max_bytes: Some(0), max_age: None };
    prune(&mut store, "a", keep, 0);
    let mut refused = |after| at_once(store.write_snapshot(&id("a"), snapshot(after, 1))).is_err();
    assert!(refused(3), "after a frame that was pruned");
    assert!(!refused(4), "where the kept frames begin");
}

fn a_prune_never_removes_what_recovery_needs(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 9);
    let nothing = Retention { max_age: Some(Span::ZERO), max_bytes: Some(0) };
    assert_eq!(
        prune(&mut store, "a", nothing, 99),
        Pruned::default(),
        "no snapshot to recover from"
    );

    for after in [3, 6] {
        at_once(store.write_snapshot(&id("a"), snapshot(after, 1))).unwrap();
    }
    let before = summary(&mut store, "a").bytes;
    let pruned = prune(&mut store, "a", nothing, 99);
    assert_eq!((pruned.frames, pruned.snapshots), (6, 1));
    let after = summary(&mut store, "a");
    assert_eq!(after.bytes, before - pruned.bytes);
    assert_eq!((after.frames, after.first_seq, after.last_seq), (3, 7, 9));

    let start = at_once(store.snapshot(&id("a"), Pick::Latest)).unwrap().unwrap();
    assert_eq!(start, snapshot(6, 1));
    let tail = at_once(store.read(&id("a"), start.after, usize::MAX)).unwrap();
    assert_eq!(tail.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(at_once(store.read(&id("a"), 2, usize::MAX)).unwrap(), tail, "pruned is skipped");
    assert_eq!(prune(&mut store, "a", nothing, 99), Pruned::default(), "there is no more to prune");
}

fn ordinals_and_numbers_go_on_after_a_prune(journal: &impl Journal) {
    let mut store = journal.open();
    let two = Frame { marks: vec![mark(10), mark(11)], ..frame("a", 1) };
    let none = Frame { marks: vec![], ..frame("a", 2) };
    append(&mut store, vec![two, none, frame("a", 3), frame("a", 4)]);
    at_once(store.write_snapshot(&id("a"), snapshot(2, 11))).unwrap();
    assert_eq!(nth(&mut store, "a", 1), Some((1, mark(11))));

    let keep = Retention { max_age: None, max_bytes: Some(0) };
    prune(&mut store, "a", keep, 9);
    assert_eq!(append(&mut store, vec![frame("a", 5)]), [5]);
    let found: Vec<_> = (0..6).map(|n| nth(&mut store, "a", n)).collect();
    let kept = [Some((3, mark(3))), Some((4, mark(4))), Some((5, mark(5)))];
    assert_eq!(found, [&[None, None], &kept[..], &[None]].concat());
    let StreamSummary { first_commit, commits, .. } = summary(&mut store, "a");
    assert_eq!((first_commit, commits), (2, 3));
}

fn a_prune_by_age_goes_by_the_frame_at_the_snapshot(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 9);
    for after in [2, 4, 8] {
        at_once(store.write_snapshot(&id("a"), snapshot(after, 1))).unwrap();
    }
    let keep = Retention { max_age: Some(Span::from_secs(5)), max_bytes: None };
    let mut kept_from = |now| {
        prune(&mut store, "a", keep, now);
        summary(&mut store, "a").first_seq
    };
    assert_eq!(kept_from(7), 1, "frame 2 is just 5 seconds old");
    assert_eq!(kept_from(8), 3);
    assert_eq!(kept_from(13), 5, "frame 8 is just 5 seconds old");
    assert_eq!(kept_from(14), 9);
    assert_eq!(kept_from(1_000_000), 9, "recovery needs the tail");
}

fn a_stream_pruned_to_its_last_frame_goes_on(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 4);
    at_once(store.write_snapshot(&id("a"), snapshot(4, 4))).unwrap();
    let keep = Retention { max_age: None, max_bytes: Some(0) };
    prune(&mut store, "a", keep, 9);
    at_once(store.close()).unwrap();

    let mut store = journal.open();
    assert_eq!(read(&mut store, "a"), []);
    let StreamSummary { frames, first_seq, last_seq, last_slice, .. } = summary(&mut store, "a");
    assert_eq!((frames, first_seq, last_seq, last_slice), (0, 5, 4, Some(Slice(4))));
    assert_eq!(append(&mut store, vec![frame("a", 5)]), [5]);
    assert_eq!(bodies(&mut store, "a"), ["a does thing 5"]);
}

fn what_was_written_is_there_when_opened_again(journal: &impl Journal) {
    for session in 0..4 {
        let mut store = journal.open();
        append(&mut store, vec![frame("a", 2 * session + 1), frame("b", session + 1)]);
        append(&mut store, vec![frame("a", 2 * session + 2)]);
        at_once(store.write_snapshot(&id("a"), snapshot(1, session))).unwrap();
        if session % 2 == 0 {
            at_once(store.close()).unwrap();
        }
    }
    let mut store = journal.open();
    let expected: Vec<_> = (1..=8).map(|n| frame("a", n).body).collect();
    assert_eq!(bodies(&mut store, "a"), expected);
    assert_eq!(bodies(&mut store, "b").len(), 4);
    let latest = at_once(store.snapshot(&id("a"), Pick::Latest)).unwrap();
    assert_eq!(latest, Some(snapshot(1, 3)));
}

fn a_big_frame_comes_back(journal: &impl Journal) {
    let mut store = journal.open();
    let body: Bytes = (0..8_u32 << 20).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    append(&mut store, vec![Frame { body: body.clone(), ..frame("a", 1) }, frame("a", 2)]);
    assert_eq!(bodies(&mut store, "a"), [body, frame("a", 2).body]);
}

fn a_frame_too_big_is_refused_and_nothing_is_written(journal: &impl Journal) {
    let mut store = journal.open();
    fill(&mut store, "a", 1);
    let body = Bytes::from(vec![0; live_crew::store::MAX_BODY_BYTES + 1]);
    let too_big = Snapshot { body, ..snapshot(1, 1) };
    let refused = at_once(store.write_snapshot(&id("a"), too_big));
    assert!(matches!(refused, Err(StoreError::TooLarge { what: "snapshot", .. })));
    assert_eq!(at_once(store.snapshot(&id("a"), Pick::Latest)).unwrap(), None);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let journal = OnDisk::default();
    let first = journal.open();
    let error = SqliteStore::open(journal.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("journal.db"), "{error}");
    drop(first);
    let second = journal.open();
    at_once(second.close()).unwrap();
    journal.open();
}

#[test]
fn a_reader_sees_what_is_written_while_the_writer_is_open() {
    let journal = OnDisk::default();
    let missing = SqliteStore::open_readonly(journal.path());
    assert!(matches!(missing, Err(StoreError::Missing { .. })));

    let mut writer = journal.open();
    fill(&mut writer, "a", 1);
    let mut reader = SqliteStore::open_readonly(journal.path()).unwrap();
    assert_eq!(bodies(&mut reader, "a"), ["a does thing 1"]);
    append(&mut writer, vec![frame("a", 2), frame("b", 1)]);
    assert_eq!(bodies(&mut reader, "a").len(), 2);
    assert_eq!(bodies(&mut reader, "b").len(), 1);
    assert!(!summary(&mut reader, "a").sealed);

    let refused = at_once(reader.append(vec![frame("a", 3)]));
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
    at_once(reader.close()).unwrap();
    at_once(writer.close()).unwrap();
}

#[test]
fn a_closed_journal_is_one_sealed_file_until_it_is_opened_for_writing() {
    let journal = OnDisk::default();
    let mut store = journal.open();
    fill(&mut store, "a", 3);
    at_once(store.close()).unwrap();
    let files = || std::fs::read_dir(journal.path().parent().unwrap()).unwrap();
    let mut names: Vec<_> = files().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.db", "journal.db.lock"]);

    let sealed = |path| summary(&mut SqliteStore::open_readonly(path).unwrap(), "a").sealed;
    assert!(sealed(journal.path()));
    drop(journal.open());
    assert!(!sealed(journal.path()));
}

#[test]
fn a_full_memory_store_says_so_and_goes_on_once_there_is_room() {
    let mut store = MemoryStore::with_max_bytes(1_000);
    fill(&mut store, "a", 8);
    let full = at_once(store.append(vec![frame("b", 1), frame("a", 9)]));
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    assert_eq!(summary(&mut store, "a").last_seq, 8);
    assert_eq!(at_once(store.streams()).unwrap().len(), 1, "all or nothing");

    let mut small = snapshot(8, 8);
    small.body = Bytes::new();
    assert!(at_once(store.write_snapshot(&id("a"), small.clone())).is_err());
    let mut store = MemoryStore::with_max_bytes(1_200);
    fill(&mut store, "a", 9);
    at_once(store.write_snapshot(&id("a"), Snapshot { after: 9, ..small })).unwrap();
    assert!(at_once(store.append(vec![frame("a", 10)])).is_err());
    let keep = Retention { max_age: None, max_bytes: Some(500) };
    prune(&mut store, "a", keep, 9);
    assert_eq!(append(&mut store, vec![frame("a", 10)]), [10]);
}
