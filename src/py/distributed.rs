//! A session on NATS: a runtime for each part of the streams that is this process's to run.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{
    crews::Members,
    input::{Input, Taken, Watched},
    output::Output,
    place::{Place, unreachable},
    summary::Summary,
};
use crate::{
    engine::Plan,
    nats::{Connection, shard_of},
    runtime::{Options, Runtime, RuntimeError, Stop, StopSwitch, SystemClock},
    store::{JetStreamStore, Scope},
    transport::{NatsSink, NatsSource},
};

/// Everything a runtime of one part is made of.
pub(super) struct Parts<M> {
    pub(super) place: Arc<Place>,
    pub(super) plan: Arc<Plan>,
    pub(super) options: Options,
    pub(super) stop: StopSwitch,
    pub(super) taken: Arc<Taken>,
    /// Makes the crews and the outlet of one runtime.
    pub(super) make: M,
}

impl<M: Fn() -> Result<(Members, Output), RuntimeError>> Parts<M> {
    /// Runs every part until all have ended; the first that fails ends the others.
    pub(super) async fn run(self) -> Result<Summary, RuntimeError> {
        let nats = self.place.connect().await.map_err(|error| unreachable(&error))?;
        let scopes = self.place.scopes();
        let mut running: FuturesUnordered<_> =
            scopes.into_iter().map(|scope| self.run_scope(nats.clone(), scope)).collect();
        let mut whole: Option<Result<Summary, RuntimeError>> = None;
        while let Some(ended) = running.next().await {
            if ended.is_err() {
                self.stop.stop(Stop::Abort);
            }
            whole = Some(match (whole, ended) {
                (None, ended) => ended,
                (Some(Err(error)), _) | (Some(Ok(_)), Err(error)) => Err(error),
                (Some(Ok(whole)), Ok(ended)) => Ok(whole.and(ended)),
            });
        }
        whole.expect("there is one part at least")
    }

    async fn run_scope(&self, nats: Connection, scope: Scope) -> Result<Summary, RuntimeError> {
        let store = JetStreamStore::take_over(nats.clone(), scope.clone(), &self.place.who).await?;
        let (crews, mut output) = (self.make)()?;
        output.nats = Some(NatsSink::new(nats.clone(), false));
        let clock = SystemClock::new();
        let (plan, options) = (Arc::clone(&self.plan), self.options.clone());
        let limits = plan.settings.limits.clone();
        let mut runtime = Runtime::open(plan, options, store, output, crews, clock).await?;
        let (shard, only) = match &scope {
            Scope::Stream(stream) => (shard_of(stream, self.place.layout.shards), Some(stream)),
            Scope::Shard { number, .. } => (*number, None),
            Scope::All => (0, None),
        };
        let source = NatsSource::new(nats, shard, only, &limits);
        let taken = Arc::clone(&self.taken);
        let mut input = Watched { input: Input::Nats(Box::new(source)), taken };
        let ending = runtime.run(&mut input, &self.stop).await?;
        let summary = Summary::of(&runtime, ending);
        runtime.close().await?;
        Ok(summary)
    }
}
