//! What every place for contexts does: one list of cases, each run on each place.

use std::collections::BTreeMap;

use crate::support::rng::Rng;
use bytes::Bytes;
use live_crew::{
    context::{ContextError, ContextStore, Kept, MemoryContext},
    engine::{Slice, StreamId},
};

/// Somewhere contexts are kept while stores come and go.
pub(crate) trait Place {
    type Store: ContextStore;
    fn start() -> Self;
    async fn open(&self) -> Self::Store;
}

struct InMemory(MemoryContext);

impl Place for InMemory {
    type Store = MemoryContext;
    fn start() -> Self {
        Self(MemoryContext::default())
    }
    async fn open(&self) -> MemoryContext {
        self.0.clone()
    }
}

#[cfg(feature = "sqlite")]
struct InFile(tempfile::TempDir);

#[cfg(feature = "sqlite")]
impl Place for InFile {
    type Store = live_crew::context::SqliteContext;
    fn start() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    async fn open(&self) -> Self::Store {
        live_crew::context::SqliteContext::open(self.0.path().join("deeper/journal.context.db"))
            .unwrap()
    }
}

#[cfg(feature = "redis")]
impl Place for crate::servers::RedisServer {
    type Store = live_crew::context::RedisContext;
    fn start() -> Self {
        Self::start()
    }
    async fn open(&self) -> Self::Store {
        live_crew::context::RedisContext::open(&self.url()).await.unwrap()
    }
}

#[cfg(feature = "nats")]
impl Place for crate::servers::NatsServer {
    type Store = live_crew::context::JetStreamContext;
    fn start() -> Self {
        Self::start()
    }
    async fn open(&self) -> Self::Store {
        let nats = crate::context_jetstream::connect(self).await;
        live_crew::context::JetStreamContext::open(nats, 1).await.unwrap()
    }
}

/// The same without batches, as before 2.12.
#[cfg(feature = "nats")]
struct OneByOne(crate::servers::NatsServer);

#[cfg(feature = "nats")]
impl Place for OneByOne {
    type Store = live_crew::context::JetStreamContext;
    fn start() -> Self {
        Self(crate::servers::NatsServer::start())
    }
    async fn open(&self) -> Self::Store {
        self.0.open().await.one_by_one()
    }
}

macro_rules! cases {
    ($($(#[$on:meta])* $name:ident: $place:ty,)*) => { $(
        $(#[$on])*
        mod $name {
            contract!(
                $place;
                nothing_is_kept_at_first,
                what_is_saved_is_loaded_whole,
                a_save_of_nothing_is_fine,
                an_older_or_equal_slice_of_the_same_writer_changes_nothing,
                a_lower_writer_is_refused_and_told_by_whom,
                a_higher_writer_takes_over_at_any_slice,
                a_stream_named_twice_keeps_the_newest,
                a_thousand_streams_are_saved_in_one_call,
                what_another_store_wrote_is_known_before_the_next_save,
                a_forgotten_stream_begins_anew,
                what_was_saved_is_there_when_opened_again,
                anything_two_sessions_do_gives_what_it_gives_in_memory,
            );
        }
    )* };
}

macro_rules! contract {
    ($place:ty; $($case:ident),* $(,)?) => { $(
        #[tokio::test]
        async fn $case() {
            super::$case(&<$place as super::Place>::start()).await;
        }
    )* };
}

cases! {
    memory: super::InMemory,
    #[cfg(feature = "sqlite")] sqlite: super::InFile,
    #[cfg(feature = "redis")] redis: crate::servers::RedisServer,
    #[cfg(feature = "nats")] jetstream: crate::servers::NatsServer,
    #[cfg(feature = "nats")] jetstream_one_by_one: super::OneByOne,
}

/// All or none is not to be had one by one.
macro_rules! together {
    ($($(#[$on:meta])* $name:ident: $place:ty,)*) => {
        mod together { $(
            $(#[$on])*
            #[tokio::test]
            async fn $name() {
                super::one_deposed_stream_and_nothing_is_saved(&<$place as super::Place>::start()).await;
            }
        )* }
    };
}

together! {
    memory: super::InMemory,
    #[cfg(feature = "sqlite")] sqlite: super::InFile,
    #[cfg(feature = "redis")] redis: crate::servers::RedisServer,
    #[cfg(feature = "nats")] jetstream: crate::servers::NatsServer,
}

pub(crate) fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

pub(crate) fn kept(stream: &str, writer: u64, slice: i64) -> Kept {
    let context = Bytes::from(format!(r#"{{"by":{writer},"slice":{slice}}}"#));
    Kept { stream: id(stream), slice: Slice(slice), context, writer }
}

async fn load(store: &mut impl ContextStore, stream: &str) -> Option<Kept> {
    store.load(&id(stream)).await.unwrap()
}

async fn nothing_is_kept_at_first(place: &impl Place) {
    let mut store = place.open().await;
    assert_eq!(load(&mut store, "a").await, None);
    store.forget(&id("a")).await.unwrap();
}

async fn what_is_saved_is_loaded_whole(place: &impl Place) {
    let mut store = place.open().await;
    let text =
        format!(r#"{{"ключ":"wert \"\\ 値","n":[1,-0.5e300,null],"s":"{}"}}"#, "x".repeat(300_000));
    let big =
        Kept { context: Bytes::from(text), writer: u64::MAX >> 1, ..kept("match-1_EU", 1, -7) };
    let empty = Kept { context: Bytes::from_static(b"{}"), ..kept("b", 0, i64::MAX >> 12) };
    store.save(&[big.clone(), empty.clone()]).await.unwrap();
    assert_eq!(load(&mut store, "match-1_EU").await, Some(big));
    assert_eq!(load(&mut store, "b").await, Some(empty));
    assert_eq!(load(&mut store, "c").await, None);
}

async fn a_save_of_nothing_is_fine(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[]).await.unwrap();
}

async fn an_older_or_equal_slice_of_the_same_writer_changes_nothing(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[kept("a", 3, 9)]).await.unwrap();
    let other = Kept { context: Bytes::from_static(b"{\"other\":1}"), ..kept("a", 3, 9) };
    store.save(&[other]).await.unwrap();
    store.save(&[kept("a", 3, 8), kept("b", 3, 1)]).await.unwrap();
    store.save(&[kept("a", 3, -9)]).await.unwrap();
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 3, 9)));
    assert_eq!(load(&mut store, "b").await, Some(kept("b", 3, 1)), "the others are saved");
    store.save(&[kept("a", 3, 10)]).await.unwrap();
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 3, 10)), "10 comes after 9");
}

async fn a_lower_writer_is_refused_and_told_by_whom(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[kept("a", 10, 5)]).await.unwrap();
    let refused = store.save(&[kept("a", 9, 6)]).await.unwrap_err();
    let ContextError::Deposed { stream, writer, by, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!((stream.as_str(), writer, by), ("a", 9, 10));
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 10, 5)));
}

async fn one_deposed_stream_and_nothing_is_saved(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[kept("b", 2, 1)]).await.unwrap();
    let refused = store.save(&[kept("a", 1, 1), kept("b", 1, 2), kept("c", 1, 1)]).await;
    assert!(matches!(refused, Err(ContextError::Deposed { .. })), "{refused:?}");
    assert_eq!(load(&mut store, "a").await, None);
    assert_eq!(load(&mut store, "c").await, None);
}

async fn a_higher_writer_takes_over_at_any_slice(place: &impl Place) {
    let (mut old, mut new) = (place.open().await, place.open().await);
    old.save(&[kept("a", 1, 9)]).await.unwrap();
    new.save(&[kept("a", 2, 3)]).await.unwrap();
    assert_eq!(load(&mut new, "a").await, Some(kept("a", 2, 3)));
    // The old one does not know yet; the place does.
    let refused = old.save(&[kept("a", 1, 10)]).await;
    assert!(matches!(refused, Err(ContextError::Deposed { by: 2, .. })), "{refused:?}");
    assert_eq!(load(&mut old, "a").await, Some(kept("a", 2, 3)));
}

async fn a_stream_named_twice_keeps_the_newest(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[kept("a", 1, 2), kept("a", 1, 3), kept("a", 1, 1)]).await.unwrap();
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 1, 3)));
}

async fn a_thousand_streams_are_saved_in_one_call(place: &impl Place) {
    let mut store = place.open().await;
    let all = |slice| (0..1_000).map(move |n| kept(&format!("match-{n}"), 1, slice));
    for slice in 1..=3 {
        store.save(&all(slice).collect::<Vec<_>>()).await.unwrap();
    }
    let mut other = place.open().await;
    for one in all(3).step_by(97) {
        assert_eq!(load(&mut other, one.stream.as_str()).await, Some(one));
    }
}

async fn what_another_store_wrote_is_known_before_the_next_save(place: &impl Place) {
    let (mut one, mut other) = (place.open().await, place.open().await);
    one.save(&[kept("a", 1, 1), kept("b", 1, 1)]).await.unwrap();
    other.save(&[kept("a", 1, 5)]).await.unwrap();
    one.save(&[kept("a", 1, 3), kept("b", 1, 3)]).await.unwrap();
    assert_eq!(load(&mut one, "a").await, Some(kept("a", 1, 5)), "3 is older");
    assert_eq!(load(&mut one, "b").await, Some(kept("b", 1, 3)));
    one.save(&[kept("a", 1, 6)]).await.unwrap();
    assert_eq!(load(&mut other, "a").await, Some(kept("a", 1, 6)));
}

async fn a_forgotten_stream_begins_anew(place: &impl Place) {
    let mut store = place.open().await;
    store.save(&[kept("a", 7, 7), kept("b", 7, 7)]).await.unwrap();
    store.forget(&id("a")).await.unwrap();
    assert_eq!(load(&mut store, "a").await, None);
    assert_eq!(load(&mut store, "b").await, Some(kept("b", 7, 7)));
    store.save(&[kept("a", 1, 1)]).await.unwrap();
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 1, 1)));
}

async fn what_was_saved_is_there_when_opened_again(place: &impl Place) {
    place.open().await.save(&[kept("a", 1, 4)]).await.unwrap();
    let mut store = place.open().await;
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 1, 4)));
    store.save(&[kept("a", 1, 4), kept("a", 1, 5)]).await.unwrap();
    assert_eq!(load(&mut store, "a").await, Some(kept("a", 1, 5)));
}

/// The model is a map; what is asked of it is drawn by lot.
async fn anything_two_sessions_do_gives_what_it_gives_in_memory(place: &impl Place) {
    let mut rng = Rng::new(0x0c0f_fee5);
    let mut stores = [place.open().await, place.open().await];
    let mut model: BTreeMap<StreamId, (u64, i64)> = BTreeMap::new();
    for _ in 0..150 {
        let store = &mut stores[usize::from(rng.chance(50))];
        let stream = format!("s{}", rng.below(4));
        if rng.below(10) == 0 {
            store.forget(&id(&stream)).await.unwrap();
            model.remove(&id(&stream));
        }
        // One stream a call: all of several or none is another case.
        let (writer, slice) = (rng.below(3), rng.below(6).cast_signed());
        let expected = model.get(&id(&stream)).is_none_or(|&(by, _)| by <= writer);
        let saved = store.save(&[kept(&stream, writer, slice)]).await;
        assert_eq!(saved.is_ok(), expected, "{saved:?}");
        if expected {
            let last = model.entry(id(&stream)).or_insert((writer, slice));
            *last = (*last).max((writer, slice));
        }
        let found = load(store, &stream).await.map(|kept| (kept.writer, kept.slice.0));
        assert_eq!(found, model.get(&id(&stream)).copied());
    }
}
