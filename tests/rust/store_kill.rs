//! A writer killed at any moment loses nothing it was told is written (rules J1 and J3).

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use live_crew::store::{Frame, Retention, SqliteStore, Store, StreamSummary};

use crate::store_fixture::{
    Journal, OnDisk, append, at_once, frame, id, prune, read, second, snapshot, summary,
};

const KILLS: u64 = 200;
const PRUNE_EVERY: u64 = 8;
const PATH: &str = "LIVE_CREW_TEST_JOURNAL";
const SEED: &str = "LIVE_CREW_TEST_SEED";

/// Not a test by itself: the process that [`a_killed_writer_loses_nothing`] starts and kills.
#[test]
#[allow(clippy::print_stdout, reason = "how it tells its parent what was acknowledged")]
fn the_writer_to_be_killed() {
    let Ok(path) = env::var(PATH) else { return };
    let mut store = SqliteStore::open(path).unwrap();
    let streams = at_once(store.streams()).unwrap();
    let last = streams.first().map_or(0, |summary| summary.last_seq);
    for n in last + 1..last + 10_000 {
        append(&mut store, vec![numbered("a", n), numbered("b", n)]);
        if n % PRUNE_EVERY == 0 {
            at_once(store.write_snapshot(&id("b"), snapshot(n, 1))).unwrap();
            prune(&mut store, "b", Retention { max_age: None, max_bytes: Some(0) }, 0);
        }
        println!("\nwritten {n}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the seed, to run a failure again")]
fn a_killed_writer_loses_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut seed =
        env::var(SEED).map_or_else(|_| now.subsec_nanos().into(), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let journal = OnDisk::default();
    let mut last = 0;
    for kill in 0..KILLS {
        let told = run_and_kill(&journal.path(), random(&mut seed) % 40);
        let mut store = journal.open();
        if at_once(store.streams()).unwrap().is_empty() {
            assert_eq!((told, last), (None, 0), "kill {kill}: all is lost");
            continue;
        }
        let kept = summary(&mut store, "a").last_seq;
        // One append may have been made and not been told.
        let told_last = told.unwrap_or(last);
        assert!((told_last..=told_last + 1).contains(&kept), "kill {kill}: {kept}, told {told:?}");
        let StreamSummary { first_seq, last_seq, .. } = summary(&mut store, "b");
        assert_eq!(last_seq, kept, "kill {kill}: half an append");
        if let Some(told) = told.filter(|told| told % PRUNE_EVERY == 0) {
            assert_eq!(first_seq, told + 1, "kill {kill}: a prune did not last");
        }
        for (stream, first) in [("a", 1), ("b", first_seq)] {
            let found = read(&mut store, stream).into_iter().map(|frame| (frame.seq, frame.body));
            let written = (first..=kept).map(|n| (n, numbered(stream, n).body));
            assert!(found.eq(written), "kill {kill}: `{stream}` is not what was written");
        }
        last = kept;
    }
    assert!(last > KILLS, "the writers hardly wrote");
}

/// Starts a writer, kills it after `lines` acknowledgements, returns the last it gave.
fn run_and_kill(path: &Path, lines: u64) -> Option<u64> {
    let mut writer = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store_kill::the_writer_to_be_killed", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(writer.stdout.take().unwrap()).split(b'\n');
    let mut acknowledgements = output.by_ref().filter_map(|line| {
        String::from_utf8(line.unwrap()).unwrap().strip_prefix("written ")?.parse().ok()
    });
    let before = (0..lines).map_while(|_| acknowledgements.next()).last();
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What it still said before it died counts; a line that was cut short does not come through.
    acknowledgements.last().or(before)
}

fn numbered(stream: &str, n: u64) -> Frame {
    let body = Bytes::from(format!(
        "frame {n} of {stream}, {}",
        "x".repeat(usize::from(n.to_le_bytes()[0]) * 4)
    ));
    Frame { body, at: second(0), ..frame(stream, 1) }
}

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}
