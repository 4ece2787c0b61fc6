//! Events out of a file, a pipe or standard input: a JSON array or JSON Lines, as they come.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
    thread,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{Cursor, Delivery, Source, TransportError, decode::Decoder};
use crate::engine::Limits;

const CHUNK_BYTES: usize = 128 << 10;
/// A batch has at most what a chunk brings.
const BATCHES_AHEAD: usize = 4;

type Batch = Result<Vec<Delivery>, TransportError>;

/// Reads and decodes events on a thread of its own, so that a slow pipe or disk holds up nothing
/// else and reading costs the runtime no time.
///
/// The thread is a few batches ahead and ends with its input or soon after the source is dropped.
/// Nobody joins it: a read of standard input cannot be called back.
#[derive(Debug)]
pub struct FileSource {
    name: String,
    /// Tells the thread where to begin and how much to deliver at a time; sent once.
    begin: Option<oneshot::Sender<(Cursor, usize)>>,
    taken: Cursor,
    /// An empty batch is the end of the input.
    batches: mpsc::Receiver<Batch>,
    /// What is left of a batch that was larger than asked for.
    ready: Vec<Delivery>,
    ended: bool,
}

impl FileSource {
    /// Reads the file at `path`.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, TransportError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.is_dir(), file)));
        match opened {
            Ok((true, _)) => Err(TransportError::Directory { name }),
            Ok((false, file)) => Self::from_reader(&name, file, limits),
            Err(error) => Err(TransportError::Open { name, error }),
        }
    }

    /// Reads standard input.
    pub fn stdin(limits: &Limits) -> Result<Self, TransportError> {
        Self::from_reader("stdin", io::stdin(), limits)
    }

    /// Reads `reader` to its end; `name` is what messages call it.
    pub fn from_reader(
        name: &str,
        reader: impl Read + Send + 'static,
        limits: &Limits,
    ) -> Result<Self, TransportError> {
        let (begin, begins) = oneshot::channel();
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let mut decoder = Decoder::new(name, limits);
        let work = move || {
            // Dropped before anything was asked for, there is nothing to do.
            if let Ok((after, max)) = begins.blocking_recv() {
                decoder.resume_after(after);
                let _dropped = read_ahead(reader, &mut decoder, max, &sender);
            }
        };
        thread::Builder::new()
            .name("live-crew input".into())
            .spawn(work)
            .map_err(|error| TransportError::Open { name: name.into(), error })?;
        let (taken, ready) = (Cursor::default(), Vec::new());
        Ok(Self { name: name.into(), begin: Some(begin), taken, batches, ready, ended: false })
    }
}

/// Sends everything in `reader` as batches, then an empty one, or the error it stops with; an error
/// of its own means that nobody listens any more.
fn read_ahead(
    mut reader: impl Read,
    decoder: &mut Decoder,
    max: usize,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), mpsc::error::SendError<Batch>> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => decoder.push(Bytes::copy_from_slice(&buffer[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                let (name, offset) = (decoder.name().into(), decoder.offset());
                return sender.blocking_send(Err(TransportError::Read { name, offset, error }));
            }
        }
        send_all(|| decoder.take(max), sender)?;
    }
    if let Some(Cursor(cursor)) = decoder.missed() {
        let (name, length) = (decoder.name().into(), decoder.offset());
        sender.blocking_send(Err(TransportError::Shrunk { name, length, cursor }))?;
    }
    send_all(|| decoder.finish(max), sender)?;
    sender.blocking_send(Ok(Vec::new()))
}

fn send_all(
    mut more: impl FnMut() -> Vec<Delivery>,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), mpsc::error::SendError<Batch>> {
    loop {
        let batch = more();
        if batch.is_empty() {
            return Ok(());
        }
        sender.blocking_send(Ok(batch))?;
    }
}

impl Source for FileSource {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let max = max.max(1);
        if let Some(begin) = self.begin.take() {
            // A thread that is gone shows below.
            let _gone = begin.send((self.taken, max));
        }
        if self.ready.is_empty() && !self.ended {
            // The only place to wait, and nothing is under way here.
            let Some(batch) = self.batches.recv().await else {
                let (name, offset) = (self.name.clone(), self.taken.0);
                let error = io::Error::other("its reader has stopped");
                return Err(TransportError::Read { name, offset, error });
            };
            self.ready = batch?;
            self.ended = self.ready.is_empty();
        }
        let rest = self.ready.split_off(max.min(self.ready.len()));
        let batch = std::mem::replace(&mut self.ready, rest);
        self.taken = batch.last().map_or(self.taken, Delivery::cursor);
        Ok(batch)
    }

    /// The same input has to be given again from its start; what was taken is passed over.
    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.taken = cursor;
        Ok(())
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
