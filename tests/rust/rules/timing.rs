//! Chapter 7: in which slice the output of a long crew lands.

use crate::support::check;

#[test]
fn t7_async_lands_in_the_slice_that_is_open_when_it_arrives() {
    check(
        r#"
        crew vision on frame
          does later; act seen; set n 1
        pace realtime
        @0 frame
        now 450
        done vision 0.0
        now 500
        ----
        0 start vision 0.0 on frame
        0 commit
        4 lands vision 0.0
        4 act vision 0.0 seen
        4 commit
        ctx {"n":1}
        "#,
    );
}

#[test]
fn t7_async_in_virtual_pace_lands_in_the_slice_it_started_in() {
    check(
        "
        crew vision on frame
          does later; act seen
        only lands act
        @0 frame
        @500 tick
        now 9000
        done vision 0.0
        ----
        0 lands vision 0.0
        0 act vision 0.0 seen
        ",
    );
}

#[test]
fn t7_let_lands_exactly_n_slices_later_though_it_is_ready_earlier() {
    check(
        r#"
        crew vision on frame, let 3
          does act seen; set n 1
        @0 frame
        @100 tick
        @200 tick
        @300 tick
        @400 tick
        end
        ----
        0 start vision 0.0 on frame
        0 commit
        1 commit
        2 commit
        3 lands vision 0.0
        3 act vision 0.0 seen
        3 commit
        ctx {"n":1}
        4 commit
        finished
        "#,
    );
}

#[test]
fn t7_let_lands_at_the_same_slice_in_realtime() {
    check(
        "
        crew vision on frame, let 3
          does later; act seen
        pace realtime
        @0 frame
        now 120
        done vision 0.0
        now 399.999
        now 400
        ----
        0 start vision 0.0 on frame
        0 commit
        3 lands vision 0.0
        3 act vision 0.0 seen
        3 commit
        ",
    );
}

#[test]
fn t7_let_in_virtual_pace_waits_at_its_landing_slice() {
    check(
        "
        crew vision on frame, let 2
          does later; act seen
        @0 frame
        @100 tick
        @200 tick
        @300 tick       # closes 2, which waits for the run
        done vision 0.0
        end
        ----
        0 start vision 0.0 on frame
        0 commit
        1 commit
        2 lands vision 0.0
        2 act vision 0.0 seen
        2 commit
        3 commit
        finished
        ",
    );
}

#[test]
fn t7_let_not_ready_by_its_slice_is_a_miss() {
    check(
        "
        crew vision on frame, let 2
          does later; act seen
        pace realtime
        @0 frame
        now 300
        done vision 0.0
        now 900
        ----
        0 start vision 0.0 on frame
        0 commit
        cancel vision 0.0 try 1
        2 ends vision 0.0 missed
        2 error vision 0.0 missed: was not back by slice 2, in which it had to land
        2 commit
        stale vision 0.0 try 1
        ",
    );
}

#[test]
fn t7_let_with_on_miss_late_lands_when_it_arrives() {
    check(
        "
        crew vision on frame, let 2 late
          does later; act seen
        pace realtime
        @0 frame
        now 300
        now 550
        done vision 0.0
        now 600
        ----
        0 start vision 0.0 on frame
        0 commit
        5 lands vision 0.0
        5 act vision 0.0 seen
        5 commit
        ",
    );
}

#[test]
fn t7_let_reads_the_slice_it_started_in() {
    check(
        r#"
        crew counter on frame
          does incr n 1
        crew slow on frame, let 2, concurrency 3
          does incr m 1
        only slow start ctx
        @0 frame
        @100 frame
        @200 tick
        end
        ----
        0 start counter 0.0 on frame
        0 start slow 0.0 on frame
        ctx {"n":1}
        1 start counter 1.0 on frame sees {"n":1}
        1 start slow 1.0 on frame sees {"n":1}
        ctx {"n":2}
        ctx {"m":2,"n":2}
        "#,
    );
}

#[test]
fn t7_let_keeps_its_place_until_it_lands() {
    check(
        r#"
        crew slow on frame, let 2
          does incr n 1
        only start lands
        @0 frame {"n":1}
        @100 frame {"n":2}
        end
        ----
        0 start slow 0.0 on frame{"n":1}
        2 start slow 1.0 on frame{"n":2} sees {"n":1}
        2 lands slow 0.0
        4 lands slow 1.0
        "#,
    );
}

#[test]
fn t7_let_satisfies_needs_from_its_landing_slice() {
    check(
        "
        crew slow on frame, let 2
        crew talker on frame, needs slow@0
        only start
        @0 frame
        end
        ----
        0 start slow 0.0 on frame
        2 start talker 0.0 on frame with slow@0=2
        ",
    );
}

#[test]
fn t7_let_gives_the_same_in_both_paces_whatever_the_latency() {
    let story = |pace: &str, done: &str| {
        crate::support::tell(&format!(
            "
            crew vision on frame, let 3
              does later; act seen; incr n 1
            crew talker on tick, needs vision@-1
              does act said
            {pace}
            only lands act commit ctx
            @0 frame
            @110 tick
            {done}
            @250 other
            @310 tick
            now 800
            end"
        ))
    };
    let quick = story("pace realtime", "now 120\ndone vision 0.0");
    let slow = story("pace realtime", "@250 other\nnow 399\ndone vision 0.0");
    let ends = |story: &str| -> Vec<String> {
        let line = |line: &&str| line.contains("vision") || line.contains("talker");
        story.lines().filter(line).map(str::to_owned).collect()
    };
    assert_eq!(ends(&quick), ends(&slow));
    assert!(quick.contains("3 lands vision 0.0"), "{quick}");
}

#[test]
fn t7_sync_makes_the_commit_wait_for_the_run() {
    check(
        r#"
        crew vision on frame, sync, timeout 1000
          does later; set n 1
        crew quick on frame
        pace realtime
        @0 frame
        @110 frame
        now 350
        done vision 0.0
        now 351
        done vision 1.0
        now 400
        ----
        0 start quick 0.0 on frame      # answers while slice 1 is open
        0 start vision 0.0 on frame
        0 lands vision 0.0
        0 commit
        1 start quick 1.0 on frame sees {"n":1}      # answers while slice 3 is open
        1 start vision 1.0 on frame sees {"n":1}
        ctx {"n":1}
        1 lands quick 0.0
        1 lands vision 1.0
        1 commit
        3 lands quick 1.0
        3 commit
        "#,
    );
}

#[test]
fn t7_sync_is_bounded_by_its_timeout() {
    check(
        "
        crew vision on frame, sync, timeout 200
          does later
        pace realtime
        @0 frame
        now 299
        now 300
        ----
        0 start vision 0.0 on frame
        cancel vision 0.0 try 1
        0 ends vision 0.0 timeout
        0 error vision 0.0 timeout: took longer than `timeout_ms` (200)
        0 commit
        ",
    );
}

#[test]
fn t7_sync_without_a_timeout_is_refused() {
    check(
        "
        crew vision on frame, sync
        ----
        crew `vision`: `timing` is `sync`, it takes `timeout_ms` beside it, since commits wait for it
        ",
    );
}
