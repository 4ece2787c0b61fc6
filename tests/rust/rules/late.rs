//! Chapter 3: what becomes of late events (rule T5).

use crate::support::check;

#[test]
fn t5_next_delivers_a_late_event_in_the_oldest_open_slice() {
    check(
        r#"
        crew vision on frame
        only start
        @0 frame {"n":1}
        @500 frame {"n":2}   # closes 0 to 4
        @120 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        5 start vision 5.0 on frame{"n":3}(meant for 1)
        5 start vision 5.1 on frame{"n":2}
        "#,
    );
}

#[test]
fn t5_drop_forgets_a_late_event() {
    check(
        r#"
        crew vision on frame
        late drop
        only start late commit
        @0 frame {"n":1}
        @500 frame {"n":2}
        @120 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 commit
        5 start vision 5.0 on frame{"n":2}
        5 commit
        "#,
    );
}

#[test]
fn t5_dead_letter_sends_a_late_event_away() {
    check(
        r#"
        crew vision on frame
        late dead_letter
        only start late
        @0 frame {"n":1}
        @500 frame {"n":2}
        @120 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        5 late frame{"n":3} meant for 1 dead_letter
        5 start vision 5.0 on frame{"n":2}
        "#,
    );
}

#[test]
fn t5_fail_stops_the_stream_with_a_reason() {
    check(
        r#"
        crew vision on frame
        late fail
        only start fail refused
        @0 frame {"n":1}
        @500 frame {"n":2}
        @120 frame {"n":3}
        @600 frame {"n":4}
        ----
        0 start vision 0.0 on frame{"n":1}
        fail: event of kind `frame` came 4 slices late, and its late policy is `fail`
        refused: stream `story` has failed: event of kind `frame` came 4 slices late, and its late policy is `fail`
        "#,
    );
}

#[test]
fn t5_a_kind_may_have_a_policy_of_its_own() {
    check(
        "
        crew vision on frame goal
        late drop
        late goal next
        only start
        @0 frame
        @500 frame
        @120 goal
        @120 frame
        end
        ----
        0 start vision 0.0 on frame
        5 start vision 5.0 on goal(meant for 1)
        5 start vision 5.1 on frame
        ",
    );
}

#[test]
fn t5_late_events_are_counted_by_kind_and_policy() {
    let told = "
        crew vision on frame
        late goal drop
        @0 frame
        @500 frame
        @120 goal
        @130 goal
        @140 frame
        end";
    let mut stage = crate::support::stage::Stage::new(told, false).unwrap();
    stage.play(told);
    let late: Vec<String> =
        stage.engine.counters().late.iter().map(|late| format!("{late:?}")).collect();
    assert_eq!(late, [r#"(("frame", Next), 1)"#, r#"(("goal", Drop), 2)"#]);
}
