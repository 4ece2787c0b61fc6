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
    key: Cow<'a, str>,
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

    /// Appends the next string; one without escapes is copied as it stands, quotes included.
    fn canonical_string(&mut self, out: &mut Vec<u8>) -> Result<Cow<'a, str>, Fault> {
        let start = self.offset();
        let text = self.string()?;
        match &text {
            Cow::Borrowed(_) => out.extend_from_slice(self.since(start).as_bytes()),
            Cow::Owned(text) => write_string(text, out),
        }
        Ok(text)
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
            in_order &= members.last().is_none_or(|last| last.key < key);
            members.push(Member { key, source, start });
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
    order.sort_by(|&a, &b| members[a].key.cmp(&members[b].key));
    for (nth, &index) in order.iter().enumerate() {
        let member = &members[index];
        if nth > 0 {
            if members[order[nth - 1]].key.cmp(&member.key) == Ordering::Equal {
                let problem = JsonProblem::DuplicateKey(cut(&member.key));
                return Err(Fault::new(problem, member.source));
            }
            out.push(b',');
        }
        out.extend_from_slice(&written[member.start - first..ends[index] - first]);
    }
    Ok(())
}
