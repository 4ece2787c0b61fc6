//! Text to canonical text, in one pass and without a tree.

use std::{borrow::Cow, cmp::Ordering};

use smallvec::SmallVec;

use super::{
    Fault, JsonError, JsonLimits, JsonProblem, Number, Scanner, error::cut,
    number::is_canonical_float, write_string,
};

/// The canonical text of one JSON value: what `parse` and `Json::write` would give.
pub fn canonicalize(text: &[u8], limits: &JsonLimits) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(text.len().min(limits.bytes));
    let write = |out: &mut Vec<u8>| {
        let mut scanner = Scanner::new(text, limits)?;
        scanner.canonical(out)?;
        scanner.finish()
    };
    write(&mut out).map_err(|fault| fault.locate(text))?;
    Ok(out)
}

/// A member of an object that is being written.
struct Member<'a> {
    /// The first bytes of its key: they settle most comparisons.
    head: u64,
    key: Cow<'a, [u8]>,
    /// Where its key stands in the text.
    source: usize,
    /// Where it starts in the output.
    start: usize,
}

/// Enough for most objects; larger ones go to the heap.
type Members<'a> = SmallVec<[Member<'a>; 8]>;

impl<'a> Scanner<'a> {
    /// Appends the canonical text of the next value.
    pub(crate) fn canonical(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => self.canonical_object(out),
            Some(b'[') => self.canonical_array(out),
            Some(b'"') => self.canonical_string(out).map(drop),
            Some(b'-' | b'0'..=b'9') => self.canonical_number(out),
            Some(b't') => self.canonical_literal("true", out),
            Some(b'f') => self.canonical_literal("false", out),
            Some(b'n') => self.canonical_literal("null", out),
            Some(_) | None => Err(self.no_value()),
        }
    }

    fn canonical_literal(&mut self, word: &'static str, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.literal(word)?;
        out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// Appends the next string; one without escapes is copied as it stands.
    fn canonical_string(&mut self, out: &mut Vec<u8>) -> Result<Cow<'a, [u8]>, Fault> {
        if let Some(plain) = self.plain_string() {
            out.push(b'"');
            out.extend_from_slice(plain);
            out.push(b'"');
            return Ok(Cow::Borrowed(plain));
        }
        let text = self.string()?.into_owned();
        write_string(&text, out);
        Ok(Cow::Owned(text.into_bytes()))
    }

    fn canonical_number(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = self.offset();
        let (text, is_integer) = self.number()?;
        if is_integer {
            // `-0` is `0`: an integer has no negative zero.
            let text = if text == "-0" { "0" } else { text };
            out.extend_from_slice(text.as_bytes());
        } else if is_canonical_float(text) {
            out.extend_from_slice(text.as_bytes());
        } else {
            let number = Number::from_scanned(text, false)
                .ok_or_else(|| Fault::new(JsonProblem::NumberOutOfRange(cut(text)), start))?;
            number.write(out);
        }
        Ok(())
    }

    fn canonical_array(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'[');
        let mut more = self.open(b']')?;
        while more {
            self.canonical(out)?;
            more = self.more(b']')?;
            if more {
                out.push(b',');
            }
        }
        out.push(b']');
        Ok(())
    }

    fn canonical_object(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'{');
        let mut members: Members<'a> = SmallVec::new();
        let mut in_order = true;
        let mut more = self.open(b'}')?;
        while more {
            self.expect_key()?;
            let (source, start) = (self.offset(), out.len());
            let key = self.canonical_string(out)?;
            self.colon()?;
            out.push(b':');
            self.canonical(out)?;
            let member = Member { head: head(&key), key, source, start };
            in_order &= members.last().is_none_or(|last| last.order(&member).is_lt());
            members.push(member);
            more = self.more(b'}')?;
            if more {
                out.push(b',');
            }
        }
        if !in_order {
            sort_members(&members, &mut self.spare, out)?;
        }
        out.push(b'}');
        Ok(())
    }
}

impl Member<'_> {
    fn order(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| self.key.cmp(&other.key))
    }
}

/// The first eight bytes of a key as a number that orders as they do.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    head[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(head)
}

/// Puts the members at the end of `out` into the order of their keys.
fn sort_members(
    members: &[Member<'_>],
    written: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let first = members.first().map_or(out.len(), |member| member.start);
    written.clear();
    written.extend_from_slice(&out[first..]);
    out.truncate(first);
    let ends: SmallVec<[usize; 8]> =
        members.iter().skip(1).map(|next| next.start - 1).chain([first + written.len()]).collect();
    let mut order: SmallVec<[usize; 8]> = (0..members.len()).collect();
    order.sort_unstable_by(|&a, &b| members[a].order(&members[b]).then(a.cmp(&b)));
    for (nth, &index) in order.iter().enumerate() {
        let member = &members[index];
        if nth > 0 {
            if members[order[nth - 1]].key == member.key {
                let problem = JsonProblem::DuplicateKey(cut(&String::from_utf8_lossy(&member.key)));
                return Err(Fault::new(problem, member.source));
            }
            out.push(b',');
        }
        out.extend_from_slice(&written[member.start - first..ends[index] - first]);
    }
    Ok(())
}
