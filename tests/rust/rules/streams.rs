//! Streams are independent of each other.

use live_crew::engine::{Digest, StreamId};

use crate::support::stage::Stage;

const DECLARED: &str = "
    crew vision on frame, let 2
      does act seen; incr n 1
    crew talker on tick, needs vision@-1
      does fail boom
    ";

const LINES: [&str; 6] =
    ["@0 frame", "@110 tick", "@120 frame id=a", "@250 tick", "@330 frame id=a", "end"];

#[test]
fn c9_two_engines_side_by_side_never_influence_each_other() {
    let mut alone = Stage::new(DECLARED, false).unwrap();
    for line in LINES {
        alone.play(line);
    }
    let mut first = Stage::new(DECLARED, false).unwrap();
    let mut second = Stage::new(DECLARED, false).unwrap();
    for (at, line) in LINES.iter().enumerate() {
        first.play(line);
        second.play(LINES[..=at].last().expect("there is a line"));
        second.play("disable vision");
    }
    assert_eq!(first.said, alone.said);
    assert_eq!(first.engine.digest(), alone.engine.digest());
    assert_ne!(second.engine.digest(), alone.engine.digest());
}

#[test]
fn j4_the_name_of_a_stream_enters_its_digest() {
    let stage = Stage::new("crew vision on frame\nepoch 0", false).unwrap();
    let clock = stage.engine.clock().unwrap();
    let of = |name: &str| Digest::genesis(&StreamId::new(name).unwrap(), clock);
    assert_eq!(stage.engine.digest(), Some(of("story")));
    assert_ne!(of("story"), of("stories"));
}
