//! JSON Lines out: actions to one writer, everything else to another.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::{Channel, Outgoing, Sink, TransportError};

/// Writes messages as lines; a batch is written before `publish` returns, in whole lines.
///
/// Writing blocks. Its outputs are local, and a reader that is slow is to slow the run down.
pub struct FileSink {
    actions: Output,
    problems: Output,
}

struct Output {
    name: String,
    writer: Box<dyn Write + Send>,
    /// The lines of one batch.
    lines: Vec<u8>,
}

impl FileSink {
    /// Appends actions to the file `actions`, errors, late events and dead letters to `problems`;
    /// both are made when they do not exist.
    pub fn append(
        actions: impl AsRef<Path>,
        problems: impl AsRef<Path>,
    ) -> Result<Self, TransportError> {
        Ok(Self {
            actions: Output::append(actions.as_ref())?,
            problems: Output::append(problems.as_ref())?,
        })
    }

    /// Writes to what is open already; the names are what messages call them.
    pub fn from_writers(
        (actions, actions_writer): (&str, impl Write + Send + 'static),
        (problems, problems_writer): (&str, impl Write + Send + 'static),
    ) -> Self {
        Self {
            actions: Output::new(actions, actions_writer),
            problems: Output::new(problems, problems_writer),
        }
    }
}

impl Output {
    fn new(name: &str, writer: impl Write + Send + 'static) -> Self {
        Self { name: name.into(), writer: Box::new(writer), lines: Vec::new() }
    }

    fn append(path: &Path) -> Result<Self, TransportError> {
        let name = path.display().to_string();
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        match file.and_then(end_torn_line) {
            Ok(file) => Ok(Self::new(&name, file)),
            Err(error) => Err(TransportError::Create { name, error }),
        }
    }

    fn write_lines(&mut self) -> Result<(), TransportError> {
        let written = self.writer.write_all(&self.lines);
        self.lines.clear();
        written.map_err(|error| TransportError::write(&self.name, error))
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        self.writer.flush().map_err(|error| TransportError::write(&self.name, error))
    }
}

/// A crash may have left half a line, which must not spoil the next one.
fn end_torn_line(mut file: File) -> io::Result<File> {
    if file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

impl Sink for FileSink {
    async fn publish(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        for message in batch {
            let output = match message.channel {
                // The journal has it, and a file would only grow.
                Channel::Context => continue,
                Channel::Action => &mut self.actions,
                Channel::Error | Channel::Late | Channel::DeadLetter | Channel::Heartbeat => {
                    &mut self.problems
                }
            };
            message.write_line(&mut output.lines);
        }
        self.actions.write_lines()?;
        self.problems.write_lines()
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        self.actions.flush()?;
        self.problems.flush()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(channel: Channel, body: &'static str) -> Outgoing {
        Outgoing { channel, stream: None, id: None, body: Bytes::from_static(body.as_bytes()) }
    }

    #[tokio::test]
    async fn actions_and_problems_go_to_their_own_files_and_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let (actions, problems) = (folder.path().join("a.jsonl"), folder.path().join("p.jsonl"));
        for n in ["1", "2"] {
            let mut sink = FileSink::append(&actions, &problems).unwrap();
            let batch = [message(Channel::Error, n), message(Channel::Action, n)];
            sink.publish(&batch).await.unwrap();
            sink.flush().await.unwrap();
        }
        assert_eq!(std::fs::read_to_string(actions).unwrap(), "1\n2\n");
        assert_eq!(
            std::fs::read_to_string(problems).unwrap(),
            "{\"body\":1,\"channel\":\"error\"}\n{\"body\":2,\"channel\":\"error\"}\n"
        );
    }

    #[tokio::test]
    async fn half_a_line_left_by_a_crash_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let (actions, problems) = (folder.path().join("a.jsonl"), folder.path().join("p.jsonl"));
        std::fs::write(&actions, "1\n{\"ki").unwrap();
        let mut sink = FileSink::append(&actions, &problems).unwrap();
        sink.publish(&[message(Channel::Action, "2")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(actions).unwrap(), "1\n{\"ki\n2\n");
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_an_error_that_names_the_output() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut sink = FileSink::from_writers(("stdout", writer), ("stderr", io::sink()));
        let error = sink.publish(&[message(Channel::Action, "1")]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "nobody reads `stdout` any more; keep its reader running, or write to a file"
        );
    }

    #[test]
    fn an_output_that_cannot_be_opened_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.jsonl");
        let error = FileSink::append(&path, &path).err().unwrap();
        let start = format!("cannot write to `{}`: ", path.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(matches!(
            FileSink::append(folder.path(), folder.path()),
            Err(TransportError::Create { .. })
        ));
    }
}
