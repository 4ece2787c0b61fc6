//! Journals in one SQLite file: WAL, a full sync per append, one writer, any number of readers.

mod file;
mod rows;
mod seal;
mod snapshots;

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{
    Frame, Mark, Pick, Pruned, Retention, Snapshot, Store, StoreError, StoredFrame, StreamSummary,
    frame,
};
use crate::engine::{StreamId, Timestamp};

/// Keeps journals in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    journal: String,
    connection: Connection,
    writer: Option<Writer>,
    sealed: bool,
}

#[derive(Debug)]
struct Writer {
    /// Holds the lock until it is dropped, and dies with the process.
    _lock: Connection,
    /// The number the next new stream gets.
    next_stream: i64,
}

/// Why a piece of work failed, before it is known which journal it was on.
#[derive(Debug)]
enum Fault {
    Sql(rusqlite::Error),
    Corrupt { stream: Option<StreamId>, seq: Option<u64>, why: String },
    Full(String),
    Refused(StoreError),
}

impl SqliteStore {
    /// Opens a journal for writing; makes it, and its folder, if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = file::resolve(path.as_ref())?;
        let journal = path.display().to_string();
        let lock = file::lock(&path, &journal)?;
        if !path.exists() {
            file::create(&path, &journal)?;
        }
        let connection = file::open(&path, &journal, true)?;
        let mut store = Self { journal, connection, writer: None, sealed: false };
        let checked = store.look("opening the journal", seal::check)?;
        store.writer = Some(Writer { _lock: lock, next_stream: checked.next_stream });
        store.write("opening the journal", |connection, _| seal::remove(connection))?;
        Ok(store)
    }

    /// Opens a journal for reading, also while another process writes it.
    pub fn open_readonly(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = file::resolve(path.as_ref())?;
        let journal = path.display().to_string();
        if !path.exists() {
            return Err(StoreError::Missing { journal });
        }
        let connection = file::open(&path, &journal, false)?;
        let mut store = Self { journal, connection, writer: None, sealed: false };
        store.sealed = store.look("opening the journal", seal::check)?.sealed;
        Ok(store)
    }

    /// Reads from one state of the journal, whatever is written meanwhile.
    fn look<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let done = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(Fault::Sql)
            .and_then(|transaction| work(&transaction));
        done.map_err(|fault| fault.at(&self.journal, doing))
    }

    /// Writes all or nothing, durably.
    fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection, &mut i64) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let Some(writer) = &mut self.writer else {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        };
        let done = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Fault::Sql)
            .and_then(|transaction| {
                let result = work(&transaction, &mut writer.next_stream)?;
                transaction.commit()?;
                Ok(result)
            });
        done.map_err(|fault| fault.at(&self.journal, doing))
    }
}

impl Store for SqliteStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        frame::check_frames(&frames)?;
        self.write("appending", |connection, next_stream| {
            rows::append(connection, next_stream, &frames)
        })
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        self.look("reading", |connection| rows::read(connection, stream, after, max_bytes))
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        frame::check_size("snapshot", stream, snapshot.body.len())?;
        self.write("writing a snapshot", |connection, _| {
            snapshots::write(connection, stream, &snapshot)
        })
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.look("reading a snapshot", |connection| snapshots::pick(connection, stream, pick))
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        self.write("pruning", |connection, _| snapshots::prune(connection, stream, *keep, now))
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        let sealed = self.sealed;
        self.look("listing the streams", |connection| {
            let streams = rows::streams(connection)?;
            Ok(streams.iter().map(|row| row.head.summary(&row.stream, sealed)).collect())
        })
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        self.look("looking for a commit", |connection| rows::mark(connection, stream, ordinal))
    }

    async fn close(mut self) -> Result<(), StoreError> {
        if self.writer.is_some() {
            self.write("sealing", |connection, _| seal::write(connection))?;
            file::checkpoint(&self.connection)
                .map_err(|error| Fault::Sql(error).at(&self.journal, "closing"))?;
        }
        let Self { journal, connection, .. } = self;
        connection.close().map_err(|(_, error)| Fault::Sql(error).at(&journal, "closing"))
    }
}

impl Fault {
    fn corrupt(stream: &StreamId, seq: u64, why: &str) -> Self {
        Self::Corrupt { stream: Some(stream.clone()), seq: Some(seq), why: why.to_owned() }
    }

    fn at(self, journal: &str, doing: &'static str) -> StoreError {
        let journal = journal.to_owned();
        let source = match self {
            Self::Refused(error) => return error,
            Self::Full(why) => return StoreError::Full { journal, why },
            Self::Corrupt { stream, seq, why } => {
                return StoreError::Corrupt { journal, stream, seq, why };
            }
            Self::Sql(source) => source,
        };
        let why = source.to_string();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { journal, why },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { journal }
            }
            // `Unknown` is a table or column that is not there: our statements never change.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown,
            )
            | None => StoreError::Corrupt { journal, stream: None, seq: None, why },
            Some(_) => StoreError::Io { journal, doing, source: source.into() },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_the_store_goes_on_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(folder.path().join("journal.db")).unwrap();
        let frame = |name: &str| Frame {
            stream: StreamId::new(name).unwrap(),
            at: Timestamp::default(),
            records: 1,
            body: Bytes::from(vec![7; 20_000]),
            marks: vec![],
        };
        let pages = |count: u32| format!("PRAGMA max_page_count = {count}");
        store.connection.query_row(&pages(20), [], |_| Ok(())).unwrap();
        assert_eq!(store.append(vec![frame("a")]).await.unwrap(), [1]);
        for _ in 0..2 {
            let full = store.append(vec![frame("b"), frame("a"), frame("a")]).await;
            assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
        }
        assert_eq!(store.streams().await.unwrap().len(), 1);

        store.connection.query_row(&pages(2_000), [], |_| Ok(())).unwrap();
        let appended = store.append(vec![frame("b"), frame("a"), frame("a")]).await.unwrap();
        assert_eq!(appended, [1, 2, 3]);
        store.close().await.unwrap();
    }
}
