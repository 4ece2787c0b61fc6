//! Events out of a file, a pipe or standard input: a JSON array or JSON Lines, as they come.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
    thread,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Cursor, Delivery, Source, TransportError, decode::Decoder};
use crate::engine::Limits;

const CHUNK_BYTES: usize = 128 << 10;
const CHUNKS_AHEAD: usize = 4;

/// Reads events on a thread of its own, so that a slow pipe or disk holds up nothing else.
///
/// The thread reads a few chunks ahead and ends with its input or soon after the source is
/// dropped. Nobody joins it: a read of standard input cannot be called back.
#[derive(Debug)]
pub struct FileSource {
    decoder: Decoder,
    /// An empty chunk is the end of the input.
    chunks: mpsc::Receiver<io::Result<Bytes>>,
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
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        thread::Builder::new()
            .name("live-crew input".into())
            .spawn(move || read_ahead(reader, &sender))
            .map_err(|error| TransportError::Open { name: name.into(), error })?;
        Ok(Self { decoder: Decoder::new(name, limits), chunks, ended: false })
    }

    fn stopped(&self, error: io::Error) -> TransportError {
        let name = self.decoder.name().into();
        TransportError::Read { name, offset: self.decoder.offset(), error }
    }

    fn end(&mut self) -> Result<(), TransportError> {
        self.ended = true;
        match self.decoder.missed() {
            None => Ok(()),
            Some(Cursor(cursor)) => {
                let name = self.decoder.name().into();
                Err(TransportError::Shrunk { name, length: self.decoder.offset(), cursor })
            }
        }
    }
}

/// Sends everything in `reader` as chunks, then an empty one, or the error it stops with.
fn read_ahead(mut reader: impl Read, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let chunk = match reader.read(&mut buffer) {
            Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.as_ref().map_or(true, Bytes::is_empty);
        if sender.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

impl Source for FileSource {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let max = max.max(1);
        loop {
            if self.ended {
                return Ok(self.decoder.finish(max));
            }
            let deliveries = self.decoder.take(max);
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            // The only place to wait, and nothing is under way here.
            match self.chunks.recv().await {
                Some(Ok(chunk)) if chunk.is_empty() => self.end()?,
                Some(Ok(chunk)) => self.decoder.push(chunk),
                Some(Err(error)) => return Err(self.stopped(error)),
                None => return Err(self.stopped(io::Error::other("its reader has stopped"))),
            }
        }
    }

    /// The same input has to be given again from its start; what was taken is passed over.
    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.decoder.resume_after(cursor);
        Ok(())
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
