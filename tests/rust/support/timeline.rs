//! `check(story)`: what is declared and what happens, a line `----`, then what must come of it.
//!
//! ```text
//! crew vision on frame, needs ears@-1      options: needs wait batch start let sync concurrency
//!   does act seen {"n":1}; set a.b 1       stride backlog timeout retry max_errors cooldown
//! slice 100                                 priority expire; settings: see `declare`
//! @30 frame {"n":1} id=a corr=c            an event, milliseconds from the first instant
//! now 250                                   the clock moves
//! done vision 0.0                           a run that answers `later` answers now
//! crash | restore | enable c | disable c
//! only start ctx                            shows no other lines
//! end
//! ----
//! 0 start vision 0.0 on frame{"n":1}
//! ```
//!
//! Defaults of a story: virtual pace, slices of 100 ms, no lateness. Crews answer at once unless
//! their script says `later`. Every story is also replayed from its journal and, in virtual pace,
//! told again with answers in reverse order: neither may change a digest.

use super::stage::Stage;

/// Tells a story and compares what came of it with what the story says.
#[track_caller]
pub(crate) fn check(story: &str) {
    let (told, expected) = story.split_once("----").expect("a story has a line `----`");
    let expected = lines(expected);
    let actual = lines(&tell(told));
    if actual == expected {
        return;
    }
    let told = match std::env::var_os("UPDATE") {
        Some(_) => actual.join("\n"),
        None => diff(&expected, &actual),
    };
    panic!("the story came out differently:\n{told}");
}

/// Tells a story without an end, and gives what came of it.
#[track_caller]
pub(crate) fn tell(told: &str) -> String {
    let mut stage = match Stage::new(told, false) {
        Ok(stage) => stage,
        Err(refused) => return refused.to_string(),
    };
    stage.play(told);
    stage.check_replay();
    if stage.may_be_told_backwards() {
        let mut backwards = Stage::new(told, true).expect("the plan was taken before");
        backwards.play(told);
        assert_eq!(
            stage.engine.digest(),
            backwards.engine.digest(),
            "the order of answers changed the digest; in order:\n{}\nbackwards:\n{}",
            stage.said.join("\n"),
            backwards.said.join("\n"),
        );
    }
    only(told, &stage.said).join("\n")
}

/// A story that says `only start ctx` shows the lines that say `start` or `ctx`.
fn only(told: &str, said: &[String]) -> Vec<String> {
    let wanted = told.lines().find_map(|line| line.trim().strip_prefix("only "));
    let Some(wanted) = wanted else {
        return said.to_vec();
    };
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let fits = |line: &&String| line.split([' ', ':']).take(2).any(|word| wanted.contains(&word));
    said.iter().filter(fits).cloned().collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The longest common lines stay, what is missing gets `-`, what is too much `+`.
fn diff(expected: &[String], actual: &[String]) -> String {
    let (rows, columns) = (expected.len(), actual.len());
    let mut common = vec![vec![0; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if expected[row] == actual[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut out) = (0, 0, Vec::new());
    while row < rows || column < columns {
        if row < rows && column < columns && expected[row] == actual[column] {
            out.push(format!("  {}", expected[row]));
            (row, column) = (row + 1, column + 1);
        } else if row < rows
            && (column == columns || common[row + 1][column] >= common[row][column + 1])
        {
            out.push(format!("- {}", expected[row]));
            row += 1;
        } else {
            out.push(format!("+ {}", actual[column]));
            column += 1;
        }
    }
    out.join("\n")
}
