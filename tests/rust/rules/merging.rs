//! Chapter 8: changes that meet (rule X2).

use crate::support::check;

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
