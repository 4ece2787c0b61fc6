//! Chapter 6: what runs wait for, what satisfies it, and in which order (N1 to N3, N6, N7).

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
        "
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
        ",
    );
}

#[test]
fn n2_vision_at_minus_one_is_met_at_84_when_it_lands_in_83() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_vision_at_minus_one_is_met_one_slice_after_it_does_land_however_late() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_a_landing_before_the_window_does_not_count() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_the_first_landing_in_the_window_is_the_one_seen() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_at_minus_two_a_landing_is_seen_two_slices_later() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_a_failure_satisfies_nothing() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_an_event_need_at_zero_is_met_in_its_own_slice_or_later() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_an_event_need_at_minus_one_looks_one_slice_back() {
    check(
        "
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
        ",
    );
}

#[test]
fn n2_an_event_need_at_plus_one_is_met_in_the_slice_that_holds_the_event() {
    check(
        "
        crew talker on tick, needs event:goal@1
        epoch 0
        only start
        @100 tick
        @110 goal       # slice 1 is before 1 + 1
        @300 goal
        end
        ----
        3 start talker 1.0 on tick with event goal@1=3
        ",
    );
}

#[test]
fn n3_a_crew_runs_after_the_one_it_needs_in_the_same_slice() {
    check(
        "
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
        ",
    );
}

#[test]
fn n3_level_order_holds_for_wait_none_too() {
    check(
        "
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
        ",
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
        "
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
        ",
    );
}

#[test]
fn n3_a_positive_offset_defers_to_the_slice_after_the_landing() {
    check(
        "
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
        ",
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
            live_crew::engine::Record::Start { run, slice, met, .. } => {
                Some(format!("{}@{} {met:?}", run.key, slice.0))
            }
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
        "
        crew a on gaol
        only start
        @0 gaol
        end
        ----
        0 start a 0.0 on gaol
        ",
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
