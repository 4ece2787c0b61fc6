//! The seal: one checksum over every stream and snapshot, written when a journal is closed.
//!
//! Frames are chained and counted by their stream; the seal makes sure no stream, snapshot or tail
//! went missing as a whole.

use rusqlite::{Connection, OptionalExtension};

use super::{
    super::frame::{Sum, checksum},
    Fault,
    rows::{self, StreamRow},
};

/// What a check of a journal found.
pub(super) struct Checked {
    pub(super) sealed: bool,
    /// The number the next new stream gets.
    pub(super) next_stream: i64,
}

/// Makes sure the last frame of every stream is there, and that a seal, if there is one, fits.
pub(super) fn check(connection: &Connection) -> Result<Checked, Fault> {
    let (expected, next_stream) = sum_up(connection)?;
    let seal: Option<Sum> =
        connection.query_row("SELECT sum FROM seal", [], |row| row.get(0)).optional()?;
    if seal.is_some_and(|seal| seal != expected) {
        return Err(corrupt("it is not as it was when it was closed"));
    }
    Ok(Checked { sealed: seal.is_some(), next_stream })
}

pub(super) fn write(connection: &Connection) -> Result<(), Fault> {
    let (sum, _) = sum_up(connection)?;
    connection.execute("DELETE FROM seal", [])?;
    connection.execute("INSERT INTO seal (sum) VALUES (?1)", [sum])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection) -> Result<(), Fault> {
    connection.execute("DELETE FROM seal", [])?;
    Ok(())
}

/// The checksum over everything and the number the next new stream gets.
fn sum_up(connection: &Connection) -> Result<(Sum, i64), Fault> {
    let (mut all, mut next_stream) = (Sum::default(), 1);
    for row in rows::streams(connection)? {
        let StreamRow { stream, number, head, sum } = &row;
        // A damaged tree may list what a search does not find.
        if rows::stream(connection, stream)?.is_none_or(|found| found.sum != *sum) {
            return Err(corrupt("a stream is listed that cannot be found"));
        }
        if rows::link(connection, stream, *number, head, head.last.seq)? != head.last {
            return Err(Fault::corrupt(stream, head.last.seq, "it is not the last frame written"));
        }
        all = checksum("seal", &[&all, sum]);
        next_stream = next_stream.max(number.saturating_add(1));
    }
    let mut list =
        connection.prepare_cached("SELECT key, slice, sum FROM snapshots ORDER BY key")?;
    let mut find = connection.prepare_cached("SELECT sum FROM snapshots WHERE key = ?1")?;
    let mut snapshots = list.query([])?;
    while let Some(row) = snapshots.next()? {
        let (key, slice, sum): (i64, i64, Sum) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if find.query_row([key], |row| row.get::<_, Sum>(0)).optional()? != Some(sum) {
            return Err(corrupt("a snapshot is listed that cannot be found"));
        }
        // The slice too: it is searched by before the snapshot it belongs to is checked.
        all = checksum("seal", &[&all, &key.to_le_bytes(), &slice.to_le_bytes(), &sum]);
    }
    Ok((all, next_stream))
}

fn corrupt(why: &str) -> Fault {
    Fault::Corrupt { stream: None, seq: None, why: why.to_owned() }
}
