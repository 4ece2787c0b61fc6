//! Shards among processes that come and go.

use std::{collections::BTreeMap, time::Duration};

use live_crew::{
    cluster::{Keeper, KeeperHandle, Role, Told},
    nats::Layout,
    store::Scope,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::{begin, connect, soon};
use crate::servers::NatsServer;

const LEASE: Duration = Duration::from_secs(2);

/// Processes that put down what they are told to at once.
struct Cluster {
    server: NatsServer,
    nodes: BTreeMap<usize, KeeperHandle>,
    tell: UnboundedSender<(usize, Told)>,
    told: UnboundedReceiver<(usize, Told)>,
    owners: BTreeMap<u32, usize>,
}

fn number(scope: &Scope) -> u32 {
    match scope {
        Scope::Shard { number, .. } => *number,
        other => panic!("{other:?}"),
    }
}

impl Cluster {
    async fn join(&mut self, node: usize) {
        let nats = connect(&self.server).await;
        let who = format!("node{node}");
        let (handle, mut told) =
            Keeper::start(&nats, &Layout::default(), &who, Role::Shards, LEASE).await.unwrap();
        let tell = self.tell.clone();
        tokio::spawn(async move {
            while let Some(told) = told.recv().await {
                // The test is over.
                let _over = tell.send((node, told));
            }
        });
        self.nodes.insert(node, handle);
    }

    /// Hears one thing, and checks that no shard is ever with two.
    async fn hear(&mut self) {
        let (node, told) = soon("news", self.told.recv()).await.unwrap();
        let Some(handle) = self.nodes.get(&node) else { return };
        match told {
            Told::Owned(scope) => {
                let other = self.owners.insert(number(&scope), node);
                assert_eq!(other, None, "{scope:?} is with {node} as well");
            }
            Told::Release(scope) => {
                assert_eq!(self.owners.remove(&number(&scope)), Some(node));
                handle.released(scope);
            }
            Told::Lost(scope) => panic!("{node} lost {scope:?}"),
        }
    }

    async fn until(&mut self, what: impl Fn(&Self) -> bool) {
        while !what(self) {
            self.hear().await;
        }
    }

    fn all_are_owned(&self) -> bool {
        self.owners.len() == 8
    }

    fn own(&self, node: usize) -> usize {
        self.owners.values().filter(|&&owner| owner == node).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_follow_those_who_are_there() {
    let (server, _nats) = begin().await;
    let (tell, told) = unbounded_channel();
    let (nodes, owners) = (BTreeMap::new(), BTreeMap::new());
    let mut cluster = Cluster { server, nodes, tell, told, owners };
    cluster.join(0).await;
    cluster.until(|cluster| cluster.own(0) == 8).await;
    cluster.join(1).await;
    cluster.join(2).await;
    // Who gets how many depends on names that differ each time.
    cluster.until(|cluster| cluster.all_are_owned() && cluster.own(0) < 8).await;

    let gone = if cluster.own(1) > 0 { 1 } else { 2 };
    cluster.nodes.remove(&gone);
    let killed = Instant::now();
    cluster.owners.retain(|_, owner| *owner != gone);
    cluster.until(Cluster::all_are_owned).await;
    let took = killed.elapsed();
    assert!(took < LEASE + Duration::from_secs(1), "its shards were taken after {took:?}");
    let left = 3 - gone;
    cluster.nodes[&left].leave();
    cluster.until(|cluster| cluster.own(0) == 8).await;
    cluster.nodes[&left].stop().await;
    cluster.nodes[&0].stop().await;
    let last = cluster.nodes.remove(&0).unwrap();
    cluster.owners.clear();
    cluster.join(3).await;
    let stopped = Instant::now();
    cluster.until(|cluster| cluster.own(3) == 8).await;
    let took = stopped.elapsed();
    assert!(took < Duration::from_secs(1), "after a stop it took {took:?}");
    drop(last);
}
