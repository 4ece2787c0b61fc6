//! The lease of one stream between two processes.

use std::{sync::mpsc, thread, time::Duration};

use live_crew::{
    cluster::{Keeper, KeeperHandle, Role, Told},
    engine::StreamId,
    nats::{Connection, Layout},
    store::{Frame, JetStreamStore, Scope, Store, StoreError},
};
use tokio::{runtime, sync::mpsc::UnboundedReceiver, time::Instant};

use super::{begin, connect, soon};
use crate::{servers::NatsServer, support::build::stream};

const LEASE: Duration = Duration::from_secs(1);

fn match42() -> Scope {
    Scope::Stream(stream("match42"))
}

async fn keep(nats: &Connection, who: &str) -> (KeeperHandle, UnboundedReceiver<Told>) {
    let role = Role::Streams(vec![stream("match42")]);
    let (handle, told) = Keeper::start(nats, &Layout::default(), who, role, LEASE).await.unwrap();
    (handle, told)
}

/// The last message of the lease, and its time to live.
async fn written(nats: &Connection) -> (u64, Option<String>) {
    let bucket = nats.jetstream().get_stream("KV_live_lease").await.unwrap();
    let last =
        bucket.get_last_raw_message_by_subject("$KV.live_lease.stream.match42").await.unwrap();
    (last.sequence, last.headers.get("Nats-TTL").map(ToString::to_string))
}

fn frame(stream: &StreamId) -> Frame {
    let at = live_crew::engine::Timestamp::MIN;
    Frame { stream: stream.clone(), at, records: 1, body: "body".into(), marks: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_has_it_and_the_other_follows_at_once() {
    let (server, nats) = begin().await;
    let (first, mut first_told) = keep(&nats, "first").await;
    assert_eq!(soon("it", first_told.recv()).await, Some(Told::Owned(match42())));
    let (second, mut second_told) = keep(&connect(&server).await, "second").await;
    // Longer than a lease: it is renewed, and stays where it is.
    let (sequence, ttl) = written(&nats).await;
    assert_eq!(ttl.as_deref(), Some("1"));
    soon("renewals", async {
        while written(&nats).await.0 < sequence + 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(second_told.try_recv().is_err() && first_told.try_recv().is_err());
    first.leave();
    assert_eq!(soon("it", first_told.recv()).await, Some(Told::Release(match42())));
    first.released(match42());
    let left = Instant::now();
    assert_eq!(soon("it", second_told.recv()).await, Some(Told::Owned(match42())));
    assert!(left.elapsed() < Duration::from_secs(1), "it took {:?}", left.elapsed());
    first.stop().await;
    // Written again after a removal it still has an end.
    assert_eq!(written(&nats).await.1.as_deref(), Some("1"));
    drop(second);
    let (_third, mut third_told) = keep(&nats, "third").await;
    assert_eq!(soon("it", third_told.recv()).await, Some(Told::Owned(match42())));
}

/// A keeper on a thread of its own, which can be held still as a stopped process is.
fn keep_frozen(server: &NatsServer) -> (mpsc::Sender<()>, mpsc::Sender<()>, mpsc::Receiver<Told>) {
    let (freeze, freezes) = mpsc::channel::<()>();
    let (thaw, thaws) = mpsc::channel::<()>();
    let (tell, tells) = mpsc::channel();
    let url = server.url();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let address = live_crew::nats::Address { servers: vec![url], ..<_>::default() };
            let nats = Connection::open(&address).await.unwrap();
            let (_handle, mut told) = keep(&nats, "frozen").await;
            loop {
                tokio::select! {
                    Some(told) = told.recv() => tell.send(told).unwrap(),
                    () = tokio::time::sleep(Duration::from_millis(5)) => {}
                }
                match freezes.try_recv() {
                    // Blocks this thread, and with it everything the process does.
                    Ok(()) => thaws.recv().unwrap(),
                    Err(mpsc::TryRecvError::Empty) => {}
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
    });
    (freeze, thaw, tells)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_holder_is_deposed_and_can_write_no_more() {
    let (server, nats) = begin().await;
    let (freeze, thaw, frozen_told) = keep_frozen(&server);
    let heard = |what: &str| frozen_told.recv_timeout(super::PATIENCE).expect(what);
    assert_eq!(heard("it"), Told::Owned(match42()));
    let mut old = JetStreamStore::take_over(nats.clone(), match42(), "frozen").await.unwrap();
    let name = stream("match42");
    old.append(vec![frame(&name)]).await.unwrap();

    let (_handle, mut told) = keep(&nats, "other").await;
    freeze.send(()).unwrap();
    let frozen = Instant::now();
    assert_eq!(soon("it", told.recv()).await, Some(Told::Owned(match42())));
    let took = frozen.elapsed();
    assert!(took < LEASE + Duration::from_secs(1), "it took {took:?}");
    let mut new = JetStreamStore::take_over(nats.clone(), match42(), "other").await.unwrap();
    assert!(new.term() > old.term());
    // Before the new one has written anything, and after.
    for _ in 0..2 {
        let refused = old.append(vec![frame(&name)]).await;
        assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
        new.append(vec![frame(&name)]).await.unwrap();
    }

    thaw.send(()).unwrap();
    assert_eq!(heard("the bad news"), Told::Lost(match42()));
    assert!(told.try_recv().is_err(), "the new holder keeps it");
}
