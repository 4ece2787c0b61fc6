//! The one loop: wait for something, fold it, make it durable, do what follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Back, Clock, Crews, Options, RuntimeError, Started, Stop, StopSwitch,
    audit::Audit,
    outgoing::{self, Batch},
    rates::{Gate, Rates},
    redact::redacted,
    stream::{Holds, Stream},
    write::{Writing, Written},
};
use crate::{
    engine::{Control, Input, Job, Pace, Plan, StreamId, Timestamp},
    store::Store,
    transport::{BATCH_BYTES, Cursor, Delivery, Outgoing, Sink, Source, TransportError},
};

/// Batches of deliveries that are taken in while a write is under way.
const WRITES_AHEAD: usize = 4;
/// Bytes of events held by streams that wait for runs, before the source is left alone.
const BUSY_BYTES: u64 = 64 << 20;

/// Runs the streams of one process: many engines, one store, one loop.
#[derive(Debug)]
pub struct Runtime<S, K, C, T> {
    pub(super) plan: Arc<Plan>,
    pub(super) options: Options,
    /// Away while a write is under way.
    pub(super) store: Option<S>,
    pub(super) writing: Option<Writing<S>>,
    /// Events taken in since the last write set out, and their bytes.
    pub(super) unwritten: usize,
    pub(super) unwritten_bytes: usize,
    pub(super) sink: K,
    pub(super) crews: C,
    pub(super) clock: T,
    pub(super) streams: Vec<Stream>,
    pub(super) by_name: BTreeMap<StreamId, usize>,
    /// Streams that have something to be made durable or done.
    pub(super) touched: Vec<usize>,
    /// Streams that were touched since their times were looked at.
    pub(super) unseen: Vec<usize>,
    pub(super) wakeups: BTreeSet<(Timestamp, usize)>,
    /// For each stream with uncommitted events, the lowest of their cursors.
    pub(super) held: BTreeSet<(u64, usize)>,
    /// What is held by streams that wait for runs.
    pub(super) busy: Holds,
    pub(super) last_cursor: Option<u64>,
    /// Up to where it is known that all events are in the journals.
    pub(super) settled: Option<u64>,
    /// Up to where streams may have events in their journals that the source delivers again.
    pub(super) known_to: Option<u64>,
    pub(super) acked: Option<u64>,
    pub(super) under_way: usize,
    /// Jobs for the spot that wait until the crews are rested.
    pub(super) waiting: Vec<(usize, Job)>,
    /// Room to encode in, used again.
    pub(super) scratch: Scratch,
    pub(super) refused: u64,
    /// Input was refused, and the store does not know that it is done with.
    pub(super) is_refusal_new: bool,
    pub(super) gate: Gate,
    pub(super) audit: Option<Audit>,
    /// Nothing was written since the journal was opened.
    pub(super) is_recovered: bool,
    /// A run ended with an error or was dropped: what is in memory may be ahead of the journal.
    is_broken: bool,
}

/// What records and messages are written into.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub body: Vec<u8>,
    pub batch: Batch,
}

/// How a run of the runtime ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The source ended and everything is done.
    Finished,
    /// It was drained.
    Drained,
    /// It was aborted, or a drain took longer than its grace.
    Aborted,
}

/// What the loop woke up for.
enum Happened<S> {
    Stop(Stop),
    Back(Back),
    Time,
    Breath,
    Written(Written<S>),
    Deliveries(Vec<Delivery>),
}

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// Opens the journal and brings every stream in it back to where it was.
    pub async fn open(
        plan: Arc<Plan>,
        options: Options,
        store: S,
        sink: K,
        crews: C,
        clock: T,
    ) -> Result<Self, RuntimeError> {
        // Files and replays may be as fast as they like.
        let is_live = plan.settings.pace == Pace::Realtime;
        let rates = if is_live { options.rates } else { Rates::default() };
        let gate = Gate::new(rates, options.source_allowance.clone());
        let audit = options.audit.as_deref().map(Audit::open).transpose()?;
        let mut runtime = Self {
            plan,
            options,
            store: Some(store),
            writing: None,
            unwritten: 0,
            unwritten_bytes: 0,
            sink,
            crews,
            clock,
            streams: Vec::new(),
            by_name: BTreeMap::new(),
            touched: Vec::new(),
            unseen: Vec::new(),
            wakeups: BTreeSet::new(),
            held: BTreeSet::new(),
            busy: Holds::default(),
            last_cursor: None,
            settled: None,
            known_to: None,
            acked: None,
            under_way: 0,
            waiting: Vec::new(),
            scratch: Scratch::default(),
            refused: 0,
            is_refusal_new: false,
            gate,
            audit,
            is_recovered: true,
            is_broken: false,
        };
        let now = runtime.clock.now();
        runtime.recover(now).await?;
        let source = &runtime.options.source;
        let same = |stream: &&Stream| source.is_none() || stream.header.source == *source;
        let streams = runtime.streams.iter().filter(same);
        runtime.known_to = streams.filter_map(|stream| stream.engine.cursor()).max();
        let store = runtime.store.as_ref();
        runtime.last_cursor = store.and_then(|store| store.settled(runtime.known_to));
        runtime.settled = runtime.last_cursor;
        Ok(runtime)
    }

    /// Takes in everything a source has, until it ends or the switch is used.
    ///
    /// After an error, or when the future is dropped, only a newly opened runtime can go on: it
    /// finds out from the journal what was written.
    pub async fn run(
        &mut self,
        source: &mut impl Source,
        switch: &StopSwitch,
    ) -> Result<Ending, RuntimeError> {
        if std::mem::replace(&mut self.is_broken, true) {
            return Err(RuntimeError::Broken);
        }
        let ending = self.run_on(source, switch).await;
        if ending.is_err()
            && let Some(mut writing) = self.writing.take()
        {
            // Whatever went wrong beside it: who opens the journal next finds it at rest.
            self.store = Some(writing.written().await.0);
        }
        self.is_broken = ending.is_err();
        ending
    }

    async fn run_on(
        &mut self,
        source: &mut impl Source,
        switch: &StopSwitch,
    ) -> Result<Ending, RuntimeError> {
        if let Some(cursor) = self.last_cursor {
            source.resume_after(Cursor(cursor)).await?;
        }
        if let Some(cursor) = self.known_to.max(self.last_cursor) {
            source.confirm(Cursor(cursor)).await?;
        }
        let (mut reading, mut stop, mut deadline) = (true, None, None);
        let now = self.clock.now();
        let mut beat = self.options.heartbeat.map(|every| now.plus(every));
        // Recovered streams and controls have commands that nobody asked for yet.
        for ix in self.touched.clone() {
            self.run_immediate(ix, now);
        }
        self.settle(source).await?;
        // Runs that were under way are handed over before anything else happens: whoever does them
        // may have to look whether they were answered meanwhile.
        while let Some(mut writing) = self.writing.take() {
            let written = writing.written().await;
            self.finish(source, writing, written).await?;
            self.settle(source).await?;
        }
        loop {
            self.crews.breathe().await;
            if stop.is_some()
                && self.is_settled()
                && self.streams.iter().all(|stream| stream.engine.is_at_rest())
            {
                return Ok(Ending::Drained);
            }
            if !reading && stop.is_none() && self.is_settled() && self.is_finished() {
                return Ok(Ending::Finished);
            }
            let wake = self.wakeups.first().map(|(at, _)| *at);
            let wake = wake.into_iter().chain(deadline).chain(beat).min();
            let may_read = reading && stop.is_none() && self.has_room();
            let (clock, crews) = (&self.clock, &mut self.crews);
            let writing = &mut self.writing;
            let written = async {
                match writing {
                    Some(writing) => writing.written().await,
                    None => std::future::pending().await,
                }
            };
            let sleep = async {
                match wake {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let happened = tokio::select! {
                biased;
                asked = switch.asked(stop) => Happened::Stop(asked),
                written = written => Happened::Written(written),
                back = crews.next_back(), if self.under_way > 0 => Happened::Back(back),
                () = sleep => Happened::Time,
                () = std::future::ready(()), if !self.waiting.is_empty() => Happened::Breath,
                deliveries = source.next(self.options.batch), if may_read => {
                    Happened::Deliveries(deliveries?)
                }
            };
            let now = self.clock.now();
            match happened {
                Happened::Stop(Stop::Abort) => {
                    self.note(now, "stop", None, "asked for")?;
                    return Ok(Ending::Aborted);
                }
                Happened::Stop(Stop::Drain) => {
                    self.note(now, "drain", None, "asked for")?;
                    stop = Some(Stop::Drain);
                    deadline = Some(now.plus(self.options.grace));
                }
                Happened::Written(written) => {
                    if let Some(writing) = self.writing.take() {
                        self.finish(source, writing, written).await?;
                    }
                }
                Happened::Back(back) => self.take_back(now, back),
                Happened::Breath => self.start_waiting(),
                Happened::Time if deadline.is_some_and(|deadline| deadline <= now) => {
                    self.note(now, "stop", None, "the drain took longer than its grace")?;
                    return Ok(Ending::Aborted);
                }
                Happened::Time => {
                    if let Some(every) = self.options.heartbeat
                        && beat.is_some_and(|beat| beat <= now)
                    {
                        beat = Some(now.plus(every));
                        self.tell_alive(now).await?;
                    }
                    self.tick(now);
                }
                Happened::Deliveries(deliveries) if deliveries.is_empty() => {
                    reading = false;
                    self.end_input(now);
                }
                Happened::Deliveries(deliveries) => self.take_deliveries(now, deliveries).await?,
            }
            self.settle(source).await?;
        }
    }

    /// Enables or disables a crew in one stream (rule C8).
    pub fn control(&mut self, stream: &StreamId, control: Control) -> Result<(), String> {
        let now = self.clock.now();
        let Some(&ix) = self.by_name.get(stream) else {
            return Err(format!("there is no stream `{stream}`"));
        };
        let what = match &control {
            Control::Enable(crew) => format!("enable crew `{crew}`"),
            Control::Disable(crew) => format!("disable crew `{crew}`"),
        };
        self.touch(ix);
        let taken = self.streams[ix].engine.handle(now, Input::Control(control));
        let taken = taken.map_err(|rejection| rejection.to_string());
        let why = taken.as_ref().err().map_or("asked for", String::as_str);
        self.note(now, &what, Some(stream), why).map_err(|error| error.to_string())?;
        taken
    }

    /// Puts a command into the audit log, if there is one.
    fn note(
        &mut self,
        now: Timestamp,
        what: &str,
        stream: Option<&StreamId>,
        why: &str,
    ) -> Result<(), TransportError> {
        self.audit.as_mut().map_or(Ok(()), |audit| audit.command(now, what, stream, why))
    }

    /// Writes down what is left, takes a last snapshot of every stream and seals the journal;
    /// after a run that failed it leaves the journal as it is.
    pub async fn close(mut self) -> Result<(), RuntimeError> {
        if self.is_broken {
            return Ok(());
        }
        for ix in 0..self.streams.len() {
            self.streams[ix].unsnapshot = self.options.snapshot_every;
            self.touch(ix);
        }
        self.write_all().await?;
        self.sink.flush().await?;
        let store = self.store.take().expect("no write is under way");
        Ok(store.close().await?)
    }

    /// Whether everything that was folded is durable.
    fn is_settled(&self) -> bool {
        self.writing.is_none() && self.touched.is_empty() && self.waiting.is_empty()
    }

    /// Whether more may be taken in: not while much waits for runs, or to be written.
    fn has_room(&self) -> bool {
        let is_written = self.writing.is_none()
            || (self.unwritten < WRITES_AHEAD * self.options.batch
                && self.unwritten_bytes < WRITES_AHEAD * BATCH_BYTES);
        is_written && self.busy.events < self.options.read_ahead && self.busy.bytes < BUSY_BYTES
    }

    fn is_finished(&self) -> bool {
        self.streams.iter().all(|stream| stream.engine.is_finished())
    }

    fn take_back(&mut self, now: Timestamp, back: Back) {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(&ix) = self.by_name.get(&back.stream) else {
            return;
        };
        let Back { run, attempt, outcome, notes, .. } = back;
        if let Some(notes) = notes {
            self.tell(ix, now, Input::Notes { run, attempt, notes });
        }
        let outcome = redacted(outcome, &self.plan);
        self.tell(ix, now, Input::Result { run, attempt, outcome });
    }

    /// Says of every stream that it is alive, and in which slice.
    async fn tell_alive(&mut self, now: Timestamp) -> Result<(), RuntimeError> {
        let beats: Vec<Outgoing> =
            self.streams.iter().map(|stream| outgoing::heartbeat(&stream.engine, now)).collect();
        Ok(self.sink.publish(&beats).await?)
    }

    fn tick(&mut self, now: Timestamp) {
        while let Some(&(at, ix)) = self.wakeups.first()
            && at <= now
        {
            self.wakeups.pop_first();
            self.streams[ix].wake = None;
            self.tell(ix, now, Input::Tick);
        }
    }

    fn end_input(&mut self, now: Timestamp) {
        for ix in 0..self.streams.len() {
            if !self.streams[ix].engine.is_finished() {
                self.tell(ix, now, Input::End);
            }
        }
    }

    pub(super) fn add_stream(&mut self, name: StreamId, stream: Stream) -> usize {
        let ix = self.streams.len();
        self.streams.push(stream);
        self.by_name.insert(name, ix);
        ix
    }

    pub(super) fn tell(&mut self, ix: usize, now: Timestamp, input: Input) {
        self.touch(ix);
        // Only events and controls can be refused, and those come in elsewhere.
        let _accepted = self.streams[ix].engine.handle(now, input);
        self.run_immediate(ix, now);
    }

    pub(super) fn touch(&mut self, ix: usize) {
        if !std::mem::replace(&mut self.streams[ix].touched, true) {
            self.touched.push(ix);
        }
        if !std::mem::replace(&mut self.streams[ix].is_unseen, true) {
            self.unseen.push(ix);
        }
    }

    /// Does what can be done on the spot, until the stream has to wait for something else or the
    /// crews are tired: then its jobs wait as those that are done elsewhere do.
    pub(super) fn run_immediate(&mut self, ix: usize, now: Timestamp) {
        let (stream, crews) = (&mut self.streams[ix], &mut self.crews);
        let is_immediate =
            |crews: &C, job: &Job| crews.is_immediate(job.run.crew) && !crews.is_tired();
        while let Some(job) = stream.next_immediate(|job| is_immediate(crews, job)) {
            let (run, attempt) = (job.run, job.attempt);
            match crews.start(stream.engine.stream(), job) {
                Started::Done(outcome) => {
                    let outcome = redacted(outcome, &self.plan);
                    let input = Input::Result { run, attempt, outcome };
                    let _accepted = stream.engine.handle(now, input);
                }
                Started::Later => self.under_way += 1,
            }
        }
    }
}
