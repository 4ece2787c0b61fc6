//! J3, J5: whatever dies and wherever, what comes of a story stays the same.

use std::collections::BTreeSet;

use crate::support::{check, stage::Stage};

const DECLARED: &str = "
    crew counter on frame, concurrency 2
      does act counted; incr n 1; value 1
    crew judge on frame tick, needs counter@0, wait any
      does act judged; append list 1
      does run=1.1 fail boom
    crew slow on frame, let 2, retry 2 50
      does act slowly; set slow 1
      does try=1 fail once
    crew late on tick, needs slow@-1 event:goal@0, expire 4
      does act late
    crew chain, needs judge@0
      does act chained; incr chained 1
    crew summary on *, batch slice, stride 3, backlog latest
      does act summary; set sum {\"a\":1}
    crew quick on goal, start arrival
      does act quick; incr quick 1
    lateness 50
    ";

const LINES: [&str; 11] = [
    "@0 frame id=a",
    "@10 frame",
    "@20 tick",
    "@130 frame",
    "@110 tick",
    "@160 goal",
    "@20 frame {\"late\":1}",
    "@270 tick",
    "@300 frame id=a",
    "@550 other",
    "end",
];

fn story(blow: Option<(usize, &str)>) -> Stage {
    let mut stage = Stage::new(DECLARED, false).unwrap();
    for (at, line) in LINES.iter().enumerate() {
        stage.play(line);
        if let Some((_, blow)) = blow.filter(|(after, _)| *after == at) {
            stage.play(blow);
        }
    }
    stage
}

/// The actions in the order they were first published.
fn actions(stage: &Stage) -> Vec<&String> {
    stage.said.iter().filter(|line| line.contains(" act ") && !line.ends_with("again")).collect()
}

#[test]
fn j3_a_crash_after_any_input_changes_nothing() {
    let calm = story(None);
    assert!(calm.engine.is_finished());
    assert!(actions(&calm).len() > 15, "{:?}", calm.said);
    for (at, line) in LINES.iter().enumerate() {
        for blow in ["crash", "restore", "crash\nrestore\ncrash"] {
            let stricken = story(Some((at, blow)));
            let place = format!("`{blow}` after `{line}`");
            assert_eq!(stricken.engine.digest(), calm.engine.digest(), "{place}");
            assert_eq!(stricken.engine.context(), calm.engine.context(), "{place}");
            assert_eq!(actions(&stricken), actions(&calm), "{place}");
        }
    }
}

#[test]
fn j3_a_journal_cut_off_anywhere_goes_on_to_the_same_end() {
    let calm = story(None);
    let distinct =
        |stage: &Stage| -> BTreeSet<String> { actions(stage).into_iter().cloned().collect() };
    for length in 0..calm.journal.len() {
        let mut stage = Stage::new(DECLARED, false).unwrap();
        let taken = stage.recover(&calm.journal[..length]);
        // The source sends again what it does not know to be taken.
        for line in &LINES[taken..] {
            stage.play(line);
        }
        let place = format!("cut after {length} records, {taken} taken: {:#?}", stage.said);
        assert!(stage.engine.is_finished(), "{place}");
        assert_eq!(stage.engine.digest(), calm.engine.digest(), "{place}");
        assert!(distinct(&stage).is_subset(&distinct(&calm)), "{place}");
    }
}

#[test]
fn j3_a_crash_amid_the_levels_of_a_slice_keeps_what_had_landed() {
    check(
        r#"
        crew a on frame
          does act one; set x 1
        crew b on frame, needs a@0
          does later; act two
        @0 frame
        @100 tick
        crash
        restore
        done b 0.0
        end
        ----
        0 start a 0.0 on frame
        0 lands a 0.0
        0 start b 0.0 on frame sees {"x":1} with a@0=0
        crash
        0 start b 0.0 on frame sees {"x":1} with a@0=0
        restore
        0 start b 0.0 on frame sees {"x":1} with a@0=0
        0 lands b 0.0
        0 act a 0.0 one
        0 act b 0.0 two
        0 commit
        ctx {"x":1}
        1 commit
        finished
        "#,
    );
}

#[test]
fn j3_a_held_let_run_survives_a_crash() {
    check(
        "
        crew slow on frame, let 3
          does act slowly
        pace realtime
        only start act crash restore
        @0 frame
        now 150
        crash
        restore
        now 900
        ----
        0 start slow 0.0 on frame
        crash
        restore
        3 act slow 0.0 slowly
        ",
    );
}

#[test]
fn j3_a_stream_that_had_finished_says_so_again() {
    check(
        "
        crew a on frame
        only finished crash
        @0 frame
        end
        crash
        ----
        finished
        crash
        finished
        ",
    );
}
