//! Chapter 4: the order of events, crews and actions.

use proptest::{prelude::*, sample::select};

use crate::support::{check, tell};

#[test]
fn o1_events_of_a_slice_go_by_ts_then_kind_then_payload() {
    check(
        r#"
        crew all on *
        only start
        lateness 1000
        @50 b {"n":1}
        @50 a {"n":2}
        @50 a {"n":1}
        @0 z
        end
        ----
        0 start all 0.0 on z
        0 start all 0.1 on a{"n":1}
        0 start all 0.2 on a{"n":2}
        0 start all 0.3 on b{"n":1}
        "#,
    );
}

#[test]
fn o1_equal_events_go_by_their_other_fields_so_arrival_cannot_be_seen() {
    let story = |first: &str, second: &str| {
        tell(&format!(
            "
            crew all on *
              does act seen
            only start act
            @0 a corr={first}
            @0 a corr={second}
            end"
        ))
    };
    assert_eq!(story("x", "y"), story("y", "x"));
    assert!(story("x", "y").contains("all 0.0 seen corr=x"), "{}", story("x", "y"));
}

#[test]
fn o1_the_order_of_payloads_is_that_of_their_canonical_bytes() {
    check(
        r#"
        crew all on *
        only start
        @0 a {"n":2}
        @0 a {"n":10}       # "1" sorts before "2"
        @0 a {"N":3}        # capitals sort before small letters
        end
        ----
        0 start all 0.0 on a{"N":3}
        0 start all 0.1 on a{"n":10}
        0 start all 0.2 on a{"n":2}
        "#,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lateness covers the whole story, so every order is a late one nowhere.
    #[test]
    fn o1_any_order_of_arrival_gives_the_same_bytes_out(
        events in proptest::collection::vec(
            (0..400_i64, select(vec!["a", "b", "c"]), 0..3_u8).prop_map(|(ts, kind, n)| {
                format!("@{ts} {kind} {{\"n\":{n}}}")
            }),
            0..20,
        ),
        seed in any::<u64>(),
    ) {
        let declared = "
            crew a on a b
              does act seen; incr count 1; set last 1
            crew b on b c, needs a@0, wait any
              does act heard; append list 1
            lateness 1000
            ";
        let mut shuffled = events.clone();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let story = |events: &[String]| format!("{declared}\n{}\nend", events.join("\n"));
        prop_assert_eq!(tell(&story(&events)), tell(&story(&shuffled)));
    }
}

#[test]
fn o2_crews_go_by_level_then_priority_then_name() {
    check(
        "
        crew zeta on tick, priority -1
        crew beta on tick
        crew alpha on tick, needs beta@0, priority -9
        crew gamma on tick
        only start
        @0 tick
        end
        ----
        0 start zeta 0.0 on tick
        0 start beta 0.0 on tick
        0 start gamma 0.0 on tick
        0 start alpha 0.0 on tick with beta@0=0
        ",
    );
}

#[test]
fn o2_a_smaller_priority_goes_first() {
    check(
        "
        crew a on tick, priority 2
        crew b on tick, priority 1
        only start
        @0 tick
        end
        ----
        0 start b 0.0 on tick
        0 start a 0.0 on tick
        ",
    );
}

#[test]
fn o3_actions_go_by_crew_run_and_index_whoever_answers_first() {
    check(
        "
        crew a on tick, concurrency 2
          does later; act one; act two
        crew b on tick
          does later; act three
        only act
        @0 tick
        @1 tick
        @100 other
        done b 0.0
        done a 0.1
        done a 0.0
        done b 0.1
        ----
        0 act a 0.0 one
        0 act a 0.0 two
        0 act a 0.1 one
        0 act a 0.1 two
        0 act b 0.0 three
        0 act b 0.1 three
        ",
    );
}

#[test]
fn o3_the_landing_slice_comes_before_everything_else() {
    check(
        "
        crew a on tick
          does later; act one
        crew b on tock
          does later; act two
        pace realtime
        only act
        @0 tick
        @10 tock
        now 150
        done b 0.0
        now 250
        done a 0.0
        now 300
        ----
        1 act b 0.0 two
        2 act a 0.0 one
        ",
    );
}

#[test]
fn o4_an_event_with_a_known_producer_id_is_taken_once() {
    check(
        r#"
        crew vision on frame
        only start
        @0 frame {"n":1} id=a
        @10 frame {"n":1} id=a
        @20 frame {"n":1} id=b
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":1}
        "#,
    );
}

#[test]
fn o4_events_without_an_id_are_all_processed() {
    check(
        r#"
        crew vision on frame
        only start
        @0 frame {"n":1}
        @0 frame {"n":1}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":1}
        "#,
    );
}

#[test]
fn o4_an_id_is_forgotten_once_it_is_older_than_the_window_in_event_time() {
    let story = |second: &str| {
        tell(&format!(
            "
            crew vision on frame
            dedupe 2
            only start
            @0 frame id=a
            @{second} frame id=b
            @{second} frame id=a
            end"
        ))
    };
    assert_eq!(story("2000").lines().count(), 2, "2 s later it is known still");
    assert_eq!(story("2000.001").lines().count(), 3, "a microsecond later it is not");
}

#[test]
fn o4_a_late_event_is_remembered_by_its_id_too() {
    check(
        r#"
        crew vision on frame
        late drop
        only start
        @0 frame {"n":1}
        @500 frame {"n":2}
        @120 frame {"n":3} id=a    # late, dropped, remembered
        @510 frame {"n":4} id=a
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        5 start vision 5.0 on frame{"n":2}
        "#,
    );
}
