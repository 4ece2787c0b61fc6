//! The task that keeps the leases of a process, beside whatever else it is busy with.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, try_join},
    stream::FuturesUnordered,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use super::{
    bucket::{Bucket, Entry},
    claims::{Ask, Claims},
    lease::{Holder, Moment},
    told::{Role, Told},
};
use crate::{
    nats::{Connection, Layout, NatsError},
    store::Scope,
};

/// How long a lease lasts that is not renewed, unless something else is asked for.
pub const LEASE: Duration = Duration::from_secs(3);

const LEASES: &str = "live_lease";
const NODES: &str = "live_nodes";

/// How often the buckets are looked at, at most and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

/// Tells the keeper things; may be cloned.
#[derive(Debug, Clone)]
pub struct KeeperHandle(mpsc::UnboundedSender<Command>);

#[derive(Debug)]
enum Command {
    Released(Scope),
    Leave,
    Stop(oneshot::Sender<()>),
}

impl KeeperHandle {
    /// The runtime of this scope is closed, or was aborted: another process may have it.
    pub fn released(&self, scope: Scope) {
        self.send(Command::Released(scope));
    }

    /// Claims nothing more and tells the session to release everything, one by one; leases are
    /// kept until it has.
    pub fn leave(&self) {
        self.send(Command::Leave);
    }

    /// Releases everything at once and ends. The session must have closed its runtimes before.
    pub async fn stop(&self) {
        let (done, is_done) = oneshot::channel();
        self.send(Command::Stop(done));
        // Where the keeper is gone already there is nothing to wait for.
        let _gone = is_done.await;
    }

    fn send(&self, command: Command) {
        // It ends with the process, or when it was stopped: both mean nothing is held any more.
        let _ended = self.0.send(command);
    }
}

/// A running keeper. It ends when every handle is dropped, and then its leases end by themselves.
#[derive(Debug)]
pub struct Keeper {
    claims: Claims,
    leases: Bucket,
    nodes: Bucket,
    began: Instant,
    look_every: Duration,
    asked: FuturesUnordered<BoxFuture<'static, Answer>>,
    told: mpsc::UnboundedSender<Told>,
}

/// What a question brought.
enum Answer {
    Looked(Result<[BTreeMap<String, Entry>; 2], NatsError>),
    Asked(Moment, Ask, Result<u64, NatsError>),
}

impl Keeper {
    /// Makes the buckets and starts to claim scopes. What it tells comes out of the receiver:
    /// never more than a few words for each scope. `who` is for people; processes of the same name
    /// are told apart all the same.
    pub async fn start(
        nats: &Connection,
        layout: &Layout,
        who: &str,
        role: Role,
        lease: Duration,
    ) -> Result<(KeeperHandle, mpsc::UnboundedReceiver<Told>), NatsError> {
        let leases = Bucket::open(nats, LEASES, layout.replicas).await?;
        let nodes = Bucket::open(nats, NODES, layout.replicas).await?;
        // The server counts in whole seconds; all others have to count as it does.
        let seconds = lease.as_secs() + u64::from(lease.subsec_nanos() > 0);
        let lease = Duration::from_secs(seconds.max(1));
        let node = nats.client().new_inbox().replace('.', "-");
        let ttl_ms = 1_000 * lease.as_secs();
        let me = Holder { node, who: who.to_owned(), ttl_ms };
        let (told, tells) = mpsc::unbounded_channel();
        let (command, commands) = mpsc::unbounded_channel();
        let keeper = Self {
            claims: Claims::new(me, scopes(&role, layout.shards), role == Role::Shards),
            leases,
            nodes,
            began: Instant::now(),
            look_every: (lease / 8).clamp(LOOKS.0, LOOKS.1),
            asked: FuturesUnordered::new(),
            told,
        };
        // It ends when it is stopped, which waits for it, or with the last handle.
        tokio::spawn(keeper.keep(commands));
        Ok((KeeperHandle(command), tells))
    }

    async fn keep(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut waiting = Vec::new();
        let (mut next_look, mut is_looking) = (Instant::now(), false);
        let mut decides = true;
        loop {
            if !is_looking && Instant::now() >= next_look {
                is_looking = true;
                self.look();
            }
            // Not after each answer: what was refused would be asked again at once, for nothing
            // new is known before the next look.
            if std::mem::replace(&mut decides, true) {
                self.decide();
            }
            self.tell();
            if self.claims.is_over() {
                break;
            }
            let end = self.claims.next_end().map(|end| self.began + end);
            // A look that is under way ends by itself.
            let look = if is_looking { Instant::now() + self.look_every } else { next_look };
            let wake = end.map_or(look, |end| end.min(look));
            // Cancel-safe: channels and streams lose nothing, and sleeps hold nothing.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Released(scope)) => self.claims.released(&scope),
                    Some(Command::Leave) => self.claims.leave(),
                    Some(Command::Stop(done)) => {
                        waiting.push(done);
                        self.claims.stop();
                    }
                    None => return,
                },
                Some(answer) = self.asked.next() => match answer {
                    Answer::Asked(sent, ask, answer) => {
                        decides = false;
                        self.answered(sent, &ask, answer);
                    }
                    Answer::Looked(looked) => {
                        is_looking = false;
                        next_look = Instant::now() + self.look_every;
                        self.looked(looked);
                    }
                },
                () = sleep_until(wake) => {}
            }
        }
        for done in waiting {
            // Who asked may have gone away meanwhile.
            let _gone = done.send(());
        }
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// How long one question may take: a lost one has to leave time for others.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.claims.me.ttl_ms) / 4
    }

    fn look(&self) {
        let (leases, nodes, keys) = (self.leases.clone(), self.nodes.clone(), self.claims.keys());
        let patience = self.patience();
        self.asked.push(
            async move {
                let all = [">".to_owned()];
                let looked = try_join(leases.read(&keys), nodes.read(&all));
                Answer::Looked(match timeout(patience, looked).await {
                    Ok(looked) => looked.map(|(leases, nodes)| [leases, nodes]),
                    Err(_) => Err(NatsError::unanswered("for leases", "it took too long")),
                })
            }
            .boxed(),
        );
    }

    fn looked(&mut self, looked: Result<[BTreeMap<String, Entry>; 2], NatsError>) {
        match looked {
            Ok([leases, nodes]) => self.claims.look(self.now(), &leases, &nodes),
            Err(error) => tracing::warn!(%error, "leases cannot be seen"),
        }
    }

    fn answered(&mut self, sent: Moment, ask: &Ask, answer: Result<u64, NatsError>) {
        if let Err(error) = &answer
            // Somebody was faster.
            && error.code() != Some(crate::nats::code::WRONG_LAST_SEQUENCE)
        {
            tracing::warn!(%error, "a lease cannot be written");
        }
        self.claims.answered(sent, ask, answer.ok());
    }

    fn decide(&mut self) {
        let mut asks = Vec::new();
        let sent = self.now();
        self.claims.decide(sent, &mut asks);
        for ask in asks {
            let question = self.ask(ask.clone());
            let patience = self.patience();
            let answer = async move {
                let answer = timeout(patience, question)
                    .await
                    .unwrap_or_else(|_| Err(NatsError::unanswered("a lease", "it took too long")));
                Answer::Asked(sent, ask, answer)
            };
            self.asked.push(answer.boxed());
        }
    }

    fn tell(&mut self) {
        while let Some(told) = self.claims.poll_told() {
            tracing::info!(?told, who = self.claims.me.who, "lease");
            // Without a session nothing runs that could be told.
            let _gone = self.told.send(told);
        }
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'static, Result<u64, NatsError>> {
        let (leases, nodes) = (self.leases.clone(), self.nodes.clone());
        let me: Bytes = self.claims.me.write();
        let node = self.claims.me.node.clone();
        let ttl = Duration::from_millis(self.claims.me.ttl_ms);
        async move {
            match ask {
                Ask::Announce => nodes.write(&node, me, None, ttl).await,
                Ask::Withdraw => nodes.remove(&node, None).await,
                Ask::Lease { key, after } => leases.write(&key, me, Some(after), ttl).await,
                Ask::Release { key, after } => leases.remove(&key, Some(after)).await,
            }
        }
        .boxed()
    }
}

/// The scopes of a role, by the keys of their leases.
fn scopes(role: &Role, shards: u32) -> Vec<(String, Scope)> {
    match role {
        Role::Shards => (0..shards)
            .map(|number| (format!("shard.{number}"), Scope::Shard { number, of: shards }))
            .collect(),
        Role::Streams(streams) => streams
            .iter()
            .map(|stream| (format!("stream.{stream}"), Scope::Stream(stream.clone())))
            .collect(),
    }
}
