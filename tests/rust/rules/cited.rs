//! Every numbered rule of the contract is cited by a test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every `.rs` file below a folder of the crate.
pub(crate) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the crate is laid out as ever") {
            let path = entry.expect("an entry of a folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The rules a text defines: list items that begin with a letter and a number, as `- X2 …`.
fn defined(contract: &str) -> BTreeSet<String> {
    let rule = |line: &str| {
        let word = line.strip_prefix("- ")?.split([' ', ':']).next()?;
        is_rule(word).then(|| word.to_owned())
    };
    contract.lines().filter_map(rule).collect()
}

/// Whether a file below `src` holds nothing but tests.
fn is_tests_only(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with("tests.rs") || name == "laws.rs"
}

fn is_rule(word: &str) -> bool {
    let Some((letter, number)) = word.split_at_checked(1) else {
        return false;
    };
    "TOCNXJA".contains(letter) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// The rules a test names: `fn x2_…`, or `X2` in a comment or a message.
fn cited(tests: &str) -> BTreeSet<String> {
    let names = tests.lines().filter_map(|line| line.trim().strip_prefix("fn "));
    let by_name = names.filter_map(|name| name.split('_').next()).map(str::to_uppercase);
    let words = tests.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned);
    by_name.chain(words).filter(|word| is_rule(word)).collect()
}

#[test]
fn every_rule_of_the_contract_is_cited_by_a_test() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/semantics.md");
    let rules = defined(&fs::read_to_string(contract).expect("the contract is in the tree"));
    assert!(rules.len() > 40, "the contract has its rules as list items: {rules:?}");
    let mut known = BTreeSet::new();
    for (path, text) in sources("tests") {
        // This file names rules to explain itself.
        if !path.ends_with("cited.rs") {
            known.extend(cited(&text));
        }
    }
    for (path, text) in sources("src") {
        let tests_only = is_tests_only(&path);
        let tests = text.find("#[cfg(test)]").map(|at| &text[at..]);
        known.extend(cited(if tests_only { &text } else { tests.unwrap_or_default() }));
    }
    let missing: Vec<&str> = rules.difference(&known).map(String::as_str).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
}

#[test]
fn a_rule_is_a_letter_of_a_chapter_and_a_number() {
    assert!(["T1", "X5", "C10"].into_iter().all(is_rule));
    assert!(!["T", "B1", "T1x", "", "10", "§7"].into_iter().any(is_rule));
    assert_eq!(defined("- X2 writes\n- x\n- Y2 no\nX3 no").len(), 1);
    assert_eq!(cited("fn x2_a() { // X3\n}").into_iter().collect::<Vec<_>>(), ["X2", "X3"]);
}
