//! Contexts are saved beside a run, and a place that is away holds nobody up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use live_crew::{
    context::{ContextError, ContextStore, Kept, MemoryContext, Notice, Projection, Teller},
    engine::{Slice, StreamId},
};
use tokio::time::Instant;

use crate::context_contract::{id, kept};

/// A place that can be away, and counts.
#[derive(Debug, Clone, Default)]
struct Shaky(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    away: bool,
    saves: Vec<usize>,
    attempts: Vec<Instant>,
    there: MemoryContext,
}

impl Shaky {
    fn go(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    /// As a server that kept nothing on disk.
    fn lose_all(&self) {
        self.0.lock().unwrap().there = MemoryContext::default();
    }

    async fn slice_of(&self, stream: &str) -> Option<i64> {
        let mut there = self.0.lock().unwrap().there.clone();
        there.load(&id(stream)).await.unwrap().map(|kept| kept.slice.0)
    }
}

impl ContextStore for Shaky {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        let mut there = {
            let mut inner = self.0.lock().unwrap();
            inner.attempts.push(Instant::now());
            if inner.away {
                let (place, why) = ("a place".to_owned(), "away".to_owned());
                return Err(ContextError::Unavailable { place, why });
            }
            inner.saves.push(kept.len());
            inner.there.clone()
        };
        there.save(kept).await
    }

    async fn load(&mut self, _: &StreamId) -> Result<Option<Kept>, ContextError> {
        unreachable!("a projection only saves")
    }

    async fn forget(&mut self, _: &StreamId) -> Result<(), ContextError> {
        unreachable!("a projection only saves")
    }
}

type Notices = Arc<Mutex<Vec<Notice>>>;

fn begin(place: &Shaky) -> (Projection, Notices) {
    let notices = Notices::default();
    let heard = Arc::clone(&notices);
    let tell = move |notice| heard.lock().unwrap().push(notice);
    (Projection::begin(place.clone(), 1, tell), notices)
}

fn tell(teller: &Teller, stream: &str, slice: i64) {
    teller.tell(&id(stream), Slice(slice), b"{}").unwrap();
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn commits_that_come_faster_than_saves_are_one_save() {
    let place = Shaky::default();
    let (projection, notices) = begin(&place);
    let teller = projection.teller();
    for slice in 0..1_000 {
        tell(&teller, "a", slice);
        tell(&teller, "b", slice);
    }
    assert_eq!(projection.finish(MINUTE).await, Ok(0));
    assert_eq!(place.0.lock().unwrap().saves, [2]);
    assert_eq!(place.slice_of("a").await, Some(999));
    assert_eq!(*notices.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn many_streams_are_saved_in_several_steps() {
    let place = Shaky::default();
    let (projection, _) = begin(&place);
    for n in 0..1_200 {
        tell(&projection.teller(), &format!("s{n}"), n);
    }
    assert_eq!(projection.finish(MINUTE).await, Ok(0));
    assert_eq!(place.0.lock().unwrap().saves, [500, 500, 200]);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_every_context_is_there_again() {
    let place = Shaky::default();
    let (projection, notices) = begin(&place);
    let teller = projection.teller();
    tell(&teller, "quiet", 1);
    tell(&teller, "busy", 1);
    tokio::time::sleep(MINUTE).await;
    place.go(true);
    for slice in 2..100 {
        tell(&teller, "busy", slice);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    place.lose_all();
    place.go(false);
    assert_eq!(projection.finish(MINUTE).await, Ok(0));
    assert_eq!(place.slice_of("busy").await, Some(99));
    assert_eq!(place.slice_of("quiet").await, Some(1), "the server had lost it");
    let notices = notices.lock().unwrap();
    assert!(
        matches!(notices[..], [Notice::Failing(_), Notice::Back(2)]),
        "one for each outage: {notices:?}"
    );
    let attempts = &place.0.lock().unwrap().attempts;
    assert!((20..40).contains(&attempts.len()), "it waits longer and longer: {}", attempts.len());
}

#[tokio::test(start_paused = true)]
async fn patience_ends_and_what_is_not_saved_is_counted() {
    let place = Shaky::default();
    place.go(true);
    let (projection, _) = begin(&place);
    tell(&projection.teller(), "a", 1);
    tell(&projection.teller(), "b", 1);
    let begun = Instant::now();
    assert_eq!(projection.finish(MINUTE).await, Ok(2));
    assert_eq!(begun.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_finished_has_let_go_of_its_place() {
    let place = Shaky::default();
    let (projection, _) = begin(&place);
    tell(&projection.teller(), "a", 1);
    assert_eq!(projection.finish(MINUTE).await, Ok(0));
    assert_eq!(Arc::strong_count(&place.0), 1, "its file can be moved or deleted now");
}

#[tokio::test(start_paused = true)]
async fn who_is_deposed_is_told_at_the_next_commit() {
    let place = Shaky::default();
    let mut there = place.0.lock().unwrap().there.clone();
    there.save(&[kept("a", 2, 1)]).await.unwrap();
    let (projection, _) = begin(&place);
    let teller = projection.teller();
    tell(&teller, "a", 5);
    tokio::time::sleep(MINUTE).await;
    let told = teller.tell(&id("b"), Slice(1), b"{}");
    assert!(matches!(told, Err(ContextError::Deposed { by: 2, .. })), "{told:?}");
    let ended = projection.finish(MINUTE).await;
    assert!(matches!(ended, Err(ContextError::Deposed { .. })), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_saves_no_more() {
    let place = Shaky::default();
    let (projection, _) = begin(&place);
    let teller = projection.teller();
    drop(projection);
    tell(&teller, "a", 1);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(place.slice_of("a").await, None);
}
