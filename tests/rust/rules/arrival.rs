//! Chapter 5: the low-latency lane, `start: arrival` (C10).

use crate::support::check;

#[test]
fn c10_a_run_with_start_arrival_starts_when_its_trigger_arrives() {
    check(
        r#"
        crew quick on frame, start arrival
          does act seen; set n 1
        crew calm on frame
        pace realtime
        @30 frame
        now 130
        ----
        0 start quick 0.0 on frame
        0 act quick 0.0 seen
        0 start calm 0.0 on frame
        0 lands quick 0.0
        0 commit
        ctx {"n":1}
        "#,
    );
}

#[test]
fn c10_it_reads_the_last_committed_snapshot_and_its_own_earlier_runs() {
    check(
        r#"
        crew quick on frame, start arrival
          does incr n 1
        pace realtime
        only start ctx
        @0 frame
        @10 frame     # the slice is not committed, the first run is its own (X1)
        now 100
        @110 frame
        now 200
        ----
        0 start quick 0.0 on frame
        0 start quick 0.1 on frame sees {"n":1}
        ctx {"n":2}
        1 start quick 1.0 on frame sees {"n":2}
        ctx {"n":3}
        "#,
    );
    check(
        r#"
        crew other on frame
          does set m 1
        crew quick on tick, start arrival
        pace realtime
        only start ctx
        @0 frame
        now 100       # other ran in slice 0, and lands in 1
        @150 tick     # 1 is not committed, so nothing of it is seen
        now 200
        @210 tick
        now 300
        ----
        0 start other 0.0 on frame
        1 start quick 1.0 on tick
        ctx {"m":1}
        2 start quick 2.0 on tick sees {"m":1}
        "#,
    );
}

#[test]
fn c10_in_virtual_pace_too_actions_leave_at_once() {
    check(
        r#"
        crew quick on frame, start arrival
          does act seen; incr n 1
        @0 frame
        @10 frame
        end
        ----
        0 start quick 0.0 on frame
        0 act quick 0.0 seen
        0 start quick 0.1 on frame sees {"n":1}
        0 act quick 0.1 seen
        0 lands quick 0.0
        0 lands quick 0.1
        0 commit
        finished
        ctx {"n":2}
        "#,
    );
}

#[test]
fn c10_its_actions_are_not_published_again_with_the_slice_or_after_a_crash() {
    check(
        "
        crew quick on frame, start arrival
          does act seen; incr n 1
        pace realtime
        only crash act commit
        @0 frame
        crash
        now 100
        crash
        ----
        0 act quick 0.0 seen
        crash
        0 commit
        crash
        ",
    );
}

#[test]
fn c10_t4_an_arrival_ahead_of_the_open_slice_starts_at_once_and_lands_in_its_own() {
    check(
        r#"
        crew quick on frame, start arrival
          does act seen; incr n 1
        lateness 300
        @0 other
        @250 frame
        end
        ----
        2 start quick 2.0 on frame
        2 act quick 2.0 seen
        0 commit
        2 lands quick 2.0
        2 commit
        finished
        ctx {"n":1}
        "#,
    );
}

#[test]
fn c10_t5_a_late_arrival_starts_in_the_open_slice() {
    check(
        "
        crew quick on frame, start arrival
        pace realtime
        only start
        @0 other
        @130 frame at=450
        ----
        4 start quick 4.0 on frame(meant for 1)
        ",
    );
}

#[test]
fn c10_n4_an_arrival_sees_what_needs_are_met_when_it_comes() {
    check(
        "
        crew vision on frame
          does value 7
        crew quick on tick, start arrival, needs vision@-1 vision@0, wait none
        epoch 0
        only start
        @0 tick
        @10 frame
        @100 other       # closes 0, in which vision lands
        @110 tick
        end
        ----
        0 start quick 0.0 on tick with vision@-1=? vision@0=?
        0 start vision 0.0 on frame
        1 start quick 1.0 on tick with vision@-1=0:7 vision@0=?
        ",
    );
}

#[test]
fn c10_c8_an_arrival_at_a_disabled_crew_ends_as_disabled() {
    check(
        "
        crew quick on frame, start arrival, max_errors 1
          does fail boom
        pace realtime
        only start ends disabled
        @0 frame
        now 100
        @110 frame
        now 200
        ----
        0 start quick 0.0 on frame
        0 ends quick 0.0 error
        1 disabled quick for good
        1 ends quick 1.0 disabled
        ",
    );
}

#[test]
fn c10_c6_an_arrival_that_comes_back_after_its_slice_lands_in_the_open_one() {
    check(
        r#"
        crew quick on frame, start arrival
          does later; act seen; incr n 1
        pace realtime
        @0 frame
        now 350
        done quick 0.0
        now 400
        ----
        0 start quick 0.0 on frame
        0 commit
        3 act quick 0.0 seen
        3 lands quick 0.0
        3 commit
        ctx {"n":1}
        "#,
    );
}

#[test]
fn c10_j2_arrivals_out_of_order_never_share_a_name() {
    check(
        r#"
        crew quick on frame, start arrival
        lateness 900
        only start
        @50 frame {"n":1}
        @350 frame {"n":2}
        @60 frame {"n":3}
        @360 frame {"n":4}
        end
        ----
        0 start quick 0.0 on frame{"n":1}
        3 start quick 3.0 on frame{"n":2}
        0 start quick 0.1 on frame{"n":3}
        3 start quick 3.1 on frame{"n":4}
        "#,
    );
}
