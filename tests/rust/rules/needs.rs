//! Chapter 6: what runs wait for, how long, and what they are told.

use crate::support::check;

#[test]
fn n1_a_crew_need_is_met_by_a_landing_and_an_event_need_by_an_event() {
    check(
        r#"
        crew vision on frame
          does value {"x":1}
        crew talker on tick, needs vision@0 event:goal@0
        only start
        @0 tick
        @10 frame
        @20 goal
        end
        ----
        0 start vision 0.0 on frame
        0 start talker 0.0 on tick with vision@0=0:{"x":1} event goal@0=0
        "#,
    );
}

#[test]
fn n2_vision_at_minus_one_is_met_at_once_when_it_landed_in_82() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@-1
        epoch 0
        only start
        @8200 frame
        @8300 tick
        end
        ----
        82 start vision 82.0 on frame
        83 start talker 83.0 on tick with vision@-1=82
        "#,
    );
}

#[test]
fn n2_vision_at_minus_one_is_met_at_84_when_it_lands_in_83() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@-1
        epoch 0
        only start
        @8300 tick
        @8310 frame
        @8600 other
        end
        ----
        83 start vision 83.0 on frame
        84 start talker 83.0 on tick with vision@-1=83
        "#,
    );
}

#[test]
fn n2_vision_at_minus_one_is_met_one_slice_after_it_does_land_however_late() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@-1
        epoch 0
        only start
        @8300 tick
        @9000 frame
        @9900 other
        end
        ----
        90 start vision 90.0 on frame
        91 start talker 83.0 on tick with vision@-1=90
        "#,
    );
}

#[test]
fn n2_a_landing_before_the_window_does_not_count() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@-1, expire 3
        epoch 0
        only start ends
        @8100 frame         # 81 is before 83 - 1
        @8300 tick
        end
        ----
        81 start vision 81.0 on frame
        84 ends talker 83.0 unsatisfied missing vision@-1
        "#,
    );
}

#[test]
fn n2_the_first_landing_in_the_window_is_the_one_seen() {
    check(
        r#"
        crew vision on frame
          does value 1
          does run=2.0 value 2
          does run=3.0 value 3
        crew talker on tick, needs vision@-2
        epoch 0
        only start
        @100 frame
        @200 frame
        @300 frame
        @310 tick
        @400 other
        end
        ----
        1 start vision 1.0 on frame
        2 start vision 2.0 on frame
        3 start talker 3.0 on tick with vision@-2=1:1
        3 start vision 3.0 on frame
        "#,
    );
}

#[test]
fn n2_at_minus_two_a_landing_is_seen_two_slices_later() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@-2
        epoch 0
        only start
        @1000 tick
        @1010 frame
        end
        ----
        10 start vision 10.0 on frame
        12 start talker 10.0 on tick with vision@-2=10
        "#,
    );
}

#[test]
fn n2_a_failure_satisfies_nothing() {
    check(
        r#"
        crew vision on frame
          does fail blind
          does run=5.0 value 1
        crew talker on tick, needs vision@0
        epoch 0
        only start
        @0 tick
        @0 frame
        @500 frame
        end
        ----
        0 start vision 0.0 on frame
        5 start vision 5.0 on frame
        5 start talker 0.0 on tick with vision@0=5:1
        "#,
    );
}

#[test]
fn n2_an_event_need_at_zero_is_met_in_its_own_slice_or_later() {
    check(
        r#"
        crew talker on tick, needs event:goal@0
        epoch 0
        only start
        @0 goal         # before the trigger's slice: no
        @100 tick
        @300 goal
        @400 tick
        @410 goal
        end
        ----
        3 start talker 1.0 on tick with event goal@0=3
        4 start talker 4.0 on tick with event goal@0=4
        "#,
    );
}

#[test]
fn n2_an_event_need_at_minus_one_looks_one_slice_back() {
    check(
        r#"
        crew talker on tick, needs event:goal@-1
        epoch 0
        only start
        @0 goal
        @100 tick       # met at once by 0
        @500 tick
        @510 goal       # seen in 6
        end
        ----
        1 start talker 1.0 on tick with event goal@-1=0
        6 start talker 5.0 on tick with event goal@-1=5
        "#,
    );
}

#[test]
fn n2_an_event_need_at_plus_one_is_met_in_the_slice_that_holds_the_event() {
    check(
        r#"
        crew talker on tick, needs event:goal@1
        epoch 0
        only start
        @100 tick
        @110 goal       # slice 1 is before 1 + 1
        @300 goal
        end
        ----
        3 start talker 1.0 on tick with event goal@1=3
        "#,
    );
}

#[test]
fn n3_a_crew_runs_after_the_one_it_needs_in_the_same_slice() {
    check(
        r#"
        crew a on tick, needs z@0
        crew z on tick
          does value 1
        @0 tick
        end
        ----
        0 start z 0.0 on tick
        0 lands z 0.0 1
        0 start a 0.0 on tick with z@0=0:1
        0 lands a 0.0
        0 commit
        finished
        "#,
    );
}

#[test]
fn n3_level_order_holds_for_wait_none_too() {
    check(
        r#"
        crew a on tick, needs z@0, wait none
        crew z on frame
        only start
        @0 tick
        @10 frame
        @100 tick
        end
        ----
        0 start z 0.0 on frame
        0 start a 0.0 on tick with z@0=0
        1 start a 1.0 on tick with z@0=?
        "#,
    );
}

#[test]
fn n3_crews_that_need_each_other_at_zero_are_refused_with_the_cycle() {
    check(
        "
        crew a on tick, needs b@0
        crew b on tick, needs c@0
        crew c on tick, needs a@0
        crew d on tick
        ----
        crews need each other in one slice: `a` → `b` → `c` → `a`; give one of these needs an offset of -1
        ",
    );
}

#[test]
fn n3_a_loop_with_a_negative_offset_is_allowed() {
    check(
        r#"
        crew a on tick, needs b@-1, wait none
        crew b on tick, needs a@0
        only start
        @0 tick
        @100 tick
        end
        ----
        0 start a 0.0 on tick with b@-1=?
        0 start b 0.0 on tick with a@0=0
        1 start a 1.0 on tick with b@-1=0
        1 start b 1.0 on tick with a@0=1
        "#,
    );
}

#[test]
fn n3_a_positive_offset_defers_to_the_slice_after_the_landing() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@1
        epoch 0
        only start
        @100 tick
        @110 frame       # slice 1 is before 1 + 1
        @200 frame       # 2 counts, and is seen in 3
        end
        ----
        1 start vision 1.0 on frame
        2 start vision 2.0 on frame
        3 start talker 1.0 on tick with vision@1=2
        "#,
    );
}

#[test]
fn n4_all_waits_for_every_need() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_any_starts_with_the_first_and_sees_all_that_are_met_by_then() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_any_does_not_see_what_is_visible_only_later() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_none_does_not_wait() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_timeout_runs_with_what_there_is_once_the_time_has_passed_in_virtual_pace() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_timeout_does_not_wait_when_all_is_met() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n4_timeout_is_a_timer_in_realtime() {
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@0, wait 250
        pace realtime
        only start
        @0 tick
        now 349.999     # slice 0 closed at 100
        ----
        "#,
    );
    check(
        r#"
        crew vision on frame
        crew talker on tick, needs vision@0, wait 250
        pace realtime
        only start
        @0 tick
        now 350
        ----
        3 start talker 0.0 on tick with vision@0=?
        "#,
    );
}

#[test]
fn n4_a_timer_that_lost_to_the_need_starts_nothing() {
    check(
        r#"
        crew talker on tick, needs event:goal@0, wait 250
        pace realtime
        only start
        @0 tick
        @150 goal
        now 900
        ----
        1 start talker 0.0 on tick with event goal@0=1
        "#,
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
        r#"
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
        "#,
    );
}

#[test]
fn n5_at_end_of_input_what_still_waits_is_unsatisfied_and_says_why() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n5_a_waiting_run_expires_when_slice_t_plus_n_plus_1_closes() {
    check(
        r#"
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
        "#,
    );
}

#[test]
fn n5_a_need_met_in_the_last_slice_saves_the_run() {
    check(
        r#"
        crew talker on tick, needs event:goal@0, expire 2
        only start ends
        @0 tick
        @350 goal
        @500 other
        end
        ----
        3 start talker 0.0 on tick with event goal@0=3
        "#,
    );
}

#[test]
fn n5_expiry_needs_no_event_to_happen() {
    check(
        r#"
        crew talker on tick, needs event:goal@0, expire 2
        pace realtime
        only ends
        @0 tick
        now 5000
        ----
        3 ends talker 0.0 expired missing event goal@0
        "#,
    );
}

#[test]
fn n6_the_facts_say_what_a_run_waits_for_and_what_met_it() {
    let told = "
        crew vision on frame
        crew talker on tick, needs vision@-1
        @0 tick
        @10 frame";
    let plan_told = format!("{told}\nend");
    let mut stage = crate::support::stage::Stage::new(&plan_told, false).unwrap();
    stage.play(&plan_told);
    let starts: Vec<String> = stage
        .journal
        .iter()
        .filter_map(|(_, record)| match record {
            live_crew::engine::Record::Start {
                run, slice, met, ..
            } => Some(format!("{}@{} {met:?}", run.key, slice.0)),
            _ => None,
        })
        .collect();
    assert_eq!(starts, ["0.0@0 []", "0.0@1 [Some(Slice(0))]"]);
}

#[test]
fn n7_a_need_on_an_unknown_crew_is_refused_with_the_closest_name() {
    check(
        "
        crew visions on frame
        crew commentator on tick, needs vision@-1
        ----
        crew `commentator` needs `vision`, which no crew provides; did you mean `visions`?
        ",
    );
    check(
        "
        crew commentator on tick, needs weather@-1
        ----
        crew `commentator` needs `weather`, which no crew provides
        ",
    );
}

#[test]
fn n7_kinds_are_open_unless_they_are_listed() {
    check(
        r#"
        crew a on gaol
        only start
        @0 gaol
        end
        ----
        0 start a 0.0 on gaol
        "#,
    );
    check(
        "
        crew a on gaol tick_*, needs event:tock@0
        kinds goal tick
        ----
        crew `a` names kind `gaol`, which `kinds` does not list; did you mean `goal`?
        crew `a` names kind `tick_*`, which `kinds` does not list; did you mean `tick`?
        crew `a` names kind `tock`, which `kinds` does not list; did you mean `tick`?
        ",
    );
}
