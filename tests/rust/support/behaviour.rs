//! What the crews of a random case do: a pure function of what they are shown.

use serde_json::{Value, json};

/// Everything a run is shown, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub crew: String,
    pub run: String,
    pub attempt: u32,
    pub slice: i64,
    pub triggers: Vec<String>,
    pub view: String,
    /// For each need the slice that satisfied it and the output there.
    pub met: Vec<Option<(i64, String)>>,
}

/// What a run answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Fail,
    /// It never answers; without a timeout that would be for ever, so it fails instead.
    Hang,
    Done(Done),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub actions: Vec<(&'static str, String)>,
    pub edits: Vec<Edit>,
    pub value: String,
}

/// One change of the context.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub path: Vec<String>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Set(Value),
    Delete,
    Incr(i64),
    Append(Value),
    /// Only made by spelling out a `Set` of an object.
    Object,
}

impl Seen {
    /// One line for traces; also what the reply is made from.
    pub fn line(&self) -> String {
        let Self { crew, run, attempt, slice, triggers, view, met } = self;
        format!("{crew}/{run} #{attempt} in {slice} on {triggers:?} reads {view} met {met:?}")
    }
}

const PATHS: [&[&str]; 8] = [
    &["n"],
    &["score"],
    &["score", "home"],
    &["score", "away"],
    &["log"],
    &["x.y"],
    &["deep", "er", "leaf"],
    &["deep", "er"],
];

/// The one behaviour all crews share. `temper` says how often they fail, in tenths.
pub fn reply(luck: u64, temper: u64, seen: &Seen) -> Reply {
    let mut dice = Dice(hash(luck, &seen.line()));
    if dice.below(10) < temper {
        return if dice.below(4) == 0 { Reply::Hang } else { Reply::Fail };
    }
    let mark = dice.below(1_000);
    let actions = (0..dice.below(3)).map(|index| {
        let kind = if dice.below(2) == 0 { "say" } else { "show" };
        (kind, format!(r#"{{"i":{index},"mark":{mark}}}"#))
    });
    let actions = actions.collect();
    let edits = (0..dice.below(4)).map(|_| edit(&mut dice)).collect();
    Reply::Done(Done { actions, edits, value: mark.to_string() })
}

fn edit(dice: &mut Dice) -> Edit {
    let path: Vec<String> = dice.pick(&PATHS).iter().map(|key| (*key).into()).collect();
    let is_log = path == ["log"];
    let what = match dice.below(12) {
        0..2 => What::Delete,
        2..4 if !is_log => What::Incr(dice.small()),
        2..6 => What::Append(json!(dice.small())),
        6 => What::Set(json!({})),
        7 => What::Set(json!({ "home": dice.small() })),
        8 => What::Set(json!({ "er": { "leaf": dice.small() }, "away": [dice.small()] })),
        _ if is_log => What::Append(json!("entry")),
        _ => What::Set(json!(dice.small())),
    };
    Edit { path, what }
}

/// FNV-1a, finished by a mix, so that near texts fall far apart.
fn hash(seed: u64, text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, fold)
}

/// Numbers that follow from a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    fn small(&mut self) -> i64 {
        i64::try_from(self.below(4)).unwrap() - 1
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.place(from.len())]
    }
}
