//! Contexts in Redis: a hash `lc:{<stream>}:ctx` for each stream, with `context`, `slice` and
//! `writer`. `HGET 'lc:{match-1}:ctx' context` gives the JSON.

mod connect;

use redis::{Client, RedisError, Script, aio::MultiplexedConnection};

use super::{ContextError, ContextStore, Kept, newest};
use crate::engine::{Slice, StreamId};

/// Keeps contexts in Redis.
///
/// The connection is made anew when it broke, and each time the server is looked at again: after
/// a restart it may have another configuration. A manager that reconnects by itself would hide
/// both, and that what the server kept may be gone.
#[derive(Debug)]
pub struct RedisContext {
    /// For messages: the address without what is secret in it.
    place: String,
    client: Client,
    connection: Option<MultiplexedConnection>,
    save: Script,
}

impl RedisContext {
    /// Connects, and checks that the server will do. The address is
    /// `redis://[user:password@]host[:port][/database]`, `rediss://…` with TLS.
    pub async fn open(url: &str) -> Result<Self, ContextError> {
        let (place, client) = connect::read(url)?;
        let save = Script::new(include_str!("save.lua"));
        let mut store = Self { place, client, connection: None, save };
        store.connection().await?;
        Ok(store)
    }

    /// A number higher than that of every writer so far: the time of the server, which is one
    /// clock for all who write there and goes on when its data is gone.
    pub async fn new_writer(&mut self) -> Result<u64, ContextError> {
        let mut connection = self.connection().await?;
        let asked = redis::cmd("TIME").query_async::<(u64, u64)>(&mut connection).await;
        let (seconds, micros) = asked.map_err(|error| self.failed(&error))?;
        Ok(seconds * 1_000_000 + micros)
    }

    async fn connection(&mut self) -> Result<MultiplexedConnection, ContextError> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let connection = connect::open(&self.client, &self.place).await?;
        Ok(self.connection.insert(connection).clone())
    }

    fn failed(&mut self, error: &RedisError) -> ContextError {
        // Whatever went wrong: the next call finds out whether the server is still the same.
        self.connection = None;
        connect::fault(&self.place, error)
    }
}

impl ContextStore for RedisContext {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        let kept = newest(kept);
        if kept.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection().await?;
        let mut call = self.save.prepare_invoke();
        for one in &kept {
            call.key(key(&one.stream));
            call.arg(one.writer).arg(one.slice.0).arg(&one.context[..]);
        }
        let answer = call.invoke_async::<Vec<String>>(&mut connection).await;
        let answer = answer.map_err(|error| self.failed(&error))?;
        let [at, by] = answer.as_slice() else {
            return Ok(());
        };
        let deposed = kept.iter().find(|one| key(&one.stream) == *at);
        let deposed = deposed.expect("the script gives one of the keys it was given");
        Err(ContextError::Deposed {
            place: self.place.clone(),
            stream: deposed.stream.clone(),
            writer: deposed.writer,
            by: by.parse().unwrap_or(u64::MAX),
        })
    }

    async fn load(&mut self, stream: &StreamId) -> Result<Option<Kept>, ContextError> {
        type Found = (Option<String>, Option<String>, Option<Vec<u8>>);
        let mut connection = self.connection().await?;
        let mut ask = redis::cmd("HMGET");
        ask.arg(key(stream)).arg("writer").arg("slice").arg("context");
        let found = ask.query_async::<Found>(&mut connection).await;
        let (writer, slice, context) = match found.map_err(|error| self.failed(&error))? {
            (None, None, None) => return Ok(None),
            found => found,
        };
        let writer = writer.and_then(|text| text.parse().ok());
        let slice = slice.and_then(|text| text.parse().ok());
        let (Some(writer), Some(slice), Some(context)) = (writer, slice, context) else {
            return Err(ContextError::Foreign {
                place: self.place.clone(),
                stream: stream.clone(),
                why: format!("`{}` lacks `writer`, `slice` or `context`", key(stream)),
            });
        };
        Ok(Some(Kept {
            stream: stream.clone(),
            slice: Slice(slice),
            context: context.into(),
            writer,
        }))
    }

    async fn forget(&mut self, stream: &StreamId) -> Result<(), ContextError> {
        let mut connection = self.connection().await?;
        let gone = redis::cmd("DEL").arg(key(stream)).exec_async(&mut connection).await;
        gone.map_err(|error| self.failed(&error))
    }
}

/// The braces make a cluster of Redis keep everything of a stream together.
fn key(stream: &StreamId) -> String {
    format!("lc:{{{stream}}}:ctx")
}
