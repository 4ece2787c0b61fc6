//! Where rules meet: each story names the rules that decide it.

use crate::support::check;

#[test]
fn c7_t7_in_virtual_pace_a_slice_waits_for_the_retry() {
    check(
        "
        crew vision on frame, retry 2 300
          does fail blind
          does try=2 value 1
        only start lands commit
        @0 frame
        @100 frame
        end
        ----
        0 start vision 0.0 on frame
        0 start vision 0.0 try 2 on frame
        0 lands vision 0.0 1
        0 commit
        1 start vision 1.0 on frame
        1 start vision 1.0 try 2 on frame
        1 lands vision 1.0 1
        1 commit
        ",
    );
}

#[test]
fn t7_c7_a_let_run_that_fails_fails_in_its_landing_slice() {
    check(
        "
        crew vision on frame, let 2
          does fail blind
        only ends error commit
        @0 frame
        @300 tick
        end
        ----
        0 commit
        2 ends vision 0.0 error
        2 error vision 0.0 error: blind
        2 commit
        3 commit
        ",
    );
}

#[test]
fn t7_c7_a_let_run_may_be_tried_again_until_its_slice() {
    check(
        "
        crew vision on frame, let 2, retry 3 100
          does fail blind
        pace realtime
        only start fails ends cancel
        @0 frame
        now 1000       # attempts at 100 and 200; the third at 400 is past slice 2
        ----
        0 start vision 0.0 on frame
        fails vision 0.0 try 1 error
        0 start vision 0.0 try 2 on frame
        fails vision 0.0 try 2 error
        cancel vision 0.0 try 2
        2 ends vision 0.0 missed
        ",
    );
}

#[test]
fn c8_a_run_under_way_lands_though_its_crew_was_disabled() {
    check(
        "
        crew vision on frame
          does later; act seen
        pace realtime
        only start lands ends act
        @0 frame
        @110 frame
        now 150
        disable vision
        @210 frame
        now 250
        done vision 0.0
        now 400
        ----
        0 start vision 0.0 on frame
        1 ends vision 1.0 disabled
        2 ends vision 2.0 disabled
        2 lands vision 0.0
        2 act vision 0.0 seen
        ",
    );
}

#[test]
fn c8_a_disabled_crew_without_triggers_makes_no_runs() {
    check(
        "
        crew vision on frame
        crew chain, needs vision@0
        only start ends
        @0 frame
        disable chain
        @100 frame
        @210 other
        enable chain
        @220 frame
        end
        ----
        0 start vision 0.0 on frame
        0 ends chain 0.0 disabled
        1 start vision 1.0 on frame
        1 ends chain 1.0 disabled
        2 start vision 2.0 on frame
        2 start chain 2.0 on landing with vision@0=2
        ",
    );
}

#[test]
fn x2_c3_runs_of_one_crew_that_did_not_see_each_other_conflict() {
    check(
        r#"
        crew vision on frame, concurrency 2
          does set last 1
          does run=0.1 set last 2
        only error ctx
        @0 frame
        @1 frame
        end
        ----
        0 error conflict last vision/0.0 vision/0.1
        ctx {"last":2}
        "#,
    );
    check(
        r#"
        crew vision on frame
          does set last 1
          does run=0.1 set last 2
        only error ctx
        @0 frame
        @1 frame
        end
        ----
        ctx {"last":2}
        "#,
    );
}

#[test]
fn x2_a_set_over_an_incr_of_another_is_no_conflict() {
    check(
        r#"
        crew a on goal
          does incr n 5
        crew b on goal
          does set n 1
        only error ctx
        @0 goal
        end
        ----
        ctx {"n":1}
        "#,
    );
}

#[test]
fn x3_a_context_at_its_cap_may_shrink_and_then_grow_again() {
    check(
        r#"
        crew a on goal
          does set a "0123456789"
          does run=1.0 delete a
          does run=2.0 set b "0123456789"
        max_bytes 18
        only ends ctx
        @0 goal
        @100 goal
        @200 goal
        end
        ----
        ctx {"a":"0123456789"}
        ctx {}
        ctx {"b":"0123456789"}
        "#,
    );
}

#[test]
fn j3_o4_an_event_sent_again_after_a_crash_is_known() {
    check(
        "
        crew vision on frame
        only start
        @0 frame id=a
        crash
        @0 frame id=a
        restore
        @0 frame id=a
        end
        ----
        0 start vision 0.0 on frame
        ",
    );
}

#[test]
fn c5_c2_latest_with_batch_slice_keeps_the_newest_batch() {
    check(
        r#"
        crew vision on frame, batch slice, backlog latest
          does later
        pace realtime
        only start ends
        @0 frame {"n":1}
        @110 frame {"n":2}
        @120 frame {"n":3}
        @210 frame {"n":4}
        @220 frame {"n":5}
        now 350
        done vision 0.0
        ----
        0 start vision 0.0 on frame{"n":1}
        2 ends vision 1.0 replaced
        3 start vision 2.0 on frame{"n":4} frame{"n":5}
        "#,
    );
}

#[test]
fn c5_n4_latest_replaces_runs_that_wait_for_needs_as_well() {
    check(
        "
        crew talker on tick, needs event:goal@0, backlog latest
        only start ends
        @0 tick
        @100 tick
        @210 goal
        end
        ----
        1 ends talker 0.0 replaced missing event goal@0
        2 start talker 1.0 on tick with event goal@0=2
        ",
    );
}

#[test]
fn t7_c3_let_with_concurrency_lands_each_run_in_its_own_slice() {
    check(
        r#"
        crew slow on frame, let 2, concurrency 2
          does act seen
        only start act
        @0 frame {"n":1}
        @100 frame {"n":2}
        @200 frame {"n":3}
        end
        ----
        0 start slow 0.0 on frame{"n":1}
        1 start slow 1.0 on frame{"n":2}
        2 start slow 2.0 on frame{"n":3}
        2 act slow 0.0 seen
        3 act slow 1.0 seen
        4 act slow 2.0 seen
        "#,
    );
}

#[test]
fn c4_t7_a_place_that_comes_free_off_the_stride_is_taken_on_it() {
    check(
        r#"
        crew slow on frame, stride 3, let 2
        only start
        @0 frame {"n":1}
        @1 frame {"n":2}
        end
        ----
        0 start slow 0.0 on frame{"n":1}
        3 start slow 0.1 on frame{"n":2}
        "#,
    );
    check(
        r#"
        crew slow on frame, stride 4
        pace realtime
        only start
        @0 frame {"n":1}
        @1 frame {"n":2}
        @2 frame {"n":3}
        now 1500
        ----
        0 start slow 0.0 on frame{"n":1}
        4 start slow 0.1 on frame{"n":2}
        8 start slow 0.2 on frame{"n":3}
        "#,
    );
}

#[test]
fn t7_n5_at_the_end_of_a_live_stream_let_runs_keep_their_slice() {
    check(
        "
        crew slow on frame, let 5
          does later; act seen
        pace realtime
        @0 frame
        now 100
        end
        now 200
        done slow 0.0
        now 700
        ----
        0 start slow 0.0 on frame
        0 commit
        5 lands slow 0.0
        5 act slow 0.0 seen
        5 commit
        finished
        ",
    );
}

#[test]
fn x2_keys_with_dots_conflict_like_others() {
    check(
        r#"
        crew a on goal
          does set site {"example.com":1}
        crew b on goal
          does set site {"example.com":2}
        only error ctx
        @0 goal
        end
        ----
        0 error conflict site.example.com a/0.0 b/0.0
        ctx {"site":{"example.com":2}}
        "#,
    );
}

#[test]
fn c8_a_free_place_starts_no_run_of_a_disabled_crew() {
    check(
        r#"
        crew vision on frame
          does later
        pace realtime
        only start lands ends
        @0 frame {"n":1}
        @10 frame {"n":2}
        now 150
        disable vision
        done vision 0.0
        now 300
        ----
        0 start vision 0.0 on frame{"n":1}
        1 ends vision 0.1 disabled
        1 lands vision 0.0
        "#,
    );
}

#[test]
fn c10_j2_runs_on_arrival_keep_their_places_while_their_slice_is_open() {
    check(
        r"
        crew talker on tick, start arrival
        lateness 1000
        epoch 0
        only start
        @0 tick
        @500 tick
        @50 tick
        end
        ----
        0 start talker 0.0 on tick
        5 start talker 5.0 on tick
        0 start talker 0.1 on tick
        ",
    );
}

#[test]
fn c10_t7_in_virtual_pace_a_run_on_arrival_starts_in_its_slice_however_long_others_take() {
    check(
        r#"
        crew slow on tick, start arrival
          does later
        only start lands
        @0 tick {"n":1}
        @10 tick {"n":2}
        @200 tock        # closes 0 and 1
        done slow 0.0
        done slow 0.1
        end
        ----
        0 start slow 0.0 on tick{"n":1}
        0 start slow 0.1 on tick{"n":2}
        0 lands slow 0.0
        0 lands slow 0.1
        "#,
    );
}

#[test]
fn c10_c5_in_virtual_pace_runs_on_arrival_wait_in_the_input_and_never_overflow() {
    check(
        r"
        crew slow on tick, start arrival, backlog 1
          does later
        only start ends
        @0 tick
        @10 tick
        @20 tick
        @30 tick
        done slow 0.0
        done slow 0.1
        done slow 0.2
        done slow 0.3
        end
        ----
        0 start slow 0.0 on tick
        0 start slow 0.1 on tick
        0 start slow 0.2 on tick
        0 start slow 0.3 on tick
        ",
    );
}
