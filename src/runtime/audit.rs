//! Who was refused and who commanded what: one line of JSON each, appended to a file.
//!
//! A line never holds the input itself: what was refused may have secrets at places where nobody
//! redacts them. The dead letter has it, cut and redacted (rule J7).

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use crate::{
    engine::{StreamId, Timestamp},
    json::write_string,
    transport::{DeadLetter, TransportError},
    wire::write_timestamp,
};

/// The file.
#[derive(Debug)]
pub(super) struct Audit {
    name: String,
    file: File,
    lines: Vec<u8>,
}

impl Audit {
    pub fn open(path: &Path) -> Result<Self, TransportError> {
        let name = path.display().to_string();
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let file = opened.map_err(|error| TransportError::Create { name: name.clone(), error })?;
        Ok(Self { name, file, lines: Vec::new() })
    }

    /// Notes refused input: a line for each source and reason, since a flood must not fill the
    /// disk twice.
    pub fn refused(
        &mut self,
        now: Timestamp,
        letters: &[(Option<StreamId>, DeadLetter)],
    ) -> Result<(), TransportError> {
        let mut counts = BTreeMap::<_, u64>::new();
        for (stream, letter) in letters {
            let key = (&*letter.source, stream.as_ref().map(StreamId::as_str), &*letter.reason);
            *counts.entry(key).or_default() += 1;
        }
        for ((source, stream, why), count) in counts {
            self.line(now, "refused", source, stream, why, Some(count));
        }
        self.write()
    }

    /// Notes a command of this process.
    pub fn command(
        &mut self,
        now: Timestamp,
        what: &str,
        stream: Option<&StreamId>,
        why: &str,
    ) -> Result<(), TransportError> {
        let who = format!("process {}", std::process::id());
        self.line(now, what, &who, stream.map(StreamId::as_str), why, None);
        self.write()
    }

    fn line(
        &mut self,
        now: Timestamp,
        what: &str,
        source: &str,
        stream: Option<&str>,
        why: &str,
        count: Option<u64>,
    ) {
        let out = &mut self.lines;
        out.push(b'{');
        if let Some(count) = count {
            out.extend_from_slice(format!(r#""count":{count},"#).as_bytes());
        }
        out.extend_from_slice(br#""source":"#);
        write_string(source, out);
        if let Some(stream) = stream {
            out.extend_from_slice(br#","stream_id":"#);
            write_string(stream, out);
        }
        out.extend_from_slice(br#","time":""#);
        write_timestamp(now, out);
        out.extend_from_slice(br#"","what":"#);
        write_string(what, out);
        out.extend_from_slice(br#","why":"#);
        write_string(why, out);
        out.extend_from_slice(b"}\n");
    }

    /// One write for all lines, so that those of two processes do not mix.
    fn write(&mut self) -> Result<(), TransportError> {
        let written = self.file.write_all(&self.lines);
        self.lines.clear();
        written.map_err(|error| TransportError::Write { name: self.name.clone(), error })
    }
}
