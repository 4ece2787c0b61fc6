//! The file itself: making it, opening it, and the lock that lets one process write.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Fault, StoreError};

/// `lcj1`: tells a journal from any other SQLite file.
const APPLICATION_ID: i32 = 0x6c63_6a31;
/// The format written here, kept as `user_version`.
const FORMAT: i32 = 1;

/// How long to wait for another process that is in the way for a moment, as in a checkpoint.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the write-ahead log grows before it moves into the file: 32 MiB. An append to a thousand
/// streams dirties a page of each, and is not to pay for a checkpoint every time.
const CHECKPOINT_PAGES: u32 = 8_192;

/// Frames and snapshots are keyed by `stream number << 40 | seq`: one tree, in the order of reading.
const SCHEMA: &str = "
    CREATE TABLE streams (
        name TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL, head BLOB NOT NULL,
        sum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE frames (
        key INTEGER PRIMARY KEY, at INTEGER NOT NULL, records INTEGER NOT NULL,
        link BLOB NOT NULL, marks BLOB NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE snapshots (
        key INTEGER PRIMARY KEY, slice INTEGER NOT NULL, sum BLOB NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE seal (sum BLOB NOT NULL) STRICT;";

/// The path without links, so that two ways to one file meet at one lock.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_path_buf()),
        Err(error) => Err(failed(&path.display().to_string(), "finding the file")(error)),
    }
}

/// Takes the right to write: an exclusive lock on a file beside the journal. SQLite's own lock is
/// used since a process that forks, or dies, never leaves it behind.
pub(super) fn lock(path: &Path, journal: &str) -> Result<Connection, StoreError> {
    if let Some(folder) = folder(path) {
        fs::create_dir_all(folder).map_err(failed(journal, "making its folder"))?;
    }
    let locked = Connection::open_with_flags(
        beside(path, ".lock"),
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .and_then(|lock| {
        lock.busy_timeout(Duration::ZERO)?;
        lock.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(lock)
    });
    locked.map_err(|error| Fault::Sql(error).at(journal, "locking it"))
}

/// Makes an empty journal. It gets its name when it is whole: a crash never leaves half of one.
pub(super) fn create(path: &Path, journal: &str) -> Result<(), StoreError> {
    let new = beside(path, ".new");
    for leftover in [new.clone(), beside(path, ".new-wal"), beside(path, ".new-shm")] {
        if leftover.exists() {
            fs::remove_file(leftover).map_err(failed(journal, "removing what a crash left"))?;
        }
    }
    let made = Connection::open(&new).and_then(|connection| {
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {SCHEMA}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        ))?;
        checkpoint(&connection)?;
        connection.close().map_err(|(_, error)| error)
    });
    made.map_err(|error| Fault::Sql(error).at(journal, "making it"))?;
    fs::rename(&new, path).map_err(failed(journal, "naming it"))?;
    #[cfg(unix)] // elsewhere a folder cannot be synced, and need not be
    if let Some(folder) = folder(path) {
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(failed(journal, "syncing its folder"))?;
    }
    Ok(())
}

/// Opens a journal that exists and makes sure it is one, of a format known here (rule J6).
pub(super) fn open(path: &Path, journal: &str, write: bool) -> Result<Connection, StoreError> {
    let access =
        if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let opened = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(&format!(
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
                 PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
            ))?;
            connection.set_prepared_statement_cache_capacity(32);
            let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            let format = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok((connection, id, format))
        });
    let (connection, id, found) = opened.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotAJournal { journal: journal.to_owned() },
        _ => Fault::Sql(error).at(journal, "opening it"),
    })?;
    let journal = journal.to_owned();
    if id != APPLICATION_ID || found < 1 {
        return Err(StoreError::NotAJournal { journal });
    }
    if found > FORMAT {
        return Err(StoreError::NewerFormat { journal, found, known: FORMAT });
    }
    Ok(connection)
}

/// Moves what is in the write-ahead log into the file and empties the log.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    // Its row says whether a reader was in the way; then the log stays, and is as durable.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn failed(journal: &str, doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let journal = journal.to_owned();
    move |source| StoreError::Io { journal, doing, source: source.into() }
}
