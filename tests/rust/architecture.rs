//! Imports point down: who may name whom, read from the sources.

use crate::rules::cited::sources;

/// What a room may name of this crate, and the words that must not occur in it.
struct Room {
    folder: &'static str,
    may_name: &'static [&'static str],
    never: &'static [&'static str],
}

const IO: [&str; 10] = [
    "tokio",
    "rusqlite",
    "chrono",
    "std::time",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "HashMap",
    "HashSet",
];

const ROOMS: [Room; 9] = [
    Room { folder: "src/nats", may_name: &["engine", "nats"], never: &["pyo3", "rusqlite"] },
    Room { folder: "src/json", may_name: &["json"], never: &IO },
    Room { folder: "src/engine", may_name: &["json", "engine"], never: &IO },
    Room {
        folder: "src/wire",
        may_name: &["json", "engine", "wire"],
        never: &["tokio", "rusqlite"],
    },
    Room {
        folder: "src/context",
        may_name: &["engine", "nats", "context"],
        never: &["pyo3", "std::env"],
    },
    Room {
        folder: "src/store",
        may_name: &["json", "engine", "wire", "nats", "store"],
        never: &["pyo3"],
    },
    Room {
        folder: "src/transport",
        may_name: &["json", "engine", "wire", "nats", "transport"],
        never: &["pyo3"],
    },
    Room {
        folder: "src/runtime",
        may_name: &["json", "engine", "wire", "nats", "store", "transport", "runtime"],
        never: &["pyo3"],
    },
    Room {
        folder: "src/cluster",
        may_name: &["json", "engine", "wire", "nats", "store", "transport", "runtime", "cluster"],
        never: &["pyo3"],
    },
];

/// Every way in which a text breaks the rules of its room.
fn faults(room: &Room, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
        let named =
            line.match_indices("crate::").flat_map(|(at, path)| rooms(&line[at + path.len()..]));
        for other in named.filter(|other| !room.may_name.contains(&other.as_str())) {
            faults.push(format!("line {} names `crate::{other}`", at + 1));
        }
        for word in room.never.iter().filter(|word| has_word(line, word)) {
            faults.push(format!("line {} names `{word}`", at + 1));
        }
    }
    faults
}

/// The rooms that stand behind `crate::`: one, or several in braces.
fn rooms(path: &str) -> Vec<String> {
    let first = |path: &str| -> String {
        path.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    match path.strip_prefix('{') {
        Some(list) => list.split(',').map(first).filter(|name| !name.is_empty()).collect(),
        None => vec![first(path)],
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

#[test]
fn every_room_names_only_those_below_it() {
    let mut all = Vec::new();
    for room in &ROOMS {
        let sources = sources(room.folder);
        assert!(!sources.is_empty(), "`{}` has sources", room.folder);
        for (path, text) in sources {
            // What tests of a room use is no part of the room.
            let is_test = path.ends_with("tests.rs") || path.to_string_lossy().contains("/tests/");
            let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            if !is_test {
                let faults = faults(room, own).into_iter();
                all.extend(faults.map(|fault| format!("{}: {fault}", path.display())));
            }
        }
    }
    assert!(all.is_empty(), "imports point up:\n{}", all.join("\n"));
}

#[test]
fn only_the_python_room_names_pyo3() {
    for (path, text) in sources("src") {
        let is_python = path.to_string_lossy().contains("/src/py/");
        let named = text.lines().any(|line| !is_comment(line) && has_word(line, "pyo3"));
        assert!(is_python || !named, "{} names `pyo3`", path.display());
    }
}

#[test]
fn an_import_that_points_up_is_found() {
    let engine = &ROOMS[1];
    assert_eq!(faults(engine, "use crate::json::Json;\n// crate::wire\n"), [""; 0]);
    assert_eq!(faults(engine, "use crate::wire::x;"), ["line 1 names `crate::wire`"]);
    assert_eq!(faults(engine, "use crate::{json, store};"), ["line 1 names `crate::store`"]);
    assert_eq!(faults(engine, "let x: HashMap<u8, u8>;"), ["line 1 names `HashMap`"]);
    assert_eq!(faults(engine, "use std::time::Instant;"), ["line 1 names `std::time`"]);
    assert_eq!(faults(engine, "mod time;\nlet tokio_like = 1;"), [""; 0]);
}
