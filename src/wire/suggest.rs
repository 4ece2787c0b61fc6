//! "Did you mean": the known word nearest to an unknown one.

/// The nearest of `known`, or nothing when none is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(word, known);
    known
        .into_iter()
        .filter(|known| likeness(known) > 0.8)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// The end of a message: `; did you mean ...?`, or what is known.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(&cut(word), known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<_> = known
        .into_iter()
        .map(|known| format!("`{known}`"))
        .collect();
    format!("known are {}", known.join(", "))
}

/// Enough of a text to recognise it in a message.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_gets_the_list() {
        let known = ["kind", "stream_id", "payload"];
        assert_eq!(nearest("knd", known), Some("kind"));
        assert_eq!(nearest("streamid", known), Some("stream_id"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(
            hint("zzz", known),
            "known are `kind`, `stream_id`, `payload`"
        );
    }
}
