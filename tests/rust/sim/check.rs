//! What must be true of what a run leaves behind, whatever went wrong in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use live_crew::{
    engine::{
        Command, Emission, Engine, Fact, LatePolicy, Pace, Record, StreamId, Timer, Timestamp,
    },
    runtime::verify,
    store::{MemoryStore, Pick, Store},
    transport::{Channel, Outgoing},
    wire::{self, Body},
};

use super::{Scenario, Tally, drive::Left};

/// Checks a journal that is still whole, and what was published, against each other and the input.
pub(super) async fn journal(scenario: &Scenario, left: &Left, tally: &mut Tally) {
    let mut store = left.store.clone();
    let mut cursors: BTreeMap<u64, StreamId> = BTreeMap::new();
    let mut derived = BTreeMap::new();
    for summary in store.streams().await.unwrap() {
        let name = summary.stream;
        let verdict = verify(&mut store, &name).await.unwrap();
        assert!(verdict.divergence.is_none(), "{:#?}", verdict.divergence);
        let folded = Folded::of(&mut store, &name).await;
        for cursor in &folded.cursors {
            let before = cursors.insert(*cursor, name.clone());
            assert_eq!(before, None, "the event at {cursor} was taken in twice");
        }
        assert_eq!(folded.members, folded.taken, "events of `{name}` in slices");
        tally.slices += verdict.commits;
        tally.events += folded.cursors.len() as u64;
        folded.count(tally);
        derived.insert(name, folded.actions);
    }
    let good: BTreeMap<u64, StreamId> =
        scenario.feed.good().map(|(stream, cursor)| (cursor, stream.clone())).collect();
    assert_eq!(cursors, good, "events taken in");
    let last = good.last_key_value().map(|(cursor, _)| *cursor);
    assert!(left.acked >= last, "acknowledged {:?} of {last:?}", left.acked);
    published(left, &derived, tally);
    refused(scenario, left, tally);
}

/// Rules J3, O3: what the journal derives is published, in order, and nothing else.
fn published(left: &Left, derived: &BTreeMap<StreamId, Vec<(String, Vec<u8>)>>, tally: &mut Tally) {
    let (heard, again) = heard(left);
    tally.republished += again;
    let streams: BTreeSet<_> = derived.keys().chain(heard.keys()).collect();
    for stream in streams {
        let (derived, heard) = (derived.get(stream), heard.get(stream));
        let empty = Vec::new();
        let (derived, heard) = (derived.unwrap_or(&empty), heard.unwrap_or(&empty));
        tally.actions += derived.len() as u64;
        let show = |actions: &[(String, Vec<u8>)], at: usize| {
            actions.get(at).map(|(_, body)| String::from_utf8_lossy(body).into_owned())
        };
        if let Some(at) =
            (0..derived.len().max(heard.len())).find(|&at| derived.get(at) != heard.get(at))
        {
            panic!(
                "action {at} of `{stream}`: the journal derives\n{:?}\npublished was\n{:?}",
                show(derived, at),
                show(heard, at)
            );
        }
    }
}

/// The id and the body of each action, by stream.
type Heard = BTreeMap<StreamId, Vec<(String, Vec<u8>)>>;

/// The actions of each stream in the order in which they were first published, each once.
fn heard(left: &Left) -> (Heard, u64) {
    let mut by_stream = Heard::new();
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut again = 0;
    for Outgoing { channel, stream, id, body } in &left.outside.heard {
        if *channel != Channel::Action {
            continue;
        }
        let id = id.as_ref().expect("an action has an id").to_string();
        if let Some(before) = bodies.get(&id) {
            let show = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
            assert_eq!(show(before), show(body), "action `{id}` has two bodies");
            again += 1;
        } else {
            bodies.insert(id.clone(), body.to_vec());
            let stream = stream.clone().expect("an action has a stream");
            by_stream.entry(stream).or_default().push((id, body.to_vec()));
        }
    }
    (by_stream, again)
}

/// Everything refused is among the dead letters.
fn refused(scenario: &Scenario, left: &Left, tally: &mut Tally) {
    let letters: BTreeSet<u64> = left
        .outside
        .heard
        .iter()
        .filter(|message| message.channel == Channel::DeadLetter && message.stream.is_none())
        .map(|message| {
            let letter: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            letter["cursor"].as_u64().unwrap()
        })
        .collect();
    let bad = scenario.feed.items.iter().filter(|item| !item.is_good);
    let bad: BTreeSet<u64> = bad.map(super::feed::Item::cursor).collect();
    assert_eq!(letters, bad, "dead letters");
    tally.refused += bad.len() as u64;
}

/// In virtual pace nothing that goes wrong changes what comes out.
pub(super) async fn same_end(scenario: &Scenario, broken: &Left, unbroken: &Left) {
    assert_eq!(scenario.pace, Pace::Virtual);
    let (mut a, mut b) = (broken.store.clone(), unbroken.store.clone());
    let names = |summaries: Vec<live_crew::store::StreamSummary>| {
        summaries.into_iter().map(|summary| summary.stream).collect::<Vec<_>>()
    };
    let streams = names(b.streams().await.unwrap());
    assert_eq!(names(a.streams().await.unwrap()), streams);
    let (mut heard_broken, _) = heard(broken);
    let (mut heard_unbroken, again) = heard(unbroken);
    assert_eq!(again, 0, "an unbroken run publishes everything once");
    if scenario.acts_on_arrival() {
        // Rule C10: these leave when they are ready, so their order may be another.
        for actions in heard_broken.values_mut().chain(heard_unbroken.values_mut()) {
            actions.sort();
        }
    }
    for stream in &streams {
        let (with, without) = (heard_broken.get(stream), heard_unbroken.get(stream));
        if with != without {
            let parted = live_crew::runtime::first_difference(&mut a, &mut b, stream).await;
            let shown = first_difference(with, without);
            panic!("other actions of `{stream}`: {shown}\nthe journals part: {parted:#?}");
        }
        let (with, without) = (end(&mut a, stream).await, end(&mut b, stream).await);
        assert_eq!(with, without, "digest and context of `{stream}`");
    }
}

fn first_difference(
    with: Option<&Vec<(String, Vec<u8>)>>,
    without: Option<&Vec<(String, Vec<u8>)>>,
) -> String {
    let empty = Vec::new();
    let (with, without) = (with.unwrap_or(&empty), without.unwrap_or(&empty));
    let longer = with.len().max(without.len());
    let at = (0..longer).find(|&at| with.get(at) != without.get(at));
    let at = at.expect("they differ");
    let show = |action: Option<&(String, Vec<u8>)>| {
        action.map(|(_, body)| String::from_utf8_lossy(body).into_owned())
    };
    format!(
        "number {at} is with crashes\n{:?}\nwithout\n{:?}",
        show(with.get(at)),
        show(without.get(at))
    )
}

/// The digest and the context a stream ends with, as its last snapshot has them.
async fn end(store: &mut MemoryStore, stream: &StreamId) -> Option<(String, String)> {
    let snapshot = store.snapshot(stream, Pick::Latest).await.unwrap()?;
    let (header, state) = wire::decode_snapshot(&snapshot.body).unwrap();
    let engine = Engine::restore(header.plan().unwrap(), state);
    Some((format!("{:?}", engine.digest()), format!("{:?}", engine.context())))
}

/// One journal, folded again from its beginning.
struct Folded {
    /// Where the source stood behind each event taken in.
    cursors: Vec<u64>,
    /// The payloads of events that belong into a slice, sorted.
    taken: Vec<String>,
    /// The payloads of events in committed slices, sorted.
    members: Vec<String>,
    /// Everything to be published: id and body.
    actions: Vec<(String, Vec<u8>)>,
    late: u64,
    duplicates: u64,
    timeouts: u64,
    stale: u64,
    runs: u64,
}

impl Folded {
    async fn of(store: &mut MemoryStore, stream: &StreamId) -> Self {
        let mut folded = Self {
            cursors: Vec::new(),
            taken: Vec::new(),
            members: Vec::new(),
            actions: Vec::new(),
            late: 0,
            duplicates: 0,
            timeouts: 0,
            stale: 0,
            runs: 0,
        };
        let (mut engine, mut last) = (None, 0);
        loop {
            let page = store.read(stream, last, 1 << 20).await.unwrap();
            let Some(frame) = page.last() else { break };
            last = frame.seq;
            for frame in &page {
                match wire::decode_body(&frame.body).unwrap() {
                    Body::Header(header) => {
                        let plan = header.plan().unwrap();
                        let engine = engine
                            .get_or_insert_with(|| Engine::new(Arc::clone(&plan), stream.clone()));
                        engine.go_on_with(plan);
                        engine.observe();
                    }
                    Body::Records(records) => {
                        let engine = engine.as_mut().expect("a journal begins with a header");
                        for (at, record) in records {
                            folded.fold(engine, at, record);
                        }
                    }
                }
            }
        }
        let mut engine = engine.expect("a journal begins with a header");
        folded.publish(&mut engine);
        folded.taken.sort();
        folded.members.sort();
        folded
    }

    /// Takes a record, but never learns that anything was published.
    fn fold(&mut self, engine: &mut Engine, at: Timestamp, record: Record) {
        match &record {
            Record::Event(arrived) => {
                self.cursors.push(arrived.cursor);
                self.taken.push(format!("{:?}", arrived.event.payload));
            }
            Record::Late(arrived, policy) => {
                self.late += 1;
                self.cursors.push(arrived.cursor);
                if *policy == LatePolicy::Next {
                    self.taken.push(format!("{:?}", arrived.event.payload));
                }
            }
            Record::Duplicate { cursor, .. } => {
                self.duplicates += 1;
                self.cursors.push(*cursor);
            }
            Record::Timer(Timer::Deadline(..)) => self.timeouts += 1,
            Record::Stale { .. } => self.stale += 1,
            Record::Start { .. } => self.runs += 1,
            Record::Published(_) => return,
            _ => {}
        }
        engine.replay(at, record).unwrap();
        for fact in engine.take_facts() {
            if let Fact::Committed { report, .. } = fact {
                self.read(&report);
            }
        }
    }

    fn read(&mut self, report: &str) {
        let report: serde_json::Value = serde_json::from_str(report).unwrap();
        let members = report["members"].as_array().unwrap();
        self.members.extend(members.iter().map(|member| member["payload"].to_string()));
    }

    fn publish(&mut self, engine: &mut Engine) {
        assert!(engine.is_finished(), "everything is done in the end");
        engine.resume(Timestamp::MAX);
        while let Some(command) = engine.poll_command() {
            let Command::Publish(parcel) = command else {
                continue;
            };
            for item in &parcel.items {
                if let Emission::Action(action) = item {
                    let crew = &engine.plan().crew(action.run.crew).spec.name;
                    let mut body = Vec::new();
                    wire::write_action(engine.stream(), crew, action, &mut body);
                    self.actions.push((action.id.to_string(), body));
                }
            }
        }
    }

    fn count(&self, tally: &mut Tally) {
        tally.late += self.late;
        tally.duplicates += self.duplicates;
        tally.timeouts += self.timeouts;
        tally.stale += self.stale;
        tally.runs += self.runs;
    }
}
