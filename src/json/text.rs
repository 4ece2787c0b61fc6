//! Strings in canonical quoting: `"`, `\` and control characters are escaped, nothing else.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` quoted.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else {
            break;
        };
        write_escape(byte, out);
        rest = after;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    out.push(b'\\');
    if extra_bytes(byte) == 1 {
        out.push(short_escape(byte));
    } else {
        out.extend_from_slice(b"u00");
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// Bytes before the first that is a quote, a backslash or a control character.
pub(crate) fn plain_length(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
    }
    let special = |&byte: &u8| extra_bytes(byte) > 0;
    text.len() - tail.len() + tail.iter().position(special).unwrap_or(tail.len())
}

/// Eight bytes at once: the lowest bit set is in the first byte that is special. Bits above it may
/// be wrong, because a borrow runs upwards.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | control
}

/// Bytes that [`write_string`] appends for `text`.
pub fn string_size(text: &str) -> usize {
    2 + text.len() + text.bytes().map(extra_bytes).sum::<usize>()
}

/// How many bytes the escape of `byte` is longer than the byte.
fn extra_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0A | 0x0C | 0x0D => 1,
        0x00..0x20 => 5,
        _ => 0,
    }
}

/// The letter of a two-byte escape.
fn short_escape(byte: u8) -> u8 {
    match byte {
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        quoted => quoted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quotes_backslashes_and_control_characters_are_escaped() {
        let mut out = Vec::new();
        write_string("\"\\/\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}é😀\u{2028}", &mut out);
        let expected = "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}é😀\u{2028}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
