//! Where the rules of needs meet others: landings that make runs, ends, timers, strides.

use crate::support::check;

#[test]
fn t5_n2_a_late_event_counts_for_needs_where_it_is_delivered() {
    check(
        "
        crew talker on tick, needs event:goal@0
        epoch 0
        only start
        @100 tick
        @300 tick
        @500 other       # closes 0 to 4
        @120 goal        # meant for 1, delivered in 5
        end
        ----
        5 start talker 1.0 on tick with event goal@0=5
        5 start talker 3.0 on tick with event goal@0=5
        ",
    );
}

#[test]
fn n5_c3_a_run_that_waits_for_its_place_expires_too() {
    check(
        r#"
        crew vision on frame, expire 2
          does later
        pace realtime
        only start ends error
        @0 frame {"n":1}
        @10 frame {"n":2}
        now 900
        ----
        0 start vision 0.0 on frame{"n":1}
        3 ends vision 0.1 expired
        3 error vision 0.1 expired: did not start within `expire_after` (2) slices
        "#,
    );
}

#[test]
fn n5_in_realtime_the_end_waits_for_runs_under_way() {
    check(
        "
        crew vision on frame
          does later; act seen
        pace realtime
        @0 frame
        end
        now 5000
        done vision 0.0
        ----
        0 start vision 0.0 on frame
        0 commit
        50 lands vision 0.0
        50 act vision 0.0 seen
        50 commit
        finished
        ",
    );
}

#[test]
fn n4_c4_a_wait_that_times_out_starts_on_the_stride() {
    check(
        "
        crew talker on tick, needs event:goal@0, wait 250, stride 4
        only start
        @0 tick          # 250 ms have passed in slice 3, the stride says 4
        @900 other
        end
        ----
        4 start talker 0.0 on tick with event goal@0=?
        ",
    );
    check(
        "
        crew talker on tick, needs event:goal@0, wait 250, stride 4
        pace realtime
        only start
        @0 tick
        now 499.999
        now 500
        ----
        4 start talker 0.0 on tick with event goal@0=?
        ",
    );
}

#[test]
fn c1_n2_a_landing_with_a_positive_offset_makes_the_run_of_the_slice_before() {
    check(
        "
        crew vision on frame
        crew chain, needs vision@1
        epoch 0
        only start
        @500 frame       # lands in 5 = 4 + 1, seen from 6 on
        end
        ----
        5 start vision 5.0 on frame
        6 start chain 4.0 on landing with vision@1=5
        ",
    );
}

#[test]
fn c1_n4_a_landing_starts_a_crew_that_waits_for_any_of_its_needs() {
    check(
        "
        crew a on tick
        crew b on tock
        crew both, needs a@0 b@0, wait any
        crew eager, needs a@0 b@0, wait none
        only start
        @0 tick
        @100 tock
        @200 tick
        @210 tock
        end
        ----
        0 start a 0.0 on tick
        0 start both 0.0 on landing with a@0=0 b@0=?
        0 start eager 0.0 on landing with a@0=0 b@0=?
        1 start b 1.0 on tock
        1 start both 1.0 on landing with a@0=? b@0=1
        1 start eager 1.0 on landing with a@0=? b@0=1
        2 start a 2.0 on tick
        2 start b 2.0 on tock
        2 start both 2.0 on landing with a@0=2 b@0=2
        2 start eager 2.0 on landing with a@0=2 b@0=2
        ",
    );
}

#[test]
fn c1_c4_a_landing_between_the_slices_of_a_stride_is_taken_up_in_the_next_one() {
    check(
        "
        crew vision on frame
        crew chain, needs vision@0, stride 3
        only start
        @0 tick
        @100 frame
        @900 other
        end
        ----
        1 start vision 1.0 on frame
        3 start chain 1.0 on landing with vision@0=1
        ",
    );
}

#[test]
fn t6_n2_a_need_met_after_an_hour_of_silence_is_met() {
    check(
        "
        crew vision on frame
        crew talker on tick, needs vision@-1, expire 100000
        only start
        @0 tick
        @3600000 frame
        end
        ----
        36000 start vision 36000.0 on frame
        36001 start talker 0.0 on tick with vision@-1=36000
        ",
    );
}

#[test]
fn n5_c5_the_default_expiry_is_600_slices() {
    check(
        "
        crew talker on tick, needs event:goal@0
        only ends
        @0 tick
        @60100 other      # closes 600
        @60200 other      # closes 601 = 0 + 600 + 1
        ----
        601 ends talker 0.0 expired missing event goal@0
        ",
    );
}

#[test]
fn n4_c1_a_run_made_by_a_landing_waits_its_time_too() {
    check(
        "
        crew a on tick
        crew b on tock
        crew both, needs a@0 b@0, wait 250
        only start
        @0 tick
        @100 other
        @200 other
        @900 other
        end
        ----
        0 start a 0.0 on tick
        3 start both 0.0 on landing with a@0=0 b@0=?
        ",
    );
    check(
        "
        crew a on tick, sync, timeout 50
        crew b on tock
        crew both, needs a@-1 b@-1, wait 250    # its slice is 1, which closes at 200
        pace realtime
        only both start
        @0 tick
        now 449.999
        now 450
        ----
        0 start a 0.0 on tick
        4 start both 1.0 on landing with a@-1=0 b@-1=?
        ",
    );
}

#[test]
fn n4_a_timeout_of_nought_does_not_wait() {
    let story = |pace: &str| {
        crate::support::tell(&format!(
            "
            crew talker on tick, needs event:goal@0, wait 0
            {pace}
            only start
            @0 tick
            @100 other
            @300 other"
        ))
    };
    assert_eq!(story(""), "0 start talker 0.0 on tick with event goal@0=?");
    assert_eq!(story("pace realtime"), "0 start talker 0.0 on tick with event goal@0=?");
}

#[test]
fn n4_n5_a_timer_nobody_waits_for_does_not_hold_up_the_end() {
    check(
        "
        crew talker on tick, needs event:goal@0, wait 3600000
        pace realtime
        only start finished
        @0 tick
        @110 goal
        now 300
        end
        ----
        1 start talker 0.0 on tick with event goal@0=1
        finished
        ",
    );
}

#[test]
fn n5_c6_a_stream_that_has_finished_asks_for_no_wakeup() {
    let told = "
        crew talker on tick, needs event:goal@0, wait 3600000
        pace realtime
        @0 tick
        @110 goal
        now 300
        end";
    let mut stage = crate::support::stage::Stage::new(told, false).unwrap();
    stage.play(told);
    assert!(stage.engine.is_finished());
    assert_eq!(stage.engine.next_wakeup(), None);
}

#[test]
fn n5_c4_slices_do_not_go_on_for_a_run_that_expires_before_its_stride() {
    check(
        "
        crew b on frame, let 1, stride 3, expire 1
        crew a on tick, needs event:goal@0
        only ends lands
        @0 frame
        @1 frame         # expires in 2, the next slice of b is 3
        @2 tick
        end
        ----
        1 lands b 0.0
        2 ends b 0.1 expired
        2 ends a 0.0 unsatisfied missing event goal@0
        ",
    );
}
