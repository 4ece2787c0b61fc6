//! "Did you mean": the closest known name.

/// The known name closest to `word`, if one is close enough to be what was meant.
pub fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let far = word.chars().count().div_ceil(3).max(1);
    known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, name)| name.to_owned())
}
