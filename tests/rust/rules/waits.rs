//! Chapter 6: how long runs wait, and how waiting ends (N4, N5).

use crate::support::check;

#[test]
fn n4_all_waits_for_every_need() {
    check(
        "
        crew ears on sound
        crew vision on frame
        crew talker on tick, needs ears@0 vision@0
        only start
        @0 tick
        @10 sound
        @200 frame
        end
        ----
        0 start ears 0.0 on sound
        2 start vision 2.0 on frame
        2 start talker 0.0 on tick with ears@0=0 vision@0=2
        ",
    );
}

#[test]
fn n4_any_starts_with_the_first_and_sees_all_that_are_met_by_then() {
    check(
        "
        crew ears on sound
        crew vision on frame
        crew talker on tick, needs ears@0 vision@0, wait any
        only start
        @0 tick
        @200 sound
        @210 frame
        @300 tick
        @310 frame
        end
        ----
        2 start ears 2.0 on sound
        2 start vision 2.0 on frame
        2 start talker 0.0 on tick with ears@0=2 vision@0=2
        3 start vision 3.0 on frame
        3 start talker 3.0 on tick with ears@0=? vision@0=3
        ",
    );
}

#[test]
fn n4_any_does_not_see_what_is_visible_only_later() {
    check(
        "
        crew ears on sound
        crew vision on frame
        crew talker on tick, needs ears@0 vision@-1, wait any
        only start
        @0 tick
        @10 sound
        @20 frame        # vision@-1 lands in 0, and is seen in 1
        end
        ----
        0 start ears 0.0 on sound
        0 start vision 0.0 on frame
        0 start talker 0.0 on tick with ears@0=0 vision@-1=?
        ",
    );
}

#[test]
fn n4_none_does_not_wait() {
    check(
        "
        crew vision on frame
        crew talker on tick, needs vision@-1, wait none
        only start
        @0 tick
        @10 frame
        @100 tick
        end
        ----
        0 start talker 0.0 on tick with vision@-1=?
        0 start vision 0.0 on frame
        1 start talker 1.0 on tick with vision@-1=0
        ",
    );
}

#[test]
fn n4_timeout_runs_with_what_there_is_once_the_time_has_passed_in_virtual_pace() {
    check(
        "
        crew ears on sound
        crew vision on frame
        crew talker on tick, needs ears@0 vision@0, wait 250
        only start
        @0 tick          # slice 0 closes at 100, 250 ms have passed in slice 3
        @10 sound
        @900 frame
        end
        ----
        0 start ears 0.0 on sound
        3 start talker 0.0 on tick with ears@0=0 vision@0=?
        9 start vision 9.0 on frame
        ",
    );
}

#[test]
fn n4_timeout_does_not_wait_when_all_is_met() {
    check(
        "
        crew vision on frame
        crew talker on tick, needs vision@0, wait 250
        only start
        @0 tick
        @100 frame
        @900 other
        end
        ----
        1 start vision 1.0 on frame
        1 start talker 0.0 on tick with vision@0=1
        ",
    );
}

#[test]
fn n4_timeout_is_a_timer_in_realtime() {
    check(
        "
        crew vision on frame
        crew talker on tick, needs vision@0, wait 250
        pace realtime
        only start
        @0 tick
        now 349.999     # slice 0 closed at 100
        ----
        ",
    );
    check(
        "
        crew vision on frame
        crew talker on tick, needs vision@0, wait 250
        pace realtime
        only start
        @0 tick
        now 350
        ----
        3 start talker 0.0 on tick with vision@0=?
        ",
    );
}

#[test]
fn n4_a_timer_that_lost_to_the_need_starts_nothing() {
    check(
        "
        crew talker on tick, needs event:goal@0, wait 250
        pace realtime
        only start
        @0 tick
        @150 goal
        now 900
        ----
        1 start talker 0.0 on tick with event goal@0=1
        ",
    );
}

#[test]
fn n4_a_run_that_does_not_wait_is_not_held_up_by_one_that_does() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@0
        only start
        @0 tick {"n":1}
        @100 tick {"n":2}
        @110 frame
        end
        ----
        1 start vision 1.0 on frame
        1 start talker 0.0 on tick{"n":1} with vision@0=1
        1 start talker 1.0 on tick{"n":2} with vision@0=1
        "#,
    );
}

#[test]
fn n5_at_end_of_input_slices_go_on_while_a_run_can_still_start() {
    check(
        "
        crew analytics on login, needs user_management@-1
        crew user_management on login
        @0 login
        end
        ----
        0 start user_management 0.0 on login
        0 lands user_management 0.0
        0 commit
        1 start analytics 0.0 on login with user_management@-1=0
        1 lands analytics 0.0
        1 commit
        finished
        ",
    );
}

#[test]
fn n5_at_end_of_input_what_still_waits_is_unsatisfied_and_says_why() {
    check(
        "
        crew ears on sound
        crew talker on tick, needs ears@-1 event:goal@0
        @0 tick
        @10 sound
        end
        ----
        0 start ears 0.0 on sound
        0 lands ears 0.0
        0 commit
        1 ends talker 0.0 unsatisfied missing event goal@0
        1 error talker 0.0 unsatisfied: the input ended before it could start missing event goal@0
        1 commit
        finished
        ",
    );
}

#[test]
fn n5_a_waiting_run_expires_when_slice_t_plus_n_plus_1_closes() {
    check(
        "
        crew talker on tick, needs event:goal@0, expire 2
        only ends error commit
        @0 tick
        @350 other
        @400 goal       # closes 3 = 0 + 2 + 1, the goal is in 4
        end
        ----
        0 commit
        3 ends talker 0.0 expired missing event goal@0
        3 error talker 0.0 expired: did not start within `expire_after` (2) slices missing event goal@0
        3 commit
        4 commit
        ",
    );
}

#[test]
fn n5_a_need_met_in_the_last_slice_saves_the_run() {
    check(
        "
        crew talker on tick, needs event:goal@0, expire 2
        only start ends
        @0 tick
        @350 goal
        @500 other
        end
        ----
        3 start talker 0.0 on tick with event goal@0=3
        ",
    );
}

#[test]
fn n5_expiry_needs_no_event_to_happen() {
    check(
        "
        crew talker on tick, needs event:goal@0, expire 2
        pace realtime
        only ends
        @0 tick
        now 5000
        ----
        3 ends talker 0.0 expired missing event goal@0
        ",
    );
}
