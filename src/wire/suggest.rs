//! The end of a message about an unknown word.

use crate::engine::closest;

/// `did you mean ...?`, or what is known when nothing is near.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    if let Some(near) = closest(&cut(word), known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    format!("known are {}", known.join(", "))
}

/// Enough of a text to recognise it in a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_gets_the_list() {
        let known = ["kind", "payload"];
        assert_eq!(hint("knd", &known), "did you mean `kind`?");
        assert_eq!(hint("zzz", &known), "known are `kind`, `payload`");
    }
}
