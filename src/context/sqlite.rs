//! Contexts in a SQLite file beside the journal, for whoever can run a query:
//! `select context from contexts where stream = 'match-1'`.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{ContextError, ContextStore, Kept, Verdict, judge, newest};
use crate::engine::{Slice, StreamId};

/// `lcc1`: tells these files from any other SQLite file.
const APPLICATION_ID: i32 = 0x6c63_6331;

/// How long a reader may be in the way.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS contexts (
        stream TEXT NOT NULL PRIMARY KEY, slice INTEGER NOT NULL, writer INTEGER NOT NULL,
        context TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// Keeps contexts in a SQLite file.
#[derive(Debug)]
pub struct SqliteContext {
    place: String,
    connection: Connection,
}

impl SqliteContext {
    /// Opens the file; makes it, and its folder, if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ContextError> {
        let path = path.as_ref();
        let place = format!("`{}`", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| no(&place, &error))?;
        }
        let opened = Connection::open(path).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok((connection, id, tables))
        });
        let (connection, id, tables) = opened.map_err(|error| no(&place, &error))?;
        if id != APPLICATION_ID && (id, tables) != (0, 0) {
            return Err(ContextError::Refused {
                place,
                why: "this is a file of something else".to_owned(),
                fix: "name another file".to_owned(),
            });
        }
        // The journal is synced; what a power cut takes from here is written again from there.
        let made = connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE;
             PRAGMA application_id = {APPLICATION_ID}; {SCHEMA} COMMIT;"
        ));
        made.map_err(|error| no(&place, &error))?;
        Ok(Self { place, connection })
    }

    /// A number higher than that of every writer so far. A journal has one writer at a time, so
    /// two who ask for one meet at its lock first.
    pub fn new_writer(&mut self) -> Result<u64, ContextError> {
        let last = "SELECT coalesce(max(writer), 0) FROM contexts";
        let last: i64 = self
            .connection
            .query_row(last, [], |row| row.get(0))
            .map_err(|error| no(&self.place, &error))?;
        Ok(last.cast_unsigned() + 1)
    }
}

impl ContextStore for SqliteContext {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        let place = &self.place;
        let fault = |error: rusqlite::Error| no(place, &error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        for new in newest(kept) {
            let mut look = transaction
                .prepare_cached("SELECT writer, slice FROM contexts WHERE stream = ?")
                .map_err(fault)?;
            let old = look
                .query_row([new.stream.as_str()], |row| {
                    Ok((row.get::<_, i64>(0)?.cast_unsigned(), Slice(row.get(1)?)))
                })
                .optional()
                .map_err(fault)?;
            match judge(old, new) {
                Verdict::Leave => continue,
                // The transaction is dropped, and with it what was written before.
                Verdict::Deposed(by) => {
                    let (stream, writer) = (new.stream.clone(), new.writer);
                    return Err(ContextError::Deposed { place: place.clone(), stream, writer, by });
                }
                Verdict::Write => {}
            }
            let context = str::from_utf8(&new.context).map_err(|error| no(place, &error))?;
            let (writer, slice) = (new.writer.cast_signed(), new.slice.0);
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO contexts (stream, slice, writer, context)
                     VALUES (?, ?, ?, ?)",
                )
                .and_then(|mut put| {
                    put.execute(params![new.stream.as_str(), slice, writer, context])
                })
                .map_err(fault)?;
        }
        transaction.commit().map_err(fault)
    }

    async fn load(&mut self, stream: &StreamId) -> Result<Option<Kept>, ContextError> {
        let found = "SELECT slice, writer, context FROM contexts WHERE stream = ?";
        let found = self.connection.query_row(found, [stream.as_str()], |row| {
            Ok(Kept {
                stream: stream.clone(),
                slice: Slice(row.get(0)?),
                writer: row.get::<_, i64>(1)?.cast_unsigned(),
                context: Bytes::from(row.get::<_, String>(2)?),
            })
        });
        found.optional().map_err(|error| no(&self.place, &error))
    }

    async fn forget(&mut self, stream: &StreamId) -> Result<(), ContextError> {
        let gone =
            self.connection.execute("DELETE FROM contexts WHERE stream = ?", [stream.as_str()]);
        gone.map(|_| ()).map_err(|error| no(&self.place, &error))
    }
}

fn no(place: &str, error: &dyn std::fmt::Display) -> ContextError {
    ContextError::Refused {
        place: place.to_owned(),
        why: error.to_string(),
        fix: "check the disk and the permissions, or name another file".to_owned(),
    }
}
