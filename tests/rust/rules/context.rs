//! Chapter 8: what runs read, how their writes merge, caps and access.

use crate::support::check;

#[test]
fn x1_a_run_reads_the_snapshot_committed_before_its_slice() {
    check(
        r#"
        crew a on frame
          does set x 1
        crew b on frame
        only start
        @0 frame
        @100 frame
        end
        ----
        0 start a 0.0 on frame
        0 start b 0.0 on frame
        1 start a 1.0 on frame sees {"x":1}
        1 start b 1.0 on frame sees {"x":1}
        "#,
    );
}

#[test]
fn x1_it_also_reads_the_diffs_of_its_satisfied_offset_0_needs() {
    check(
        r#"
        crew a on frame
          does set x 1
        crew b on frame, needs a@0
        crew c on frame, needs b@0     # the diff of a is not handed on
        only start
        @0 frame
        end
        ----
        0 start a 0.0 on frame
        0 start b 0.0 on frame sees {"x":1} with a@0=0
        0 start c 0.0 on frame with b@0=0
        "#,
    );
}

#[test]
fn x1_a_counter_counts_two_events_of_one_slice_as_two() {
    check(
        r#"
        crew counter on frame
          does incr n 1
        only start ctx
        @0 frame
        @1 frame
        end
        ----
        0 start counter 0.0 on frame
        0 start counter 0.1 on frame sees {"n":1}
        ctx {"n":2}
        "#,
    );
}

#[test]
fn x1_with_concurrency_runs_of_one_slice_do_not_read_each_other() {
    check(
        r#"
        crew counter on frame, concurrency 2
          does incr n 1
        only start ctx
        @0 frame
        @1 frame
        end
        ----
        0 start counter 0.0 on frame
        0 start counter 0.1 on frame
        ctx {"n":2}
        "#,
    );
}

#[test]
fn x1_a_failed_run_leaves_nothing_to_read() {
    check(
        r#"
        crew counter on frame
          does incr n 1
          does run=0.0 set n 5; fail boom
        only start ctx
        @0 frame
        @1 frame
        end
        ----
        0 start counter 0.0 on frame
        0 start counter 0.1 on frame
        ctx {"n":1}
        "#,
    );
}

#[test]
fn x2_two_crews_that_write_score_home_and_score_away_both_win() {
    check(
        r#"
        crew away on goal
          does set score {"away":2}
        crew home on goal
          does set score {"home":1}
        only ctx error
        @0 goal
        end
        ----
        ctx {"score":{"away":2,"home":1}}
        "#,
    );
}

#[test]
fn x2_a_real_conflict_is_won_by_the_last_and_recorded_with_both_writers() {
    check(
        r#"
        crew a on goal
          does set winner 1
        crew b on goal
          does set winner 2
        only ctx error
        @0 goal
        end
        ----
        0 error conflict winner a/0.0 b/0.0
        ctx {"winner":2}
        "#,
    );
}

#[test]
fn x2_conflicts_error_refuses_the_later_writer() {
    check(
        r#"
        crew a on goal
          does set winner 1
        crew b on goal
          does set winner 2; set more 3; act won
        conflicts error
        only ctx error act ends
        @0 goal
        end
        ----
        0 ends b 0.0 ctx_conflict
        0 error b 0.0 ctx_conflict: wrote `winner`, which `a/0.0` wrote in the same slice
        ctx {"winner":1}
        "#,
    );
}

#[test]
fn x2_writers_that_agree_do_not_conflict() {
    check(
        r#"
        crew a on goal
          does set winner 1
        crew b on goal
          does set winner 1
        only ctx error
        @0 goal
        end
        ----
        ctx {"winner":1}
        "#,
    );
}

#[test]
fn x2_a_writer_that_saw_the_other_does_not_conflict() {
    check(
        r#"
        crew a on goal
          does set winner 1
        crew b on goal, needs a@0
          does set winner 2
        only ctx error
        @0 goal
        end
        ----
        ctx {"winner":2}
        "#,
    );
}

#[test]
fn x2_writers_in_different_slices_do_not_conflict() {
    check(
        r#"
        crew a on goal
          does set winner 1
        crew b on tick
          does set winner 2
        only ctx error
        @0 goal
        @100 tick
        end
        ----
        ctx {"winner":1}
        ctx {"winner":2}
        "#,
    );
}

#[test]
fn x2_a_write_above_or_below_another_conflicts() {
    check(
        r#"
        crew a on goal
          does set score.home 1
        crew b on goal
          does delete score
        crew c on goal
          does set score.away 2
        only ctx error
        @0 goal
        end
        ----
        0 error conflict score a/0.0 b/0.0
        0 error conflict score.away b/0.0 c/0.0
        ctx {"score":{"away":2}}
        "#,
    );
}

#[test]
fn x2_incr_and_append_never_conflict() {
    check(
        r#"
        crew a on goal
          does incr n 1; append list "a"
        crew b on goal
          does incr n 10; append list "b"
        only ctx error
        @0 goal
        end
        ----
        ctx {"list":["a","b"],"n":11}
        "#,
    );
}

#[test]
fn x2_arrays_are_last_writer_wins() {
    check(
        r#"
        crew a on goal
          does set list [1,2]
        crew b on goal
          does set list [3]
        only ctx error
        @0 goal
        end
        ----
        0 error conflict list a/0.0 b/0.0
        ctx {"list":[3]}
        "#,
    );
}

#[test]
fn x2_setting_an_object_replaces_what_the_writer_saw_and_merges_with_the_rest() {
    check(
        r#"
        crew a on goal
          does set score {"away":0,"old":9}
        crew b on whistle
          does set score {"home":1}
        crew c on whistle
          does set score.late 5
        only ctx error
        @0 goal
        @100 whistle
        end
        ----
        ctx {"score":{"away":0,"old":9}}
        ctx {"score":{"home":1,"late":5}}
        "#,
    );
}

#[test]
fn x2_merging_goes_in_o3_order_whoever_answers_first() {
    check(
        r#"
        crew a on goal
          does later; append list "a"
        crew b on goal
          does later; append list "b"
        only ctx
        @0 goal
        @100 tick
        done b 0.0
        done a 0.0
        ----
        ctx {"list":["a","b"]}
        "#,
    );
}

#[test]
fn x2_a_change_that_does_not_fit_fails_the_run() {
    check(
        r#"
        crew a on goal
          does set name "x"; incr name 1
        crew b on tick
          does set list 1; append list 2
        only error ctx
        @0 goal
        @100 tick
        end
        ----
        0 error a 0.0 ctx_type: `name` is not a number, so nothing can be added to it
        1 error b 1.0 ctx_type: `list` is not an array, so nothing can be appended to it
        "#,
    );
}

#[test]
fn x2_a_change_that_no_longer_fits_when_it_lands_fails_the_run() {
    check(
        r#"
        crew a on goal
          does set n "text"
        crew b on goal
          does incr n 1; act counted
        only ends ctx act
        @0 goal
        end
        ----
        0 ends b 0.0 ctx_type
        ctx {"n":"text"}
        "#,
    );
}

#[test]
fn x3_a_diff_over_the_cap_is_rejected_whole_and_touches_nothing() {
    check(
        r#"
        crew a on goal
          does set n 1
        crew b on goal
          does set m 2; set long "0123456789"; act done
        max_bytes 20
        only ends error act ctx
        @0 goal
        end
        ----
        0 ends b 0.0 ctx_size
        0 error b 0.0 ctx_size: the context would have 33 bytes, `context.max_bytes` is 20
        ctx {"n":1}
        "#,
    );
}

#[test]
fn x3_a_diff_that_fills_the_cap_exactly_is_taken() {
    check(
        r#"
        crew a on goal
          does set n "0123456789"
        max_bytes 18
        only ends ctx
        @0 goal
        end
        ----
        ctx {"n":"0123456789"}
        "#,
    );
    check(
        r#"
        crew a on goal
          does set n "0123456789"
        max_bytes 17
        only ends ctx
        @0 goal
        end
        ----
        0 ends a 0.0 ctx_size
        "#,
    );
}

#[test]
fn x3_the_cap_is_on_the_merged_context() {
    check(
        r#"
        crew a on goal
          does set a "0123456789"
        crew b on goal
          does set b "0123456789"
        max_bytes 30
        only ends ctx
        @0 goal
        end
        ----
        0 ends b 0.0 ctx_size
        ctx {"a":"0123456789"}
        "#,
    );
}

#[test]
fn x3_a_ctx_size_run_satisfies_nothing() {
    check(
        r#"
        crew a on goal
          does set a "0123456789"
        crew b on goal, needs a@0
        max_bytes 10
        only start ends
        @0 goal
        end
        ----
        0 start a 0.0 on goal
        0 ends a 0.0 ctx_size
        1 ends b 0.0 unsatisfied missing a@0
        "#,
    );
}

#[test]
fn x4_a_crew_sees_only_what_it_may_read() {
    check(
        r#"
        crew a on goal
          does set score {"home":1,"away":2}; set secret 3
        crew b on tick
        access b read score.home weather
        only b start
        @0 goal
        @100 tick
        end
        ----
        0 start a 0.0 on goal
        1 start b 1.0 on tick sees {"score":{"home":1}}
        "#,
    );
}

#[test]
fn x4_a_write_outside_of_what_it_may_fails_the_run() {
    check(
        "
        crew a on goal
          does set score.home 1; set other 2; act scored
        access a write score.* n
        only ends error act ctx
        @0 goal
        end
        ----
        0 ends a 0.0 ctx_access
        0 error a 0.0 ctx_access: may not write `other`; `context.access.a.write` allows score.*, n
        ",
    );
}

#[test]
fn x4_a_write_within_what_it_may_is_taken() {
    check(
        r#"
        crew a on goal
          does set score.home 1; incr n 2
        access a write score.* n
        only ends ctx
        @0 goal
        end
        ----
        ctx {"n":2,"score":{"home":1}}
        "#,
    );
}

#[test]
fn x4_access_of_an_unknown_crew_is_refused() {
    check(
        "
        crew vision on frame
        access visoin read a
        ----
        `context.access` names `visoin`, which is no crew; did you mean `vision`?
        ",
    );
}

#[test]
fn x4_setting_an_object_keeps_what_the_crew_may_not_see() {
    check(
        r#"
        crew a on goal
          does set score {"home":1,"hidden":2}
        crew b on tick
          does set score {"home":5}
        access b read score.home
        only ctx
        @0 goal
        @100 tick
        end
        ----
        ctx {"score":{"hidden":2,"home":1}}
        ctx {"score":{"hidden":2,"home":5}}
        "#,
    );
}
