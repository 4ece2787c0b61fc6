//! Whether a server still will do: it may be another one when it comes back, and streams may be gone.

use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use tokio::time::{Instant, sleep_until};

use crate::nats::{Connection, State, code};

/// How often the streams are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How many looks in a row have to miss a stream: a cluster that begins may not know it yet.
const LOOKS: u32 = 3;

/// Waits until the server will do no more, or says that one of these streams is not there; says
/// what is wrong and what to do. One that is away says nothing, and may come back.
pub async fn unfit(nats: &Connection, streams: &[&str]) -> String {
    let mut states = nats.states();
    let (mut next, mut missed) = (Instant::now() + LOOK, 0);
    loop {
        if let State::Unfit(why) = &*states.borrow_and_update() {
            return why.to_string();
        }
        // Cancel-safe: a watch keeps what is new.
        let is_due = tokio::select! {
            changed = states.changed() => {
                if changed.is_err() {
                    // The connection is gone, and whoever used it knows.
                    return std::future::pending().await;
                }
                false
            }
            () = sleep_until(next) => true,
        };
        if !is_due {
            continue;
        }
        let gone = if nats.is_connected() { first_gone(nats, streams).await } else { None };
        next = Instant::now() + LOOK;
        missed = if gone.is_some() { missed + 1 } else { 0 };
        if let Some(name) = gone.filter(|_| missed >= LOOKS) {
            return format!(
                "NATS at {}: stream `{name}` is gone, and this host does not make another one while \
                 it runs; restore it, or remove the other streams and buckets of live-crew too and \
                 start the host again to begin with empty ones",
                nats.servers()
            );
        }
    }
}

async fn first_gone<'a>(nats: &Connection, streams: &[&'a str]) -> Option<&'a str> {
    for &name in streams {
        let Err(error) = nats.jetstream().get_stream(name).await else { continue };
        if let GetStreamErrorKind::JetStream(why) = error.kind()
            && why.error_code().0 == code::NO_STREAM
        {
            return Some(name);
        }
    }
    None
}
