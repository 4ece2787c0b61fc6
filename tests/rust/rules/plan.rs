//! What `Plan::check` refuses, each with its message.

use live_crew::engine::{CrewName, Kind, Pattern, StreamId};

use crate::support::check;

fn refused(crew: &str, message: &str) {
    check(&format!("{crew}\n----\n{message}"));
}

#[test]
fn two_crews_of_one_name_are_refused() {
    refused("crew a on x\ncrew a on y", "crew `a` is declared twice; rename one");
}

#[test]
fn a_crew_that_nothing_wakes_is_refused() {
    let message = "crew `a` would never run: it has no triggers and needs no crew; add `triggers`, for all kinds `\"*\"`";
    refused("crew a", message);
    refused("crew a, needs event:goal@0", message);
}

#[test]
fn crews_that_only_start_each_other_are_refused() {
    refused(
        "crew a, needs b@-1\ncrew b, needs a@-1\ncrew c on x",
        "crews without triggers start each other for ever: `a` → `b` → `a`; give one of them a trigger",
    );
}

#[test]
fn a_crew_that_needs_itself_at_zero_is_refused() {
    refused(
        "crew a on x, needs a@0",
        "crews need each other in one slice: `a` → `a`; give one of these needs an offset of -1",
    );
}

#[test]
fn values_of_nought_are_refused() {
    refused(
        "crew a on x, concurrency 0, stride 0, max_errors 0, timeout 0, let 0",
        "crew `a`: `concurrency` is `0`, it takes 1 or more
         crew `a`: `slice_stride` is `0`, it takes 1 or more
         crew `a`: `max_errors` is `0`, it takes 1 or more
         crew `a`: `timing.let` is `0`, it takes 1 or more slices
         crew `a`: `timeout_ms` is `0`, it takes 1 or more",
    );
}

#[test]
fn attempts_outside_their_limit_are_refused() {
    let message = |attempts| {
        format!(
            "crew `a`: `retry.attempts` is `{attempts}`, it takes 1 to 100 (`Limits::attempts`)"
        )
    };
    refused("crew a on x, retry 0 0", &message(0));
    refused("crew a on x, retry 101 0", &message(101));
    refused("crew a on x, retry 100 0", "");
}

#[test]
fn offsets_that_are_too_far_are_refused() {
    let message =
        |need| format!("crew `a`: `needs` is `{need}`, it takes an offset from -10000 to 10000");
    refused("crew a on x, needs a@-10001", &message("a@-10001"));
    refused("crew a on x, needs event:x@10001", &message("event x@10001"));
    refused("crew a on x, needs a@-10000", "");
}

#[test]
fn the_farthest_offset_there_is_is_refused_and_does_not_overflow() {
    refused(
        "crew a on x, needs event:x@-9223372036854775808",
        "crew `a`: `needs` is `event x@-9223372036854775808`, it takes an offset from -10000 to 10000",
    );
}

#[test]
fn start_arrival_is_refused_beside_what_cannot_go_with_it() {
    refused(
        "crew a on x, start arrival, needs event:y@0",
        "crew `a`: `start` is `arrival`, it takes no needs to wait for, or `wait_policy: none`",
    );
    refused("crew a on x, start arrival, needs event:y@0, wait none", "");
    refused(
        "crew b on x\ncrew a, start arrival, needs b@0, wait none",
        "crew `a`: `start` is `arrival`, it takes `triggers` beside it",
    );
    let right =
        "crew `a`: `start` is `arrival`, it takes `batch: event` and `slice_stride: 1` beside it";
    refused("crew a on x, start arrival, batch slice", right);
    refused("crew a on x, start arrival, stride 2", right);
    refused(
        "crew a on x, start arrival, let 2",
        "crew `a`: `start` is `arrival`, it takes `timing: async` beside it",
    );
}

#[test]
fn more_crews_than_the_limit_are_refused() {
    refused(
        "limit crews 1\ncrew a on x\ncrew b on x",
        "a plan takes at most 1 crews (`Limits::crews`)",
    );
}

#[test]
fn every_problem_is_found_at_once() {
    refused(
        "crew a on x, needs c@0\ncrew b on x, stride 0",
        "crew `a` needs `c`, which no crew provides; did you mean `a`?
         crew `b`: `slice_stride` is `0`, it takes 1 or more",
    );
}

#[test]
fn names_are_checked_when_they_are_made() {
    let error = Kind::new("go al").unwrap_err().to_string();
    assert_eq!(error, "kind `go al` is not allowed: 1 to 50 of A-Z a-z 0-9 _");
    let error = StreamId::new("").unwrap_err().to_string();
    assert_eq!(error, "stream_id `` is not allowed: 1 to 100 of A-Z a-z 0-9 _ -");
    let error = CrewName::new("a/b").unwrap_err().to_string();
    assert_eq!(error, "crew `a/b` is not allowed: 1 to 64 of A-Z a-z 0-9 _ -");
    assert!(Kind::new(&"k".repeat(50)).is_ok() && Kind::new(&"k".repeat(51)).is_err());
    assert!(StreamId::new(&"s".repeat(100)).is_ok() && StreamId::new(&"s".repeat(101)).is_err());
    assert!(CrewName::new(&"c".repeat(64)).is_ok() && CrewName::new(&"c".repeat(65)).is_err());
    assert!(Kind::new("__hb").unwrap().is_reserved());
    let error = Pattern::new("go-al").unwrap_err().to_string();
    assert!(error.starts_with("trigger `go-al` is not allowed: "), "{error}");
}
