//! Folding a journal again (§10). `verify` runs nothing: recorded outcomes are served, every
//! derived record and digest is made anew and compared.

use std::ops::ControlFlow;

use super::RuntimeError;
use crate::{
    engine::{Digest, Divergence, Engine, Record, Slice, StreamId, Timestamp, closest},
    store::{Pick, Store, StreamSummary},
    wire::{self, Body, Header},
};

/// Bytes of frames read at a time.
const PAGE: usize = 1 << 20;

/// What `verify` found in one stream.
#[derive(Debug)]
pub struct Verdict {
    /// The stream.
    pub stream: StreamId,
    /// Records folded.
    pub records: u64,
    /// Commits recomputed.
    pub commits: u64,
    /// The slice the fold began after, when older frames are pruned.
    pub from: Option<Slice>,
    /// The last slice committed.
    pub last_slice: Option<Slice>,
    /// The digest after it.
    pub digest: Option<Digest>,
    /// Where the journal first says something else than folding it gives.
    pub divergence: Option<Diverged>,
}

/// The first divergence of a journal from its own fold.
#[derive(Debug)]
pub struct Diverged {
    /// The frame it is in.
    pub frame: u64,
    /// The slice that was worked on.
    pub slice: Option<Slice>,
    /// The crew it is about, if it is about one.
    pub crew: Option<String>,
    /// The field that differs.
    pub field: &'static str,
    /// What the journal says.
    pub journal: String,
    /// What folding gives.
    pub fold: String,
}

/// Recomputes every digest of a stream from the first frame kept.
pub async fn verify(store: &mut impl Store, stream: &StreamId) -> Result<Verdict, RuntimeError> {
    let mut folding = Folding::first(store, stream).await?;
    let from = folding.slice;
    let (mut records, mut commits, mut last_slice) = (0, 0, folding.slice);
    let folded = folding
        .fold_all(store, |_, record| {
            records += 1;
            if let Record::Commit { slice, .. } = record {
                commits += 1;
                last_slice = Some(*slice);
            }
        })
        .await;
    let divergence = match folded {
        Ok(()) => None,
        Err(RuntimeError::Diverged { frame, error, .. }) => {
            Some(Diverged::new(frame, last_slice, &folding.engine, &error))
        }
        Err(other) => return Err(other),
    };
    let digest = folding.engine.digest();
    Ok(Verdict { stream: stream.clone(), records, commits, from, last_slice, digest, divergence })
}

impl Diverged {
    fn new(frame: u64, last: Option<Slice>, engine: &Engine, error: &Divergence) -> Self {
        let crew_of = |record: &Record| match record {
            Record::Start { run, .. } => engine.plan().crews.get(run.crew.0 as usize),
            _ => None,
        };
        let (journal, fold, why) = match error {
            Divergence::Differs { journal, engine } => (journal, engine.as_ref(), None),
            Divergence::Impossible { journal, why } => (journal, None, Some(*why)),
        };
        let field = match (&**journal, fold.map(|record| &**record)) {
            (Record::Commit { slice, .. }, Some(Record::Commit { slice: other, .. })) => {
                if slice == other { "digest" } else { "slice" }
            }
            (Record::Start { .. }, Some(Record::Start { .. })) => "start",
            _ => "record",
        };
        let crew = crew_of(journal).or_else(|| fold.and_then(|record| crew_of(record)));
        let slice = match &**journal {
            Record::Commit { slice, .. } | Record::Start { slice, .. } => Some(*slice),
            _ => last,
        };
        Self {
            frame,
            slice,
            crew: crew.map(|crew| crew.spec.name.to_string()),
            field,
            journal: format!("{journal:?}"),
            fold: match (fold, why) {
                (Some(record), _) => format!("{record:?}"),
                (None, Some(why)) => why.to_owned(),
                (None, None) => "nothing".to_owned(),
            },
        }
    }
}

/// A journal being folded.
#[derive(Debug)]
pub(super) struct Folding {
    pub header: Header,
    pub engine: Engine,
    /// The last frame folded.
    pub frame: u64,
    /// The last slice known to be committed.
    pub slice: Option<Slice>,
}

impl Folding {
    /// From the latest snapshot: the shortest way to the end of the journal.
    pub async fn latest(store: &mut impl Store, stream: &StreamId) -> Result<Self, RuntimeError> {
        Self::from(store, stream, Pick::Latest).await
    }

    /// From the latest snapshot before a slice: the shortest way to that slice.
    pub async fn before(
        store: &mut impl Store,
        stream: &StreamId,
        slice: Slice,
    ) -> Result<Self, RuntimeError> {
        Self::from(store, stream, Pick::NotBeyond(slice.shift(-1))).await
    }

    async fn from(
        store: &mut impl Store,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Self, RuntimeError> {
        match store.snapshot(stream, pick).await? {
            Some(snapshot) => Self::from_snapshot(stream, &snapshot),
            None => Self::first(store, stream).await,
        }
    }

    /// From the first frame kept, or the snapshot before it.
    pub async fn first(store: &mut impl Store, stream: &StreamId) -> Result<Self, RuntimeError> {
        let summary = summary(store, stream).await?;
        if summary.first_seq > 1 {
            let oldest = store.snapshot(stream, Pick::First).await?;
            let oldest = oldest.ok_or_else(|| RuntimeError::NoHeader(stream.clone()))?;
            return Self::from_snapshot(stream, &oldest);
        }
        let page = store.read(stream, 0, 1).await?;
        let first = page.first().ok_or_else(|| RuntimeError::NoHeader(stream.clone()))?;
        let body = decode(stream, first.seq, wire::decode_body(&first.body))?;
        let Body::Header(header) = body else {
            return Err(RuntimeError::NoHeader(stream.clone()));
        };
        let plan =
            header.plan().map_err(|error| RuntimeError::Plan { stream: stream.clone(), error })?;
        let engine = Engine::new(plan, stream.clone());
        Ok(Self { header: *header, engine, frame: first.seq, slice: None })
    }

    /// The epoch of the journal, if it is fixed in it; folds as far as needed.
    pub async fn epoch0(
        mut self,
        store: &mut impl Store,
    ) -> Result<Option<Timestamp>, RuntimeError> {
        let mut until_fixed = |engine: &mut Engine, _: &Record| match engine.clock() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        };
        if self.engine.clock().is_none() {
            self.fold_until(store, &mut until_fixed).await?;
        }
        Ok(self.engine.clock().map(|clock| clock.epoch0))
    }

    fn from_snapshot(
        stream: &StreamId,
        snapshot: &crate::store::Snapshot,
    ) -> Result<Self, RuntimeError> {
        let decoded = wire::decode_snapshot(&snapshot.body);
        let (header, state) = decode(stream, snapshot.after, decoded)?;
        let plan =
            header.plan().map_err(|error| RuntimeError::Plan { stream: stream.clone(), error })?;
        let engine = Engine::restore(plan, state);
        Ok(Self { header, engine, frame: snapshot.after, slice: Some(snapshot.slice) })
    }

    /// Folds every frame that follows, telling each record once it is folded.
    pub async fn fold_all(
        &mut self,
        store: &mut impl Store,
        mut tell: impl FnMut(&mut Engine, &Record),
    ) -> Result<(), RuntimeError> {
        let mut all = |engine: &mut Engine, record: &Record| {
            tell(engine, record);
            ControlFlow::Continue(())
        };
        self.fold_until(store, &mut all).await
    }

    /// Folds frames until there are no more, or until `tell` has enough.
    pub async fn fold_until(
        &mut self,
        store: &mut impl Store,
        tell: &mut impl FnMut(&mut Engine, &Record) -> ControlFlow<()>,
    ) -> Result<(), RuntimeError> {
        while self.fold_page(store, tell).await?.is_continue() {}
        Ok(())
    }

    async fn fold_page(
        &mut self,
        store: &mut impl Store,
        tell: &mut impl FnMut(&mut Engine, &Record) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RuntimeError> {
        let stream = self.engine.stream().clone();
        let page = store.read(&stream, self.frame, PAGE).await?;
        if page.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        for frame in &page {
            match decode(&stream, frame.seq, wire::decode_body(&frame.body))? {
                Body::Header(header) => self.change_header(*header)?,
                Body::Records(records) => {
                    for (at, record) in records {
                        self.fold(frame.seq, at, &record)?;
                        if tell(&mut self.engine, &record).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
            self.frame = frame.seq;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn fold(&mut self, frame: u64, at: Timestamp, record: &Record) -> Result<(), RuntimeError> {
        if let Record::Commit { slice, .. } = record {
            self.slice = Some(*slice);
        }
        self.engine.replay(at, record.clone()).map_err(|error| RuntimeError::Diverged {
            stream: self.engine.stream().clone(),
            frame,
            error: Box::new(error),
        })
    }

    /// Crews have new code from here on.
    fn change_header(&mut self, header: Header) -> Result<(), RuntimeError> {
        let plan = header
            .plan()
            .map_err(|error| RuntimeError::Plan { stream: header.stream.clone(), error })?;
        match self.header.change_to(&plan) {
            wire::Change::Plan(what) => {
                let stream = header.stream;
                Err(RuntimeError::OtherPlan { stream, what })
            }
            wire::Change::None | wire::Change::Fingerprints(_) => {
                self.engine.go_on_with(plan);
                self.header = header;
                Ok(())
            }
        }
    }
}

/// What a store holds of a stream; an error with a suggestion if nothing.
pub(super) async fn summary(
    store: &mut impl Store,
    stream: &StreamId,
) -> Result<StreamSummary, RuntimeError> {
    let all = store.streams().await?;
    let meant = closest(stream.as_str(), all.iter().map(|summary| summary.stream.as_str()));
    all.into_iter()
        .find(|summary| summary.stream == *stream)
        .ok_or_else(|| RuntimeError::UnknownStream { stream: stream.clone(), meant })
}

fn decode<T>(
    stream: &StreamId,
    frame: u64,
    decoded: Result<T, wire::DecodeError>,
) -> Result<T, RuntimeError> {
    decoded.map_err(|error| RuntimeError::Decode { stream: stream.clone(), frame, error })
}
