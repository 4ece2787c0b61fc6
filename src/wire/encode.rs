//! The records that every event makes, as postcard writes them: by hand, because by way of serde
//! each number is a call. The others, and what is rare in these, go that way.

use serde::Serialize;

use crate::engine::{Arrived, Draft, Ids, Outcome, Output, Record, RunId};

/// Appends what postcard makes of a value.
pub(super) fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    postcard::serialize_with_flavor(value, End(out)).expect("plain data goes into a Vec");
}

/// Appends a record.
pub(super) fn append_record(out: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Event(arrived) => {
            out.push(EVENT);
            append_arrived(out, arrived);
        }
        Record::Start { run, attempt, slice, met } => {
            out.push(START);
            append_run(out, *run);
            append_unsigned(out, u64::from(*attempt));
            append_signed(out, slice.0);
            if met.is_empty() { out.push(0) } else { append(out, met) }
        }
        Record::Result { run, attempt, outcome: Outcome::Done(output) } => {
            out.push(RESULT);
            append_run(out, *run);
            append_unsigned(out, u64::from(*attempt));
            out.push(DONE);
            append_output(out, output);
        }
        other => append(out, other),
    }
}

/// The places of variants in their enums.
const EVENT: u8 = 0;
const RESULT: u8 = 5;
const START: u8 = 13;
const DONE: u8 = 0;

fn append_run(out: &mut Vec<u8>, run: RunId) {
    append_unsigned(out, u64::from(run.crew.0));
    append_signed(out, run.key.trigger.0);
    append_unsigned(out, u64::from(run.key.place));
}

fn append_arrived(out: &mut Vec<u8>, arrived: &Arrived) {
    let Arrived { event, intended, cursor } = arrived;
    append_signed(out, event.ts.micros());
    append_bytes(out, event.kind.as_str().as_bytes());
    append_bytes(out, event.payload.as_bytes());
    append_option::<Ids>(out, event.ids.as_deref());
    append_option(out, intended.as_ref());
    append_unsigned(out, *cursor);
}

fn append_output(out: &mut Vec<u8>, output: &Output) {
    append_unsigned(out, output.actions.len() as u64);
    for Draft { kind, payload, ttl_ms, stream, ts, correlation_id, transaction_id } in
        &output.actions
    {
        append_bytes(out, kind.as_str().as_bytes());
        append_bytes(out, payload.as_bytes());
        append_option(out, ttl_ms.as_ref());
        append_option(out, stream.as_ref());
        append_option(out, ts.as_ref());
        append_option(out, correlation_id.as_ref());
        append_option(out, transaction_id.as_ref());
    }
    if output.diff.is_empty() {
        out.push(0);
    } else {
        append(out, &output.diff);
    }
    append_bytes(out, output.value.as_bytes());
}

fn append_option<T: Serialize>(out: &mut Vec<u8>, value: Option<&T>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            append(out, value);
        }
    }
}

fn append_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    append_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn append_signed(out: &mut Vec<u8>, number: i64) {
    // Zigzag: small numbers are short, whatever their sign.
    append_unsigned(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn append_unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        out.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    out.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7F
}

/// The end of a vector. The one that comes with postcard takes bytes one by one.
struct End<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for End<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::{collection, option, prelude::*};

    use super::*;
    use crate::{
        engine::{
            Change, CrewIx, Diff, Digest, Event, Failure, Kind, Op, Payload, Reason, RunKey, Slice,
            StreamId, Timestamp,
        },
        json::Json,
    };

    fn payload() -> impl Strategy<Value = Payload> {
        collection::vec(any::<u8>(), 0..300).prop_map(Payload::from_canonical)
    }

    fn text() -> impl Strategy<Value = Option<Arc<str>>> {
        option::of(".{0,200}".prop_map(Arc::from))
    }

    fn instant() -> impl Strategy<Value = Timestamp> {
        let all = Timestamp::MIN.micros()..=Timestamp::MAX.micros();
        prop_oneof![all, -200_i64..200].prop_map(|at| Timestamp::from_micros(at).unwrap())
    }

    fn slice() -> impl Strategy<Value = Slice> {
        prop_oneof![any::<i64>(), -200_i64..200].prop_map(Slice)
    }

    fn kind() -> impl Strategy<Value = Kind> {
        "[a-z_]{1,50}".prop_map(|kind| Kind::new(&kind).unwrap())
    }

    prop_compose! {
        fn run()(crew: u32, trigger in slice(), place: u32) -> RunId {
            RunId { crew: CrewIx(crew), key: RunKey { trigger, place } }
        }
    }

    prop_compose! {
        fn event()(
            ts in instant(), kind in kind(), payload in payload(), cursor: u64,
            ids in option::of([text(), text(), text(), text(), text()]),
            intended in option::of(slice()),
        ) -> Record {
            let ids = ids.map(|[id, correlation_id, transaction_id, causation_id, traceparent]| {
                Box::new(Ids { id, correlation_id, transaction_id, causation_id, traceparent })
            });
            let event = Event { ts, kind, payload, ids };
            Record::Event(Arc::new(Arrived { event, intended, cursor }))
        }
    }

    prop_compose! {
        fn draft()(
            kind in kind(), payload in payload(), ttl_ms: Option<u32>,
            stream in option::of("[a-z-]{1,100}"), ts in option::of(instant()),
            correlation_id in text(), transaction_id in text(),
        ) -> Draft {
            let stream = stream.map(|stream| StreamId::new(&stream).unwrap());
            Draft { kind, payload, ttl_ms, stream, ts, correlation_id, transaction_id }
        }
    }

    prop_compose! {
        fn result()(
            run in run(), attempt: u32, value in payload(),
            actions in collection::vec(draft(), 0..3), changes in 0..3_usize,
        ) -> Record {
            let op = Op { path: vec!["a".into(), "b".into()], change: Change::Set(Json::Null) };
            let output = Output { actions, diff: Diff(vec![op; changes]), value };
            Record::Result { run, attempt, outcome: Outcome::Done(Arc::new(output)) }
        }
    }

    prop_compose! {
        fn start()(
            run in run(), attempt: u32, slice in slice(),
            met in collection::vec(option::of(slice()), 0..3),
        ) -> Record {
            Record::Start { run, attempt, slice, met }
        }
    }

    fn check(record: &Record) {
        let mut out = vec![1, 2, 3];
        append_record(&mut out, record);
        assert_eq!(out[3..], postcard::to_stdvec(record).unwrap(), "{record:?}");
    }

    proptest! {
        #[test]
        fn records_are_written_as_postcard_writes_them(
            record in prop_oneof![event(), result(), start()],
        ) {
            check(&record);
        }

        #[test]
        fn numbers_are_written_as_postcard_writes_them(number: i64) {
            let mut out = Vec::new();
            append_signed(&mut out, number);
            prop_assert_eq!(out, postcard::to_stdvec(&number).unwrap());
        }
    }

    #[test]
    fn the_others_go_by_way_of_serde() {
        let failure = Failure { reason: Reason::Error, message: "no".into() };
        let run = RunId { crew: CrewIx(1), key: RunKey { trigger: Slice(2), place: 3 } };
        check(&Record::Result { run, attempt: 1, outcome: Outcome::Failed(failure) });
        check(&Record::Commit { slice: Slice(-1), digest: Digest([7; 32]) });
        check(&Record::Finish);
    }
}
