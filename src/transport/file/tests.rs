use std::{
    collections::VecDeque,
    future::Future,
    io::Write,
    pin::{Pin, pin},
    task,
};

use tempfile::NamedTempFile;

use super::*;
use crate::transport::DeadLetter;

const GOOD: &str = r#"{"ts":"2026-01-01T00:00:00Z","kind":"goal","stream_id":"m1","payload":1}"#;

/// Gives one piece per read.
struct Pieces(VecDeque<io::Result<Vec<u8>>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.pop_front().unwrap_or(Ok(Vec::new()))?;
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// A reader of which no end is known.
fn pieces(pieces: impl IntoIterator<Item = io::Result<String>>) -> FileSource {
    let pieces = pieces.into_iter().map(|piece| piece.map(String::into_bytes)).collect();
    FileSource::from_reader("test", Pieces(pieces), &Limits::default()).unwrap()
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

async fn rest(source: &mut FileSource) -> Vec<Delivery> {
    let mut all = Vec::new();
    loop {
        let deliveries = source.next(3).await.unwrap();
        assert!(deliveries.len() <= 3);
        if deliveries.is_empty() {
            return all;
        }
        all.extend(deliveries);
    }
}

async fn events(source: &mut FileSource) -> usize {
    let is_event = |delivery: &Delivery| matches!(delivery, Delivery::Event { .. });
    rest(source).await.iter().filter(|delivery| is_event(delivery)).count()
}

fn poll<F: Future>(future: Pin<&mut F>) -> task::Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(task::Waker::noop()))
}

#[tokio::test]
async fn lines_and_arrays_give_the_same_events() {
    let lines = file(&format!("{GOOD}\n{GOOD}\n"));
    let array = file(&format!("[{GOOD},\n{GOOD}]"));
    for file in [lines, array] {
        let mut source = FileSource::open(file.path(), &Limits::default()).unwrap();
        let deliveries = rest(&mut source).await;
        assert_eq!(deliveries.len(), 2);
        for delivery in deliveries {
            let Delivery::Event { stream, event, .. } = delivery else { panic!("{delivery:?}") };
            assert_eq!((stream.as_str(), event.kind.as_str()), ("m1", "goal"));
            assert_eq!(event.payload.as_bytes(), b"1");
        }
        assert_eq!(source.next(3).await.unwrap(), [], "the end stays the end");
    }
}

#[tokio::test]
async fn a_file_of_many_chunks_gives_every_event_once() {
    let file = file(&format!("{GOOD}\n").repeat(5_000));
    let mut source = FileSource::open(file.path(), &Limits::default()).unwrap();
    let deliveries = rest(&mut source).await;
    assert_eq!(deliveries.len(), 5_000);
    let length = GOOD.len() as u64 + 1;
    for (line, delivery) in (1..).zip(&deliveries) {
        assert_eq!(delivery.cursor(), Cursor(line * length));
    }
}

#[tokio::test]
async fn a_source_resumes_after_any_delivery_and_keeps_its_line_numbers() {
    for text in [format!("{GOOD}\n\nnope\n{GOOD}\nnope"), format!("[{GOOD}\n,,nope,\n{GOOD}")] {
        let file = file(&text);
        let open = || FileSource::open(file.path(), &Limits::default()).unwrap();
        let all = rest(&mut open()).await;
        assert!(all.len() >= 4);
        for (taken, delivery) in (1..).zip(&all) {
            let mut source = open();
            source.resume_after(delivery.cursor()).await.unwrap();
            assert_eq!(rest(&mut source).await, all[taken..]);
        }
    }
}

#[tokio::test]
async fn resuming_in_a_file_that_became_shorter_is_an_error() {
    let file = file(&format!("{GOOD}\n"));
    let mut source = FileSource::open(file.path(), &Limits::default()).unwrap();
    source.resume_after(Cursor(1_000)).await.unwrap();
    let error = source.next(3).await.unwrap_err();
    assert!(matches!(error, TransportError::Shrunk { length: 73, cursor: 1_000, .. }), "{error:?}");
}

#[test]
fn what_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.jsonl");
    let error = FileSource::open(&missing, &Limits::default()).unwrap_err().to_string();
    let start = format!("cannot open `{}`: ", missing.display());
    assert!(error.starts_with(&start), "{error}");
    let error = FileSource::open(folder.path(), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}` is a directory; name a file of events in it", folder.path().display())
    );
}

#[tokio::test]
async fn a_read_that_fails_comes_after_the_events_before_it_and_is_not_the_end() {
    let lost = io::Error::new(ErrorKind::TimedOut, "disk is gone");
    let interrupted = io::Error::from(ErrorKind::Interrupted);
    let line = format!("{GOOD}\n");
    let mut source = pieces([Err(interrupted), Ok(line), Ok("{".into()), Err(lost)]);
    assert_eq!(source.next(3).await.unwrap().len(), 1);
    let error = source.next(3).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read on in `test` after byte 74: disk is gone; resume when that is repaired"
    );
    assert!(source.next(3).await.is_err());
}

#[tokio::test]
async fn a_pipe_gives_what_is_there_and_waits_for_more() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut source = FileSource::from_reader("pipe", reader, &Limits::default()).unwrap();
    assert!(poll(pin!(source.next(3))).is_pending(), "and the dropped future loses nothing");
    writer.write_all(format!("{GOOD}\n{}", &GOOD[..9]).as_bytes()).unwrap();
    assert_eq!(source.next(3).await.unwrap().len(), 1);
    assert!(poll(pin!(source.next(3))).is_pending());
    writer.write_all(&GOOD.as_bytes()[9..]).unwrap();
    drop(writer);
    assert_eq!(events(&mut source).await, 1);
}

#[test]
fn a_dropped_source_stops_reading() {
    struct Endless {
        _alive: std::sync::mpsc::Sender<()>,
    }
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'\n');
            Ok(buffer.len())
        }
    }
    let (alive, ended) = std::sync::mpsc::channel();
    drop(
        FileSource::from_reader("endless", Endless { _alive: alive }, &Limits::default()).unwrap(),
    );
    assert_eq!(ended.recv(), Err(std::sync::mpsc::RecvError), "the thread dropped its reader");
}

#[tokio::test]
async fn endless_zeros_are_refused_once_and_can_be_left() {
    let mut source =
        FileSource::from_reader("/dev/zero", io::repeat(0), &Limits::default()).unwrap();
    let deliveries = source.next(3).await.unwrap();
    let [Delivery::Refused(DeadLetter { place, reason, truncated, .. })] = &deliveries[..] else {
        panic!("{deliveries:?}")
    };
    assert_eq!(place.map(|place| (place.line, place.column)), Some((1, 1)));
    assert!(reason.starts_with("longer than `event_bytes` = 2097152 bytes"), "{reason}");
    assert!(truncated);
    // It never ends, but it makes way for others.
    tokio::select! {
        biased;
        deliveries = source.next(3) => panic!("{deliveries:?}"),
        () = tokio::task::yield_now() => {}
    }
}

#[tokio::test]
async fn an_empty_file_has_no_events() {
    for text in ["", "\n", "[]", "\u{feff}"] {
        let file = file(text);
        let mut source = FileSource::open(file.path(), &Limits::default()).unwrap();
        assert_eq!(events(&mut source).await, 0);
    }
}
