//! Chapter 3: randomness that replays (T9).

use live_crew::engine::{CrewName, RunKey, Seed, Slice, StreamId};

fn seed(stream: &str, slice: i64, crew: &str, place: u32) -> Seed {
    let key = RunKey { trigger: Slice(slice), place };
    let (stream, crew) = (StreamId::new(stream).unwrap(), CrewName::new(crew).unwrap());
    Seed::of_run(&stream, Slice(slice), &crew, key)
}

fn bytes(seed: &Seed, name: &str) -> [u8; 32] {
    let mut out = [0; 32];
    seed.fill(name, &mut out);
    out
}

#[test]
fn t9_the_same_run_draws_the_same_numbers_again() {
    assert_eq!(
        bytes(&seed("s", 3, "vision", 0), "dice"),
        bytes(&seed("s", 3, "vision", 0), "dice")
    );
}

#[test]
fn t9_stream_slice_crew_run_and_name_each_change_the_numbers() {
    let drawn = [
        bytes(&seed("s", 3, "vision", 0), "dice"),
        bytes(&seed("s2", 3, "vision", 0), "dice"),
        bytes(&seed("s", 4, "vision", 0), "dice"),
        bytes(&seed("s", 3, "ears", 0), "dice"),
        bytes(&seed("s", 3, "vision", 1), "dice"),
        bytes(&seed("s", 3, "vision", 0), "coin"),
    ];
    let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
    assert_eq!(distinct.len(), drawn.len());
}

#[test]
fn t9_a_call_for_one_name_changes_no_other() {
    let (alone, busy) = (seed("s", 3, "vision", 0), seed("s", 3, "vision", 0));
    let before = bytes(&alone, "dice");
    let _added = bytes(&busy, "an added call");
    assert_eq!(bytes(&busy, "dice"), before);
}

#[test]
fn t9_a_longer_draw_begins_with_the_shorter_one() {
    let seed = seed("s", 3, "vision", 0);
    let mut long = [0; 100];
    seed.fill("dice", &mut long);
    assert_eq!(long[..32], bytes(&seed, "dice"));
}

#[test]
fn t9_a_uuid_says_that_it_is_a_random_one() {
    for place in 0..100 {
        let uuid = seed("s", 3, "vision", place).uuid("id");
        assert_eq!(uuid[6] >> 4, 4, "version");
        assert_eq!(uuid[8] >> 6, 0b10, "variant");
    }
}
