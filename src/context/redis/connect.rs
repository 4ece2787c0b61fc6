//! Getting to a Redis, and whether it will do.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError,
    ServerErrorKind, aio::MultiplexedConnection,
};

use crate::context::ContextError;

const CONNECT: Duration = Duration::from_secs(5);
/// A save is one script over memory: a server that takes longer is in trouble.
const ANSWER: Duration = Duration::from_secs(5);

/// The address without its credentials, and a client that has them.
pub(super) fn read(url: &str) -> Result<(String, Client), ContextError> {
    let wrong = |why: String| ContextError::Refused {
        // Not the text itself: it may hold a password where none is looked for.
        place: "Redis".to_owned(),
        why,
        fix: "write `redis://host:6379`, with a user and password `redis://user:password@host`"
            .to_owned(),
    };
    if !(url.starts_with("redis://") || url.starts_with("rediss://")) {
        return Err(wrong("the address does not begin with `redis://` or `rediss://`".to_owned()));
    }
    if url.contains('#') {
        return Err(wrong("the address has a part after `#`, which means nothing here".to_owned()));
    }
    let info = url.into_connection_info();
    let info =
        info.map_err(|error| wrong(format!("the address cannot be read ({})", said(&error))))?;
    let place = match info.addr() {
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}"),
        addr => format!("redis://{addr}"),
    };
    let place = format!("{place}/{}", info.redis_settings().db());
    let client = Client::open(info);
    client.map(|client| (place, client)).map_err(|error| wrong(said(&error)))
}

/// A connection to a server that keeps what it is given.
pub(super) async fn open(
    client: &Client,
    place: &str,
) -> Result<MultiplexedConnection, ContextError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER));
    let opened = client.get_multiplexed_async_connection_with_config(&config).await;
    let mut connection = opened.map_err(|error| fault(place, &error))?;
    // `INFO` and not `CONFIG`, which hosted servers do not let anybody use.
    let info = redis::cmd("INFO").query_async::<String>(&mut connection).await;
    check(&info.map_err(|error| fault(place, &error))?, place)?;
    Ok(connection)
}

fn check(info: &str, place: &str) -> Result<(), ContextError> {
    let value = |name: &str| {
        info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    let refused = |why: String, fix: &str| {
        Err(ContextError::Refused { place: place.to_owned(), why, fix: fix.to_owned() })
    };
    match value("maxmemory_policy") {
        Some("noeviction") | None => {}
        Some(policy) => {
            return refused(
                format!(
                    "`maxmemory-policy` is `{policy}`, so the server may drop contexts when it is full"
                ),
                "set it to `noeviction`",
            );
        }
    }
    if value("cluster_enabled") == Some("1") {
        return refused(
            "the server is part of a cluster, where streams cannot be kept in one step".to_owned(),
            "use one that stands alone, or with replicas",
        );
    }
    if value("role") == Some("slave") {
        return refused(
            "the server is a replica, which takes no writes".to_owned(),
            "name its primary",
        );
    }
    Ok(())
}

/// What an error of the client means for us.
pub(super) fn fault(place: &str, error: &RedisError) -> ContextError {
    let (place, why) = (place.to_owned(), said(error));
    let refused = |place, why, fix: &str| ContextError::Refused { place, why, fix: fix.to_owned() };
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            refused(place, why, "check the user and the password in the address")
        }
        ErrorKind::Server(ServerErrorKind::NoPerm) => refused(
            place,
            why,
            "let the user run INFO, TIME, EVALSHA, SCRIPT, HMGET, HSET and DEL on `lc:*`",
        ),
        ErrorKind::InvalidClientConfig => refused(place, why, "write `redis://host:6379`"),
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => {
            refused(place, why, "put the user and the password into the address")
        }
        _ if error.code() == Some("WRONGTYPE") => {
            refused(place, why, "remove the keys `lc:*` that are no hashes")
        }
        _ => ContextError::Unavailable { place, why },
    }
}

/// The words of an error. What the server says may quote the command, and so a password: only
/// what it says of the reason is shown.
fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
