//! Chapter 5: triggers, batches, concurrency, strides, backlog (C1 to C5).

use crate::support::check;

#[test]
fn c1_triggers_are_exact_kinds_globs_and_the_star() {
    check(
        "
        crew exact on goal
        crew glob on goal_*
        crew star on *
        only start
        @0 goal
        @100 goal_home
        @200 goals
        end
        ----
        0 start exact 0.0 on goal
        0 start star 0.0 on goal
        1 start glob 1.0 on goal_home
        1 start star 1.0 on goal_home
        2 start star 2.0 on goals
        ",
    );
}

#[test]
fn c1_a_kind_that_two_triggers_match_wakes_a_crew_once() {
    check(
        "
        crew both on goal goal* *
        only start
        @0 goal
        end
        ----
        0 start both 0.0 on goal
        ",
    );
}

#[test]
fn c1_a_crew_without_triggers_runs_when_the_crew_it_needs_lands() {
    check(
        "
        crew vision on frame
          does value 7
        crew analytics, needs vision@0
        crew history, needs vision@-1
        only start
        @0 frame
        @300 tick
        end
        ----
        0 start vision 0.0 on frame
        0 start analytics 0.0 on landing with vision@0=0:7
        1 start history 1.0 on landing with vision@-1=0:7
        ",
    );
}

#[test]
fn c1_a_landing_that_fails_starts_nobody() {
    check(
        "
        crew vision on frame
          does fail blind
        crew analytics, needs vision@0
        only start
        @0 frame
        end
        ----
        0 start vision 0.0 on frame
        ",
    );
}

#[test]
fn c1_two_runs_that_land_in_one_slice_start_a_dependent_once() {
    check(
        "
        crew vision on frame
        crew analytics, needs vision@0
        only start
        @0 frame
        @1 frame
        end
        ----
        0 start vision 0.0 on frame
        0 start vision 0.1 on frame
        0 start analytics 0.0 on landing with vision@0=0
        ",
    );
}

#[test]
fn c1_without_triggers_a_landing_that_lets_a_waiting_run_go_makes_no_other() {
    check(
        "
        crew a on tick
        crew b on tock
        crew both, needs a@0 b@0
        only start
        @0 tick
        @100 tock     # meets what the landing of a made in 0, so nothing new
        end
        ----
        0 start a 0.0 on tick
        1 start b 1.0 on tock
        1 start both 0.0 on landing with a@0=0 b@0=1
        ",
    );
}

#[test]
fn c2_batch_event_makes_one_run_for_each_trigger() {
    check(
        r#"
        crew vision on frame
        only start
        @0 frame {"n":1}
        @1 frame {"n":2}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":2}
        "#,
    );
}

#[test]
fn c2_batch_slice_makes_one_run_with_all_triggers_of_the_slice() {
    check(
        r#"
        crew vision on frame, batch slice
        only start
        @1 frame {"n":2}
        @0 frame {"n":1}
        @150 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1} frame{"n":2}
        1 start vision 1.0 on frame{"n":3}
        "#,
    );
}

#[test]
fn c3_one_run_at_a_time_the_next_begins_when_it_is_back() {
    check(
        r#"
        crew vision on frame
          does later
        @0 frame {"n":1}
        @1 frame {"n":2}
        @100 tick
        done vision 0.0
        done vision 0.1
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":2}
        0 lands vision 0.0
        0 lands vision 0.1
        0 commit
        "#,
    );
    check(
        r#"
        crew vision on frame
          does later
        @0 frame {"n":1}
        @1 frame {"n":2}
        @100 tick
        ----
        0 start vision 0.0 on frame{"n":1}
        "#,
    );
}

#[test]
fn c3_concurrency_lets_that_many_run_at_once() {
    check(
        r#"
        crew vision on frame, concurrency 2
          does later
        @0 frame {"n":1}
        @1 frame {"n":2}
        @2 frame {"n":3}
        @100 tick
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":2}
        "#,
    );
}

#[test]
fn c3_different_crews_run_together() {
    check(
        "
        crew ears on frame
          does later
        crew vision on frame
          does later
        @0 frame
        @100 tick
        ----
        0 start ears 0.0 on frame
        0 start vision 0.0 on frame
        ",
    );
}

#[test]
fn c4_a_stride_gathers_what_comes_between_its_slices() {
    check(
        r#"
        crew vision on frame, stride 3
        only start
        @0 frame {"n":1}
        @100 frame {"n":2}
        @250 frame {"n":3}
        @310 frame {"n":4}
        @400 frame {"n":5}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        3 start vision 3.0 on frame{"n":2}
        3 start vision 3.1 on frame{"n":3}
        3 start vision 3.2 on frame{"n":4}
        6 start vision 6.0 on frame{"n":5}
        "#,
    );
}

#[test]
fn c4_a_stride_with_batch_slice_makes_one_run_of_all_that_came() {
    check(
        r#"
        crew vision on frame, stride 3, batch slice
        only start
        @0 frame {"n":1}
        @100 frame {"n":2}
        @310 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        3 start vision 3.0 on frame{"n":2} frame{"n":3}
        "#,
    );
}

#[test]
fn c4_a_run_that_waits_is_looked_at_on_the_stride_only() {
    check(
        "
        crew vision on frame
        crew slow on tick, stride 4, needs vision@0
        only start
        @0 tick
        @100 frame     # meets the need in 1; 4 is the next slice of slow
        @900 other
        end
        ----
        1 start vision 1.0 on frame
        4 start slow 0.0 on tick with vision@0=1
        ",
    );
}

#[test]
fn c5_fifo_runs_wait_in_order() {
    check(
        r#"
        crew vision on frame
          does later
        pace realtime
        only start
        @0 frame {"n":1}
        @100 frame {"n":2}
        @200 frame {"n":3}
        now 400
        done vision 0.0
        done vision 1.0
        ----
        0 start vision 0.0 on frame{"n":1}
        4 start vision 1.0 on frame{"n":2}
        4 start vision 2.0 on frame{"n":3}
        "#,
    );
}

#[test]
fn c5_latest_lets_the_newest_slice_replace_what_waits() {
    check(
        r#"
        crew vision on frame, backlog latest
          does later
        pace realtime
        only start ends error
        @0 frame {"n":1}
        @100 frame {"n":2}
        @110 frame {"n":3}
        @200 frame {"n":4}
        @210 frame {"n":5}
        now 400
        done vision 0.0
        done vision 2.0
        done vision 2.1
        ----
        0 start vision 0.0 on frame{"n":1}
        2 ends vision 1.0 replaced
        2 ends vision 1.1 replaced
        4 start vision 2.0 on frame{"n":4}
        4 start vision 2.1 on frame{"n":5}
        "#,
    );
}

#[test]
fn c5_overflow_drops_the_oldest_and_says_so() {
    check(
        r#"
        crew vision on frame, backlog 1
          does later
        pace realtime
        only start ends error
        @0 frame {"n":1}
        @100 frame {"n":2}
        @200 frame {"n":3}
        @300 frame {"n":4}
        now 400
        ----
        0 start vision 0.0 on frame{"n":1}
        3 ends vision 1.0 overflow
        3 error vision 1.0 overflow: more than `max_backlog` (1) runs waited, the oldest went
        "#,
    );
}

#[test]
fn c5_a_backlog_within_its_limit_loses_nothing() {
    check(
        r#"
        crew vision on frame, backlog 2
          does later
        pace realtime
        only ends error
        @0 frame {"n":1}
        @100 frame {"n":2}
        @200 frame {"n":3}
        @300 frame {"n":4}
        now 400
        ----
        "#,
    );
}
