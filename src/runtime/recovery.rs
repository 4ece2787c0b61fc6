//! From a journal back to running streams: the latest snapshot, then the frames after it (J3, J5).

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Clock, Crews, Runtime, RuntimeError, replay::Folding, stream::Stream};
use crate::{
    engine::{StreamId, Timestamp},
    store::Store,
    transport::Sink,
    wire::{Change, Header},
};

/// Journals read at a time, where that is quicker.
const READERS: usize = 16;

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    pub(super) async fn recover(&mut self, now: Timestamp) -> Result<(), RuntimeError> {
        let mut store = self.store.take().expect("nothing is written yet");
        let recovered = self.recover_from(&mut store, now).await;
        self.store = Some(store);
        recovered
    }

    async fn recover_from(&mut self, store: &mut S, now: Timestamp) -> Result<(), RuntimeError> {
        let names = store.streams().await?.into_iter().map(|summary| summary.stream).collect();
        for (name, folding) in fold_all(store, names).await? {
            let header_due = self.check_plan(&name, &folding.header)?;
            let mut header = folding.header;
            if header_due {
                let source = header.source;
                header = Header::new(name.clone(), &self.plan, self.options.crewai.clone());
                header.source = source;
            }
            let mut engine = folding.engine;
            engine.go_on_with(Arc::clone(&self.plan));
            engine.resume(now);
            let mut stream = Stream::new(engine, Arc::new(header));
            stream.header_due = header_due;
            stream.last_frame = folding.frame;
            stream.last_slice = folding.slice;
            let ix = self.add_stream(name, stream);
            self.touch(ix);
        }
        Ok(())
    }

    /// Whether the journal needs a new header: crews may have new code, but not new places.
    fn check_plan(&self, stream: &StreamId, header: &Header) -> Result<bool, RuntimeError> {
        match header.change_to(&self.plan) {
            Change::None => Ok(false),
            Change::Fingerprints(crews) => {
                tracing::warn!(%stream, crews = crews.join(", "), "crews changed since the journal was written");
                Ok(true)
            }
            Change::Plan(what) => Err(RuntimeError::OtherPlan { stream: stream.clone(), what }),
        }
    }
}

/// Folds the journals of streams to their ends, and gives them in this order.
async fn fold_all<S: Store>(
    store: &mut S,
    names: Vec<StreamId>,
) -> Result<Vec<(StreamId, Folding)>, RuntimeError> {
    let share = names.len().div_ceil(READERS).max(1);
    let shares: Vec<&[StreamId]> = names.chunks(share).collect();
    let readers: Option<Vec<S>> = shares.iter().skip(1).map(|_| store.reader()).collect();
    let folded = match readers {
        Some(mut readers) => {
            let readers = std::iter::once(store).chain(&mut readers);
            try_join_all(readers.zip(shares).map(|(store, names)| fold_each(store, names))).await?
        }
        None => vec![fold_each(store, &names).await?],
    };
    Ok(names.iter().cloned().zip(folded.into_iter().flatten()).collect())
}

async fn fold_each(
    store: &mut impl Store,
    names: &[StreamId],
) -> Result<Vec<Folding>, RuntimeError> {
    let mut folded = Vec::with_capacity(names.len());
    for name in names {
        let mut folding = Folding::latest(store, name).await?;
        folding.fold_all(store, |_, _| ()).await?;
        folded.push(folding);
    }
    Ok(folded)
}
