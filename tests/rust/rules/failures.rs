//! Chapter 5: time-outs, retries, disabled crews, and who is spared (C6 to C9).

use crate::support::check;

#[test]
fn c6_a_run_that_takes_longer_than_its_timeout_fails() {
    check(
        "
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
        ",
    );
}

#[test]
fn c6_a_result_that_comes_first_wins_over_the_timeout() {
    check(
        "
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
        ",
    );
}

#[test]
fn c6_a_second_answer_is_stale() {
    check(
        "
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
        ",
    );
}

#[test]
fn c6_in_virtual_pace_the_timeout_frees_the_slice() {
    check(
        "
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
        ",
    );
}

#[test]
fn c7_a_failed_attempt_is_tried_again_until_one_succeeds() {
    check(
        "
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
        ",
    );
}

#[test]
fn c7_the_run_fails_after_its_last_attempt() {
    check(
        "
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
        ",
    );
}

#[test]
fn c7_the_pause_between_attempts_doubles() {
    check(
        "
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
        ",
    );
    check(
        "
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
        ",
    );
}

#[test]
fn c7_a_timeout_is_tried_again_too_and_the_old_attempt_is_stale() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_failed_runs_in_a_row_disable_the_crew_from_the_next_slice_on() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_a_success_between_failures_keeps_the_crew() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_after_its_cooldown_a_crew_gets_one_try() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_a_success_after_the_cooldown_makes_the_crew_whole() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_waiting_runs_of_a_disabled_crew_end_as_disabled() {
    check(
        "
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
        ",
    );
}

#[test]
fn c8_a_person_disables_and_enables_a_crew() {
    check(
        "
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
        ",
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
        "
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
        ",
    );
}
