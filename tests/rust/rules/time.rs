//! Chapter 3: epoch, slices, closing, pace. What becomes of late events is told in `late.rs`.

use live_crew::engine::{Beat, Clock, EpochPolicy, Slice, Span, Timestamp};
use proptest::prelude::*;

use crate::support::{check, declare::BASE};

#[test]
fn t1_epoch0_is_the_smallest_ts_seen_before_the_first_slice_closes() {
    check(
        r#"
        crew vision on frame
        lateness 500
        only start
        @250 frame {"n":1}
        @0 frame {"n":2}
        end
        ----
        0 start vision 0.0 on frame{"n":2}
        2 start vision 2.0 on frame{"n":1}
        "#,
    );
}

#[test]
fn t1_epoch0_does_not_move_once_a_slice_has_closed() {
    check(
        r#"
        crew vision on frame
        only start
        @250 frame {"n":1}
        @350 frame {"n":2}   # closes slice 0, which began at 250
        @100 frame {"n":3}   # 150 ms before the epoch: slice -2
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        1 start vision 1.0 on frame{"n":3}(meant for -2)
        1 start vision 1.1 on frame{"n":2}
        "#,
    );
}

#[test]
fn t1_an_aligned_epoch_is_floored_to_a_multiple_of_the_beat() {
    check(
        r#"
        crew vision on frame
        epoch aligned
        only start
        @50 frame {"n":1}
        @120 frame {"n":2}   # 70 ms later, yet in the next slice
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        1 start vision 1.0 on frame{"n":2}
        "#,
    );
}

#[test]
fn t1_a_configured_epoch_makes_what_came_before_it_late() {
    check(
        r#"
        crew vision on frame
        epoch 200
        late drop
        only start finished
        @199 frame {"n":1}
        @200 frame {"n":2}
        @450 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":2}
        2 start vision 2.0 on frame{"n":3}
        finished
        "#,
    );
}

#[test]
fn t2_four_hundred_thousand_exact_boundaries_land_in_their_slices() {
    let epoch0 = Timestamp::from_micros(BASE + 7).unwrap();
    let clock = Clock { epoch0, beat: Beat::from_ms(100).unwrap() };
    for k in -200_000..200_000_i64 {
        let start = Timestamp::from_micros(BASE + 7 + k * 100_000).unwrap();
        let before = Timestamp::from_micros(start.micros() - 1).unwrap();
        assert_eq!(clock.slice_of(start), Slice(k));
        assert_eq!(clock.slice_of(before), Slice(k - 1));
        assert_eq!(clock.start(Slice(k)), start);
        assert_eq!(clock.end(Slice(k - 1)), start);
    }
}

proptest! {
    #[test]
    fn t2_the_slice_of_an_instant_is_the_one_that_holds_it(
        epoch0 in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
        ts in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
        beat in 1..=10_000_u32,
    ) {
        let epoch0 = Timestamp::from_micros(epoch0).unwrap();
        let clock = Clock { epoch0, beat: Beat::from_ms(beat).unwrap() };
        let slice = clock.slice_of(Timestamp::from_micros(ts).unwrap());
        let start = i128::from(epoch0.micros()) + i128::from(slice.0) * i128::from(beat) * 1_000;
        prop_assert!(start <= i128::from(ts));
        prop_assert!(i128::from(ts) < start + i128::from(beat) * 1_000);
    }

    #[test]
    fn t1_an_aligned_epoch_is_never_later_and_less_than_a_beat_earlier(
        first in 0..Timestamp::MAX.micros(),
        beat in 1..=10_000_u32,
    ) {
        let ts = Timestamp::from_micros(first).unwrap();
        let epoch0 = EpochPolicy::Aligned.epoch0(ts, Beat::from_ms(beat).unwrap()).micros();
        prop_assert_eq!(epoch0 % (i64::from(beat) * 1_000), 0);
        prop_assert!(epoch0 <= first && first - epoch0 < i64::from(beat) * 1_000);
    }
}

#[test]
fn t2_a_span_is_counted_in_slices_rounded_up() {
    let beat = Beat::from_ms(100).unwrap();
    let slices = |ms| beat.slices_in(Span::from_ms(ms));
    assert_eq!([slices(0), slices(1), slices(100), slices(101)], [0, 1, 1, 2]);
}

#[test]
fn t2_a_beat_has_1_to_10_000_ms() {
    assert!(Beat::from_ms(0).is_none());
    assert!(Beat::from_ms(1).is_some());
    assert!(Beat::from_ms(10_000).is_some());
    assert!(Beat::from_ms(10_001).is_none());
}

#[test]
fn t2_instants_keep_within_the_years_1_to_9999() {
    let hour = Span::from_secs(3_600);
    assert_eq!(Timestamp::MAX.plus(hour), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.minus(hour), Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(Timestamp::MAX.micros() + 1), None);
    assert_eq!(Timestamp::from_micros(Timestamp::MIN.micros() - 1), None);
}

#[test]
fn t3_an_instant_on_the_boundary_belongs_to_the_slice_that_begins_there() {
    check(
        r#"
        crew vision on frame
        @0 frame {"n":1}
        @99.999 frame {"n":2}
        @100 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":2}
        0 lands vision 0.0
        0 lands vision 0.1
        0 commit
        1 start vision 1.0 on frame{"n":3}
        1 lands vision 1.0
        1 commit
        finished
        "#,
    );
}

#[test]
fn t3_a_closed_slice_never_opens_again() {
    check(
        r#"
        crew vision on frame
        only start commit
        @0 frame {"n":1}
        @100 frame {"n":2}   # closes slice 0
        @50 frame {"n":3}    # would be in slice 0
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 commit
        1 start vision 1.0 on frame{"n":3}(meant for 0)
        1 start vision 1.1 on frame{"n":2}
        1 commit
        "#,
    );
}

#[test]
fn t4_a_slice_closes_when_the_watermark_reaches_its_end_and_not_before() {
    check(
        "
        crew vision on frame
        lateness 50
        @0 frame
        @149.999 frame      # W = 99.999: slice 0 stays open
        ----
        ",
    );
    check(
        "
        crew vision on frame
        lateness 50
        only start
        @0 frame
        @150 frame          # W = 100
        ----
        0 start vision 0.0 on frame
        ",
    );
}

#[test]
fn t4_virtual_lateness_lets_an_unsorted_file_land_in_its_slices() {
    check(
        r#"
        crew vision on frame
        lateness 50
        only start
        @0 frame {"n":1}
        @149 frame {"n":2}
        @99 frame {"n":3}    # 50 ms late, and in time
        @150 frame {"n":4}   # W = 100 closes slice 0
        @99 frame {"n":5}    # now it is late
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":3}
        1 start vision 1.0 on frame{"n":5}(meant for 0)
        1 start vision 1.1 on frame{"n":2}
        1 start vision 1.2 on frame{"n":4}
        "#,
    );
}

#[test]
fn t4_in_realtime_the_clock_closes_a_slice_at_its_end_plus_lateness() {
    check(
        r#"
        crew vision on frame, concurrency 9
        pace realtime
        lateness 50
        only start
        @0 frame {"n":1}
        now 149.999
        @99 frame {"n":2} at=149.999   # still in time
        now 150
        @99 frame {"n":3} at=150       # late
        now 250
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":2}
        1 start vision 1.0 on frame{"n":3}(meant for 0)
        "#,
    );
}

#[test]
fn t4_an_event_from_the_future_closes_nothing_in_realtime() {
    check(
        r#"
        crew vision on frame, concurrency 9
        pace realtime
        only start
        @0 frame {"n":1}
        @900 frame {"n":2} at=20    # 880 ms ahead of the clock
        @10 frame {"n":3} at=30     # slice 0 is open still
        now 100
        now 1000
        ----
        0 start vision 0.0 on frame{"n":1}
        0 start vision 0.1 on frame{"n":3}
        9 start vision 9.0 on frame{"n":2}
        "#,
    );
}

#[test]
fn t4_the_end_of_input_closes_what_is_open() {
    check(
        "
        crew vision on frame
        lateness 5000
        only start finished
        @0 frame
        @350 frame
        end
        ----
        0 start vision 0.0 on frame
        3 start vision 3.0 on frame
        finished
        ",
    );
}

#[test]
fn t6_an_hour_of_silence_is_one_close() {
    let told = "
        crew vision on frame
        slice 500
        @0 frame
        @3600000 frame
        end";
    let mut stage = crate::support::stage::Stage::new(told, false).unwrap();
    stage.play(told);
    // Two events, epoch, two closes, two runs with start and result, two commits, end, finish,
    // and what was published.
    assert!(stage.journal.len() < 20, "{} records", stage.journal.len());
    assert_eq!(stage.engine.commits(), 2);
    assert_eq!(stage.engine.open_slice(), Slice(7_202));
}

#[test]
fn t6_a_quiet_realtime_stream_asks_for_no_wakeup() {
    let told = "
        crew vision on frame
        pace realtime
        @0 frame
        now 100
        now 200";
    let mut stage = crate::support::stage::Stage::new(told, false).unwrap();
    stage.play(told);
    assert_eq!(stage.engine.next_wakeup(), None);
}

#[test]
fn t7_virtual_time_waits_for_every_run_that_is_due() {
    check(
        "
        crew slow on frame
          does later
        crew quick on tick
        @0 frame
        @100 tick          # slice 0 closes and waits for slow
        now 60000          # the clock does not help
        done slow 0.0
        end
        ----
        0 start slow 0.0 on frame
        0 lands slow 0.0
        0 commit
        1 start quick 1.0 on tick
        1 lands quick 1.0
        1 commit
        finished
        ",
    );
}

#[test]
fn t7_realtime_does_not_wait_for_a_slow_run() {
    check(
        "
        crew slow on frame
          does later
        crew quick on tick
        pace realtime
        @0 frame
        @150 tick
        now 200
        now 300
        done slow 0.0       # slice 3 is open by now
        now 400
        ----
        0 start slow 0.0 on frame
        0 commit
        1 start quick 1.0 on tick
        1 commit
        2 lands quick 1.0
        2 commit
        3 lands slow 0.0
        3 commit
        ",
    );
}

#[test]
fn t8_now_is_the_end_of_the_slice_and_stamps_the_actions() {
    check(
        "
        crew vision on frame
          does act seen
        show time
        @0 frame
        @250 frame
        end
        ----
        0 start vision 0.0 on frame now 100
        0 lands vision 0.0
        0 act vision 0.0 seen ts 100
        0 commit
        2 start vision 2.0 on frame now 300
        2 lands vision 2.0
        2 act vision 2.0 seen ts 300
        2 commit
        finished
        ",
    );
}

#[test]
fn t8_a_run_that_lands_later_keeps_the_now_of_its_own_slice() {
    check(
        "
        crew vision on frame
          does later; act seen
        pace realtime
        show time
        only start act
        @0 frame
        now 350
        done vision 0.0
        now 400
        ----
        0 start vision 0.0 on frame now 100
        3 act vision 0.0 seen ts 100
        ",
    );
}
