//! Hears the heartbeats of streams, and says when one is silent that should not be.

use std::{collections::BTreeMap, time::Duration};

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    engine::StreamId,
    nats::{Connection, NatsError, subjects},
};

/// Beats that may be missed before a stream counts as silent.
const PATIENCE: u32 = 3;
/// Streams listened to; of more than that only these are watched.
const STREAMS: usize = 100_000;

/// The last that was heard of a stream.
struct Heard {
    at: Instant,
    beat: Bytes,
}

/// Listens until it is dropped. A stream that was heard and then is not, for three times as long as
/// lies between two beats, gets an error on `live.<stream>.errors`: once, whoever listens.
pub async fn watch(nats: Connection, every: Duration) -> Result<(), NatsError> {
    let lost = |error| NatsError::unanswered("to listen for heartbeats", error);
    let mut beats = nats.client().subscribe("live.*.heartbeats").await.map_err(lost)?;
    let mut heard = BTreeMap::<StreamId, Heard>::new();
    let mut looks = interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked = Instant::now();
    loop {
        // Cancel-safe: a subscription and an interval lose nothing.
        tokio::select! {
            beat = beats.next() => {
                let Some(beat) = beat else { return Ok(()) };
                let Some(stream) = subjects::stream_of(&beat.subject) else { continue };
                if heard.len() < STREAMS || heard.contains_key(&stream) {
                    heard.insert(stream, Heard { at: Instant::now(), beat: beat.payload });
                }
            }
            _ = looks.tick() => {
                // While the server is away, or this process is frozen, nothing can be heard, and
                // nobody be blamed.
                let was_away = std::mem::replace(&mut looked, Instant::now()).elapsed() > 2 * every;
                if was_away || !nats.is_connected() {
                    for heard in heard.values_mut() {
                        heard.at = Instant::now();
                    }
                    continue;
                }
                let silence = every * PATIENCE;
                let (silent, others) = std::mem::take(&mut heard)
                    .into_iter()
                    .partition::<BTreeMap<_, _>, _>(|(_, heard)| heard.at.elapsed() > silence);
                heard = others;
                for (stream, heard) in silent {
                    alarm(&nats, &stream, &heard, silence).await;
                }
            }
        }
    }
}

async fn alarm(nats: &Connection, stream: &StreamId, heard: &Heard, silence: Duration) {
    let seconds = silence.as_secs();
    tracing::error!(%stream, seconds, "no heartbeat");
    let message = format!(
        "no heartbeat for {seconds} s; look whether a host runs stream `{stream}`, or whether all \
         of them are stuck"
    );
    let last: serde_json::Value = serde_json::from_slice(&heard.beat).unwrap_or_default();
    let body = serde_json::json!({
        "kind": "__error",
        "payload": {"message": message, "reason": "silent", "slice": last["slice"]},
        "stream_id": stream.as_str(),
        "ts": last["ts"],
    });
    let mut headers = HeaderMap::new();
    // All who listened say the same of the same last beat.
    headers.insert("Nats-Msg-Id", format!("silent/{stream}/{}", last["ts"]));
    let subject = format!("live.{stream}.errors");
    let sent = nats.jetstream().publish_with_headers(subject, headers, body.to_string().into());
    let told = match sent.await {
        Ok(ack) => ack.await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        tracing::warn!(%stream, %error, "a missing heartbeat cannot be told");
    }
}
