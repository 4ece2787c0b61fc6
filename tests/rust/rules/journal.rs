//! Chapter 9: the journal comes first, crashes lose nothing, digests tell runs apart.

use std::sync::Arc;

use live_crew::engine::{Command, Divergence, Engine, Input, Payload, Record, Slice, Timestamp};

use crate::support::{check, stage::Stage, tell};

fn play(told: &str) -> Stage {
    let mut stage = Stage::new(told, false).unwrap();
    stage.play(told);
    stage
}

const TWO_CREWS: &str = r#"
    crew vision on frame
      does act seen {"n":1}; incr n 1; value 7
    crew talker on frame, needs vision@-1
      does act said
    @0 frame
    @100 frame
    end"#;

/// A journal folded into an engine that has seen nothing.
fn fold(told: &str, journal: &[(Timestamp, Record)]) -> Result<Engine, Divergence> {
    let stage = Stage::new(told, false).unwrap();
    let mut engine = stage.engine;
    for (at, record) in journal {
        engine.replay(*at, record.clone())?;
    }
    Ok(engine)
}

#[test]
fn j1_a_record_is_there_before_the_command_it_leads_to() {
    let mut engine = Stage::new("crew vision on frame", false).unwrap().engine;
    let now = crate::support::declare::instant("0");
    let kind = live_crew::engine::Kind::new("frame").unwrap();
    let event = live_crew::engine::Event { ts: now, kind, payload: Payload::null(), ids: None };
    engine.handle(now, Input::Event { event, cursor: 1 }).unwrap();
    engine.handle(now, Input::End).unwrap();
    let records: Vec<Record> =
        engine.take_records().into_iter().map(|(_, record)| record).collect();
    let Some(Command::Start(job)) = engine.poll_command() else { panic!("a run starts") };
    assert!(
        matches!(
            records.as_slice(),
            [
                Record::Event(_),
                Record::End,
                Record::Epoch(_),
                Record::Close(Slice(0)),
                Record::Start { run, attempt: 1, slice: Slice(0), .. },
            ] if *run == job.run
        ),
        "{records:?}"
    );
}

#[test]
fn j1_an_input_that_is_refused_leaves_no_record() {
    let mut stage = play(
        "
        crew vision on frame
        limit open_events 1
        @0 frame
        @10 frame",
    );
    assert!(stage.said[0].starts_with("refused: "), "{:?}", stage.said);
    assert_eq!(stage.journal.len(), 1);
    assert!(stage.engine.take_records().is_empty());
}

#[test]
fn j1_events_over_the_limit_are_refused_with_its_name() {
    check(
        "
        crew vision on frame
        limit open_events 1
        only refused
        @0 frame
        @10 frame
        ----
        refused: stream `story` holds 1 events in open slices (`Limits::open_events`); lower `lateness_ms` or raise the limit
        ",
    );
}

#[test]
fn j1_after_the_end_no_event_is_taken() {
    check(
        "
        crew vision on frame
        only refused
        end
        @0 frame
        ----
        refused: stream `story` has ended in this journal and takes no more events; begin a new journal, or give them another stream
        ",
    );
}

#[test]
fn j2_a_commit_brings_actions_errors_and_context_at_once() {
    check(
        r#"
        crew bad on frame
          does fail boom
        crew good on frame
          does act seen; set n 1
        @0 frame
        @100 tick
        ----
        0 start bad 0.0 on frame
        0 start good 0.0 on frame
        0 ends bad 0.0 error
        0 lands good 0.0
        0 act good 0.0 seen
        0 error bad 0.0 error: boom
        0 commit
        ctx {"n":1}
        "#,
    );
}

fn action_ids(told: &str) -> Vec<String> {
    let told = told.to_owned() + "\npublish off";
    let mut stage = play(&told);
    // What was never published is published again, so a resumed engine shows every parcel.
    stage.engine.resume(crate::support::declare::instant("100000"));
    let mut ids = Vec::new();
    while let Some(command) = stage.engine.poll_command() {
        let Command::Publish(parcel) = command else {
            continue;
        };
        for item in &parcel.items {
            if let live_crew::engine::Emission::Action(action) = item {
                ids.push(action.id.to_string());
            }
        }
    }
    ids
}

#[test]
fn j2_action_ids_differ_by_crew_run_and_index_and_are_the_same_every_time() {
    let told = "
        crew a on frame
          does act one; act one
        crew b on frame
          does act one
        @0 frame
        @1 frame
        @100 frame
        end";
    let ids = action_ids(told);
    assert_eq!(ids.len(), 9);
    assert_eq!(ids, action_ids(told));
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[test]
fn j2_an_action_id_does_not_depend_on_the_attempt() {
    let story = |deeds: &str| {
        action_ids(&format!(
            "
            crew a on frame, retry 2 0
              {deeds}
            @0 frame
            end"
        ))
    };
    let first = story("does act one");
    let second = story("does try=1 fail boom\ndoes try=2 act one");
    assert_eq!(first.len(), 1);
    assert_eq!(first, second);
}

#[test]
fn j3_a_run_that_had_not_landed_runs_again_after_a_crash() {
    check(
        "
        crew vision on frame
          does later; act seen
        @0 frame
        @100 tick
        crash
        done vision 0.0
        end
        ----
        0 start vision 0.0 on frame
        crash
        0 start vision 0.0 on frame
        0 lands vision 0.0
        0 act vision 0.0 seen
        0 commit
        1 commit
        finished
        ",
    );
}

#[test]
fn j3_a_run_that_had_landed_does_not() {
    check(
        "
        crew vision on frame
          does act seen
        only start act crash
        @0 frame
        @100 tick
        crash
        end
        ----
        0 start vision 0.0 on frame
        0 act vision 0.0 seen
        crash
        ",
    );
}

#[test]
fn j3_actions_not_known_to_be_published_are_published_again_with_their_ids() {
    check(
        "
        crew vision on frame
          does act seen
        publish off
        only act crash
        @0 frame
        @100 frame
        crash
        ----
        0 act vision 0.0 seen
        crash
        0 act vision 0.0 seen again
        ",
    );
}

#[test]
fn j3_events_of_open_slices_survive_a_crash() {
    check(
        r#"
        crew vision on frame
        only start crash
        lateness 1000
        @0 frame {"n":1}
        @250 frame {"n":2}
        crash
        @120 frame {"n":3}
        end
        ----
        crash
        0 start vision 0.0 on frame{"n":1}
        1 start vision 1.0 on frame{"n":3}
        2 start vision 2.0 on frame{"n":2}
        "#,
    );
}

#[test]
fn j3_waiting_runs_timers_and_retries_survive_a_crash() {
    let story = |blow: &str| {
        tell(&format!(
            "
            crew vision on frame, retry 2 300
              does fail blind
              does try=2 value 1
            crew talker on tick, needs vision@0, wait 900
            pace realtime
            only start lands ends
            @0 frame
            @10 tick
            now 150
            {blow}
            now 2000"
        ))
    };
    let calm = story("");
    assert_eq!(calm, story("crash"));
    assert_eq!(calm, story("restore"));
    assert_eq!(calm.lines().count(), 5, "{calm}");
}

#[test]
fn j3_a_deadline_begins_anew_after_a_crash() {
    check(
        "
        crew vision on frame, timeout 500
          does later
        pace realtime
        only start cancel crash
        @0 frame
        now 400
        crash
        now 899.999
        ----
        0 start vision 0.0 on frame
        crash
        0 start vision 0.0 on frame
        ",
    );
}

#[test]
fn j4_the_same_story_has_the_same_digest_and_another_has_not() {
    let digest = |told: &str| play(told).engine.digest().unwrap();
    let same = digest(TWO_CREWS);
    assert_eq!(same, digest(TWO_CREWS));
    for (this, that) in [
        ("act said", "act told"),
        ("incr n 1", "incr n 2"),
        ("value 7", "value 8"),
        ("@100 frame", "@101 frame"),
        (r#"seen {"n":1}"#, r#"seen {"n":2}"#),
        ("crew talker on frame", "slice 99\ncrew talker on frame"),
    ] {
        assert_ne!(same, digest(&TWO_CREWS.replace(this, that)), "{this} → {that}");
    }
}

#[test]
fn j4_epoch0_and_slice_ms_enter_digest_0() {
    let digest = |settings: &str| play(settings).engine.digest();
    let at = |epoch: &str| format!("crew vision on frame\n{epoch}");
    assert_ne!(digest(&at("epoch 0")), digest(&at("epoch 100")));
    assert_ne!(digest(&at("epoch 0")), digest(&at("epoch 0\nslice 200")));
    assert_eq!(digest(&at("epoch 0")), digest(&at("epoch 0")));
    assert_eq!(digest(&at("")), None, "no epoch yet");
}

#[test]
fn j4_a_slice_in_which_nothing_happened_leaves_the_digest_alone() {
    let digest = |told: &str| play(told).engine.digest();
    let short = "crew vision on frame\nepoch 0\n@0 frame\n@100 frame\nend";
    let long = "crew vision on frame\nepoch 0\npace realtime\n@0 frame\n@100 frame\nnow 90000\nend";
    assert!(digest(short).is_some());
    assert_eq!(play(long).engine.commits(), 3, "the second run lands in slice 2");
    assert_eq!(play(short).engine.commits(), 2);
}

#[test]
fn j4_replay_compares_every_digest_and_names_what_differs() {
    let mut stage = play(TWO_CREWS);
    fold(TWO_CREWS, &stage.journal).expect("as it was written");
    let at = stage.journal.iter().position(|(_, record)| matches!(record, Record::Commit { .. }));
    if let (_, Record::Commit { digest, .. }) = &mut stage.journal[at.unwrap()] {
        digest.0[0] ^= 1;
    }
    let error = fold(TWO_CREWS, &stage.journal).unwrap_err();
    assert!(matches!(&error, Divergence::Differs { journal, engine: Some(engine) }
        if matches!((&**journal, &**engine),
            (Record::Commit { slice: Slice(0), .. }, Record::Commit { slice: Slice(0), .. }))));
}

#[test]
fn j4_a_plan_that_changed_shows_at_the_first_slice_it_touches() {
    let stage = play(TWO_CREWS);
    let changed = TWO_CREWS.replace("needs vision@-1", "needs vision@0");
    let error = fold(&changed, &stage.journal).unwrap_err();
    assert!(matches!(error, Divergence::Differs { .. }), "{error}");
}

#[test]
fn j4_a_journal_that_cannot_be_is_refused() {
    let stage = play(TWO_CREWS);
    let close = |slice| (Timestamp::MIN, Record::Close(Slice(slice)));
    let mut twice = stage.journal.clone();
    twice.push(close(0));
    let error = fold(TWO_CREWS, &twice).unwrap_err();
    assert!(matches!(error, Divergence::Impossible { .. }), "{error}");
    let error = fold(TWO_CREWS, &[close(0)]).unwrap_err();
    assert!(matches!(error, Divergence::Impossible { .. }), "{error}");
}

#[test]
fn j5_a_snapshot_goes_on_as_the_whole_journal_does() {
    let story = |blow: &str| {
        let told = format!(
            "
            crew vision on frame, let 2
              does act seen; incr n 1
            crew talker on tick, needs vision@-1, stride 2
              does act said; append list 1
            @0 frame id=a
            @110 tick
            @250 frame
            {blow}
            @260 frame id=a
            @310 tick
            @470 other
            end"
        );
        let stage = play(&told);
        (stage.engine.digest(), stage.engine.context().clone())
    };
    let calm = story("");
    assert_eq!(calm, story("restore"));
    assert_eq!(calm, story("crash"));
}

#[test]
fn j5_a_snapshot_is_the_same_however_it_came_about() {
    let stage = play(TWO_CREWS);
    let folded = fold(TWO_CREWS, &stage.journal).unwrap();
    let bytes = |engine: &Engine| postcard::to_stdvec(engine.snapshot()).unwrap();
    assert_eq!(bytes(&stage.engine), bytes(&folded));
    let again = Engine::restore(
        Arc::new(stage.engine.plan().clone()),
        postcard::from_bytes(&bytes(&folded)).unwrap(),
    );
    assert_eq!(bytes(&again), bytes(&folded));
}

#[test]
fn a1_actions_inherit_the_identities_of_the_trigger_unless_they_have_their_own() {
    check(
        "
        crew vision on frame, batch slice
          does act seen; act told,corr=own,ttl=100,stream=elsewhere; act home,stream=story
        only act
        @0 frame corr=c trans=t
        @1 frame corr=other
        end
        ----
        0 act vision 0.0 seen corr=c trans=t
        0 act vision 0.0 told ttl=100 stream=elsewhere corr=own trans=t
        0 act vision 0.0 home corr=c trans=t
        ",
    );
}

#[test]
fn a1_more_actions_or_changes_than_allowed_fail_the_run_with_the_limit() {
    check(
        r#"
        crew a on frame
          does act one; act two
        crew b on frame
          does set x 1; set y 2
        crew c on frame
          does act big "0123456789"
        limit actions_per_run 1
        limit ops_per_run 1
        limit payload_bytes 10
        only error act ctx
        @0 frame
        end
        ----
        0 error a 0.0 limit: answered with 2 actions, the limit is 1 (`Limits::actions_per_run`)
        0 error b 0.0 limit: made 2 context changes, the limit is 1 (`Limits::ops_per_run`)
        0 error c 0.0 limit: action `big` has 12 bytes of payload, the limit is 10 (`Limits::payload_bytes`)
        "#,
    );
}
