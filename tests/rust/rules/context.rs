//! Chapter 8: what runs read, caps and access. How their writes merge is told in `merging.rs`.

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
