//! Strings in canonical quoting: `"`, `\` and control characters are escaped, nothing else.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` quoted.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let extra = extra_bytes(byte);
        if extra == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        out.push(b'\\');
        if extra == 1 {
            out.push(short_escape(byte));
        } else {
            out.extend_from_slice(b"u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
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
