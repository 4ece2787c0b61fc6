//! Snapshots as rows, and the prune that cuts at one (rule J5).

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    super::{
        frame::{Head, Sum, checksum, snapshot_bytes},
        retention::Cut,
    },
    Fault, Pick, Pruned, Retention, Snapshot,
    rows::{self, StreamRow, key, seq},
};
use crate::engine::{Slice, StreamId, Timestamp};

pub(super) fn write(
    connection: &Connection,
    stream: &StreamId,
    snapshot: &Snapshot,
) -> Result<(), Fault> {
    let row = rows::stream(connection, stream)?;
    let Some(StreamRow { number, mut head, .. }) = row else {
        return Ok(Head::default().check_snapshot(stream, snapshot.after)?);
    };
    head.check_snapshot(stream, snapshot.after)?;
    let link = rows::link(connection, stream, number, &head, snapshot.after)?;
    let key = key(number, snapshot.after);
    let length = "SELECT length(body) FROM snapshots WHERE key = ?1";
    let replaced: Option<i64> =
        connection.prepare_cached(length)?.query_row([key], |row| row.get(0)).optional()?;
    let sum = snapshot_sum(stream, snapshot, &link.sum);
    let put = "INSERT OR REPLACE INTO snapshots (key, slice, sum, body) VALUES (?1, ?2, ?3, ?4)";
    let mut put = connection.prepare_cached(put)?;
    put.execute(params![key, snapshot.slice.0, sum, &snapshot.body[..]])?;
    let bytes = snapshot_bytes(snapshot.body.len() as u64);
    head.snapshot_written(
        snapshot.after,
        bytes,
        replaced.map_or(0, |length| snapshot_bytes(length.unsigned_abs())),
    );
    rows::put_stream(connection, stream, number, &head)
}

pub(super) fn pick(
    connection: &Connection,
    stream: &StreamId,
    pick: Pick,
) -> Result<Option<Snapshot>, Fault> {
    let row = rows::stream(connection, stream)?;
    let Some(StreamRow { number, head, .. }) = row else {
        return Ok(None);
    };
    if head.snapshot == 0 {
        return Ok(None);
    }
    let (order, slice) = match pick {
        Pick::First => ("ASC", i64::MAX),
        Pick::Latest => ("DESC", i64::MAX),
        Pick::NotBeyond(slice) => ("DESC", slice.0),
    };
    let mut find = connection.prepare_cached(&format!(
        "SELECT key, slice, sum, body FROM snapshots
         WHERE key >= ?1 AND key <= ?2 AND slice <= ?3 ORDER BY key {order} LIMIT 1",
    ))?;
    let range = params![key(number, head.base.seq), key(number, head.snapshot), slice];
    let read = |row: &Row<'_>| {
        let body = Bytes::from(row.get::<_, Vec<u8>>(3)?);
        let snapshot = Snapshot { after: seq(row.get(0)?), slice: Slice(row.get(1)?), body };
        Ok((snapshot, row.get::<_, Sum>(2)?))
    };
    let found = find.query_row(range, read).optional()?;
    let Some((snapshot, sum)) = found else {
        if !matches!(pick, Pick::NotBeyond(_)) {
            return Err(Fault::corrupt(stream, head.snapshot, "the snapshot after it is missing"));
        }
        return Ok(None);
    };
    let Snapshot { after, .. } = snapshot;
    let link = rows::link(connection, stream, number, &head, after)?;
    let is_it = match pick {
        Pick::First => head.base.seq == 0 || after == head.base.seq,
        Pick::NotBeyond(_) => true,
        Pick::Latest => after == head.snapshot,
    };
    if !is_it || snapshot_sum(stream, &snapshot, &link.sum) != sum {
        return Err(Fault::corrupt(stream, after, "the snapshot after it is not what was written"));
    }
    Ok(Some(snapshot))
}

pub(super) fn prune(
    connection: &Connection,
    stream: &StreamId,
    keep: Retention,
    now: Timestamp,
) -> Result<Pruned, Fault> {
    let Some(mut row) = rows::stream(connection, stream)? else {
        return Ok(Pruned::default());
    };
    let cuts = cuts(connection, &row)?;
    let Some(cut) = keep.choose(&cuts, row.head.bytes(), now) else {
        return Ok(Pruned::default());
    };
    let StreamRow { number, ref mut head, .. } = row;
    let bytes = head.bytes();
    head.base = rows::link(connection, stream, number, head, cut.after)?;
    let frames = [key(number, 0), key(number, cut.after)];
    connection.execute("DELETE FROM frames WHERE key >= ?1 AND key <= ?2", frames)?;
    connection.execute("DELETE FROM snapshots WHERE key >= ?1 AND key < ?2", frames)?;
    let kept = bytes.saturating_sub(cut.freed.bytes);
    head.snapshot_bytes = kept.saturating_sub(head.last.bytes.saturating_sub(head.base.bytes));
    rows::put_stream(connection, stream, number, head)?;
    Ok(cut.freed)
}

fn cuts(connection: &Connection, row: &StreamRow) -> Result<Vec<Cut>, Fault> {
    let StreamRow { stream, number, head, .. } = row;
    let mut list = connection.prepare_cached(
        "SELECT key, length(body) FROM snapshots WHERE key >= ?1 AND key <= ?2 ORDER BY key",
    )?;
    let mut at = connection.prepare_cached("SELECT at FROM frames WHERE key = ?1")?;
    let mut snapshots = list.query([key(*number, head.base.seq), key(*number, head.snapshot)])?;
    let (mut cuts, mut before) = (Vec::new(), Pruned::default());
    while let Some(snapshot) = snapshots.next()? {
        let key: i64 = snapshot.get(0)?;
        let after = seq(key);
        if after > head.base.seq {
            let link = rows::link(connection, stream, *number, head, after)?;
            let micros = at.query_row([key], |row| row.get(0))?;
            let at = Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX);
            let freed = Pruned {
                frames: after - head.base.seq,
                snapshots: before.snapshots,
                bytes: link.bytes.saturating_sub(head.base.bytes).saturating_add(before.bytes),
            };
            cuts.push(Cut { after, at, freed });
        }
        before.snapshots += 1;
        before.bytes += snapshot_bytes(snapshot.get::<_, i64>(1)?.unsigned_abs());
    }
    Ok(cuts)
}

/// Binds a snapshot to the very frame it is after, so one of another journal does not pass.
fn snapshot_sum(stream: &StreamId, snapshot: &Snapshot, frame: &Sum) -> Sum {
    let Snapshot { after, slice, body } = snapshot;
    let (after, slice) = (after.to_le_bytes(), slice.0.to_le_bytes());
    checksum("snapshot", &[stream.as_str().as_bytes(), &after, &slice, frame, body])
}
