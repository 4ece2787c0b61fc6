use proptest::prelude::*;

use super::*;

const TTL: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(375);
const SHARDS: u32 = 8;

/// The server, as far as leases know it.
#[derive(Default)]
struct Server {
    sequence: u64,
    leases: BTreeMap<String, Entry>,
    nodes: BTreeMap<String, Entry>,
}

impl Server {
    /// Does what is asked, if the last message is the one expected.
    fn store(&mut self, me: &Holder, ask: &Ask) -> Option<u64> {
        let (bucket, key, after, value) = match ask {
            Ask::Announce => (&mut self.nodes, &me.node, None, Some(me.write())),
            Ask::Withdraw => (&mut self.nodes, &me.node, None, None),
            Ask::Lease { key, after } => (&mut self.leases, key, Some(*after), Some(me.write())),
            Ask::Release { key, after } => (&mut self.leases, key, Some(*after), None),
        };
        let last = bucket.get(key).map_or(0, |entry| entry.sequence);
        if after.is_some_and(|after| after != last) {
            return None;
        }
        self.sequence += 1;
        bucket.insert(key.clone(), Entry { sequence: self.sequence, value });
        Some(self.sequence)
    }
}

/// What goes wrong in one step of one process.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// It stands still.
    Frozen,
    /// The server hears it, and its answers are lost.
    Deaf,
    /// The server does not hear it.
    Mute,
    /// It is gone, and another is there in its place.
    Killed,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        2 => Just(Fault::Frozen),
        1 => Just(Fault::Deaf),
        1 => Just(Fault::Mute),
        1 => Just(Fault::Killed),
    ]
}

struct World {
    now: Moment,
    server: Server,
    nodes: Vec<Claims>,
    born: u32,
}

impl World {
    fn new(nodes: usize) -> Self {
        let (now, server) = (Duration::ZERO, Server::default());
        let mut world = Self { now, server, nodes: Vec::new(), born: 0 };
        for _ in 0..nodes {
            let node = world.node();
            world.nodes.push(node);
        }
        world
    }

    fn node(&mut self) -> Claims {
        self.born += 1;
        let node = format!("node{}", self.born);
        let me = Holder { who: node.clone(), node, ttl_ms: 1_000 * TTL.as_secs() };
        let scope = |number| (format!("shard.{number}"), Scope::Shard { number, of: SHARDS });
        Claims::new(me, (0..SHARDS).map(scope).collect(), true)
    }

    /// One look and what follows from it, as the keeper does it; the session obeys at once.
    fn step(&mut self, at: usize, fault: Fault) {
        match fault {
            Fault::Frozen => return,
            Fault::Killed => self.nodes[at] = self.node(),
            Fault::None | Fault::Deaf | Fault::Mute => {}
        }
        let (node, server, now) = (&mut self.nodes[at], &mut self.server, self.now);
        if !matches!(fault, Fault::Deaf | Fault::Mute) {
            node.look(now, &server.leases, &server.nodes);
        }
        let mut asks = Vec::new();
        node.decide(now, &mut asks);
        for ask in asks {
            let stored = match fault {
                Fault::Mute => None,
                _ => server.store(&node.me, &ask),
            };
            let heard = stored.filter(|_| !matches!(fault, Fault::Deaf));
            node.answered(now, &ask, heard);
        }
        while let Some(told) = node.poll_told() {
            match told {
                Told::Owned(_) => {}
                Told::Release(scope) | Told::Lost(scope) => node.released(&scope),
            }
        }
    }

    /// Who believes now that a shard is theirs.
    fn holders(&self, key: &str) -> Vec<&str> {
        let holds =
            |node: &&Claims| node.scopes[key].held().is_some_and(|held| self.now < held.ends(TTL));
        self.nodes.iter().filter(holds).map(|node| node.me.node.as_str()).collect()
    }
}

fn keys() -> impl Iterator<Item = String> {
    (0..SHARDS).map(|number| format!("shard.{number}"))
}

proptest! {
    /// Whatever is lost and whoever stands still: no two at a time, and once it is over each shard
    /// is with the one who is to have it.
    #[test]
    fn a_shard_is_with_one_and_in_the_end_with_the_right_one(
        nodes in 1_usize..5,
        steps in prop::collection::vec((0_usize..5, fault(), 0_u32..4), 0..120),
    ) {
        let mut world = World::new(nodes);
        for (at, fault, pause) in steps {
            world.now += STEP * pause / 2;
            world.step(at % nodes, fault);
            for key in keys() {
                prop_assert!(world.holders(&key).len() <= 1, "{key}: {:?}", world.holders(&key));
            }
        }
        for _ in 0..200 {
            world.now += STEP;
            (0..nodes).for_each(|at| world.step(at, Fault::None));
        }
        for key in keys() {
            let right = ranking(&key, world.nodes.iter().map(|node| node.me.node.as_str()))[0];
            prop_assert_eq!(world.holders(&key), [right]);
        }
    }
}

#[test]
fn who_leaves_keeps_its_shards_until_they_are_put_down() {
    let mut world = World::new(2);
    for _ in 0..20 {
        world.now += STEP;
        (0..2).for_each(|at| world.step(at, Fault::None));
    }
    let leaver = world.nodes[0].me.node.clone();
    let own: Vec<String> = keys().filter(|key| world.holders(key) == [&leaver]).collect();
    world.nodes[0].leave();
    assert_eq!(world.nodes[0].told.len(), own.len());
    world.step(0, Fault::None);
    for _ in 0..2 {
        world.now += STEP;
        (0..2).for_each(|at| world.step(at, Fault::None));
    }
    let other = world.nodes[1].me.node.clone();
    assert!(keys().all(|key| world.holders(&key) == [&other]));
    world.nodes[0].stop();
    world.step(0, Fault::None);
    assert!(world.nodes[0].is_over());
}
