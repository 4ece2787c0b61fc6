//! Chapter 5: triggers, batches, concurrency, backlog, time-outs, retries, disabling.

use crate::support::check;

#[test]
fn c1_triggers_are_exact_kinds_globs_and_the_star() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn c1_a_kind_that_two_triggers_match_wakes_a_crew_once() {
    check(
        r#"
        crew both on goal goal* *
        only start
        @0 goal
        end
        ----
        0 start both 0.0 on goal
        "#,
    );
}

#[test]
fn c1_a_crew_without_triggers_runs_when_the_crew_it_needs_lands() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn c1_a_landing_that_fails_starts_nobody() {
    check(
        r#"
        crew vision on frame
          does fail blind
        crew analytics, needs vision@0
        only start
        @0 frame
        end
        ----
        0 start vision 0.0 on frame
        "#,
    );
}

#[test]
fn c1_two_runs_that_land_in_one_slice_start_a_dependent_once() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn c1_without_triggers_a_landing_that_lets_a_waiting_run_go_makes_no_other() {
    check(
        r#"
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
        "#,
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
        r#"
        crew ears on frame
          does later
        crew vision on frame
          does later
        @0 frame
        @100 tick
        ----
        0 start ears 0.0 on frame
        0 start vision 0.0 on frame
        "#,
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
        r#"
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
        "#,
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

#[test]
fn c6_a_run_that_takes_longer_than_its_timeout_fails() {
    check(
        r#"
        crew vision on frame, timeout 150
          does later
        pace realtime
        @0 frame
        now 249.999      # started at 100
        now 250
        done vision 0.0  # too late
        now 300
        ----
        0 start vision 0.0 on frame
        0 commit
        cancel vision 0.0 try 1
        stale vision 0.0 try 1
        2 ends vision 0.0 timeout
        2 error vision 0.0 timeout: took longer than `timeout_ms` (150)
        2 commit
        "#,
    );
}

#[test]
fn c6_a_result_that_comes_first_wins_over_the_timeout() {
    check(
        r#"
        crew vision on frame, timeout 200
          does later
        pace realtime
        only lands ends cancel stale
        @0 frame
        now 299.999
        done vision 0.0
        now 300
        now 400
        ----
        2 lands vision 0.0
        "#,
    );
}

#[test]
fn c6_a_second_answer_is_stale() {
    check(
        r#"
        crew vision on frame
          does later
        only lands stale
        @0 frame
        @100 tick
        done vision 0.0 value 1
        done vision 0.0 value 2
        ----
        0 lands vision 0.0 1
        stale vision 0.0 try 1
        "#,
    );
}

#[test]
fn c6_in_virtual_pace_the_timeout_frees_the_slice() {
    check(
        r#"
        crew vision on frame, timeout 200
          does later
        only start ends commit
        @0 frame
        @100 tick
        end
        ----
        0 start vision 0.0 on frame
        0 ends vision 0.0 timeout
        0 commit
        1 commit
        "#,
    );
}

#[test]
fn c7_a_failed_attempt_is_tried_again_until_one_succeeds() {
    check(
        r#"
        crew vision on frame, retry 3 0
          does fail blind
          does try=3 value 1
        only start fails lands ends
        @0 frame
        end
        ----
        0 start vision 0.0 on frame
        fails vision 0.0 try 1 error
        0 start vision 0.0 try 2 on frame
        fails vision 0.0 try 2 error
        0 start vision 0.0 try 3 on frame
        0 lands vision 0.0 1
        "#,
    );
}

#[test]
fn c7_the_run_fails_after_its_last_attempt() {
    check(
        r#"
        crew vision on frame, retry 2 0
          does fail blind
        only start fails ends error
        @0 frame
        end
        ----
        0 start vision 0.0 on frame
        fails vision 0.0 try 1 error
        0 start vision 0.0 try 2 on frame
        0 ends vision 0.0 error
        0 error vision 0.0 error: blind
        "#,
    );
}

#[test]
fn c7_the_pause_between_attempts_doubles() {
    check(
        r#"
        crew vision on frame, retry 3 100
          does fail blind
        pace realtime
        only start
        @0 frame
        now 199.999    # failed at 100
        now 200
        now 399.999    # failed at 200
        now 400
        ----
        0 start vision 0.0 on frame
        0 start vision 0.0 try 2 on frame
        0 start vision 0.0 try 3 on frame
        "#,
    );
    check(
        r#"
        crew vision on frame, retry 3 100
          does fail blind
        pace realtime
        only start
        @0 frame
        now 200
        now 399.999
        ----
        0 start vision 0.0 on frame
        0 start vision 0.0 try 2 on frame
        "#,
    );
}

#[test]
fn c7_a_timeout_is_tried_again_too_and_the_old_attempt_is_stale() {
    check(
        r#"
        crew vision on frame, retry 2 0, timeout 100
          does later
        pace realtime
        only start fails cancel stale lands
        @0 frame
        now 250
        done vision 0.0 try=1
        done vision 0.0 try=2
        now 300
        ----
        0 start vision 0.0 on frame
        cancel vision 0.0 try 1
        fails vision 0.0 try 1 timeout
        0 start vision 0.0 try 2 on frame
        stale vision 0.0 try 1
        2 lands vision 0.0
        "#,
    );
}

#[test]
fn c8_failed_runs_in_a_row_disable_the_crew_from_the_next_slice_on() {
    check(
        r#"
        crew vision on frame, max_errors 2
          does fail blind
        only start ends disabled error
        @0 frame
        @100 frame
        @110 frame     # still in slice 1: it runs
        @200 frame
        end
        ----
        0 start vision 0.0 on frame
        0 ends vision 0.0 error
        0 error vision 0.0 error: blind
        1 start vision 1.0 on frame
        1 start vision 1.1 on frame
        1 ends vision 1.0 error
        1 ends vision 1.1 error
        2 disabled vision for good
        1 error vision 1.0 error: blind
        1 error vision 1.1 error: blind
        1 error vision disabled after 3
        2 ends vision 2.0 disabled
        "#,
    );
}

#[test]
fn c8_a_success_between_failures_keeps_the_crew() {
    check(
        r#"
        crew vision on frame, max_errors 2
          does fail blind
          does run=1.0 value 1
        only ends lands disabled
        @0 frame
        @100 frame
        @200 frame
        end
        ----
        0 ends vision 0.0 error
        1 lands vision 1.0 1
        2 ends vision 2.0 error
        "#,
    );
}

#[test]
fn c8_after_its_cooldown_a_crew_gets_one_try() {
    check(
        r#"
        crew vision on frame, max_errors 2, cooldown 2
          does fail blind
        only start disabled
        @0 frame
        @1 frame       # disabled from 1 until 3
        @200 frame
        @300 frame     # half-open: one failure disables again, from 4 until 6
        @400 frame
        @600 frame
        end
        ----
        0 start vision 0.0 on frame
        0 start vision 0.1 on frame
        1 disabled vision until 3
        3 start vision 3.0 on frame
        4 disabled vision until 6
        6 start vision 6.0 on frame
        7 disabled vision until 9
        "#,
    );
}

#[test]
fn c8_a_success_after_the_cooldown_makes_the_crew_whole() {
    check(
        r#"
        crew vision on frame, max_errors 2, cooldown 1
          does fail blind
          does run=2.0 value 1
        only start disabled
        @0 frame
        @1 frame       # disabled from 1 until 2
        @200 frame     # succeeds
        @300 frame     # fails: the first of two
        @400 frame     # fails: the second
        end
        ----
        0 start vision 0.0 on frame
        0 start vision 0.1 on frame
        1 disabled vision until 2
        2 start vision 2.0 on frame
        3 start vision 3.0 on frame
        4 start vision 4.0 on frame
        5 disabled vision until 6
        "#,
    );
}

#[test]
fn c8_waiting_runs_of_a_disabled_crew_end_as_disabled() {
    check(
        r#"
        crew ears on sound
        crew vision on frame, needs ears@0, wait all
        only ends start
        @0 frame
        @100 tick
        disable vision
        @200 tick
        @300 sound
        end
        ----
        1 ends vision 0.0 disabled missing ears@0
        3 start ears 3.0 on sound
        "#,
    );
}

#[test]
fn c8_a_person_disables_and_enables_a_crew() {
    check(
        r#"
        crew vision on frame
        only start ends refused
        @0 frame
        disable vision
        @100 frame
        @210 tick
        enable vision
        @220 frame
        enable visoin
        end
        ----
        0 ends vision 0.0 disabled
        1 ends vision 1.0 disabled
        refused: there is no crew `visoin`; did you mean `vision`?
        2 start vision 2.0 on frame
        "#,
    );
}

#[test]
fn c9_a_failing_crew_changes_nothing_for_those_that_do_not_need_it() {
    let story = |deeds: &str| {
        crate::support::tell(&format!(
            "
            crew bad on frame
              does {deeds}
            crew good on frame
              does act seen; incr n 1
            crew unrelated on tick, needs good@-1
            only good unrelated start act
            @0 frame
            @50 tick
            @100 tick
            @200 frame
            end"
        ))
        .lines()
        .filter(|line| !line.contains("bad"))
        .map(str::to_owned)
        .collect::<Vec<_>>()
    };
    let healthy = story("value 1");
    assert_eq!(healthy, story("fail boom"));
    assert_eq!(healthy.len(), 6, "{healthy:?}");
}

#[test]
fn c9_a_slow_crew_keeps_no_other_waiting_in_realtime() {
    check(
        r#"
        crew slow on frame
          does later
        crew quick on frame
        pace realtime
        only quick commit start
        @0 frame
        @100 frame
        now 300
        ----
        0 start quick 0.0 on frame
        0 start slow 0.0 on frame
        0 commit
        1 start quick 1.0 on frame
        1 commit
        2 commit
        "#,
    );
}

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
        r#"
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
        "#,
    );
}
