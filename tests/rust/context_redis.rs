//! What is true of contexts in Redis only.

use live_crew::context::{ContextError, ContextStore, RedisContext};

use crate::{
    context_contract::{id, kept},
    servers::RedisServer,
};

async fn refusal(url: &str) -> String {
    match RedisContext::open(url).await.unwrap_err() {
        error @ ContextError::Refused { .. } => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_kept_can_be_read_by_any_client() {
    let server = RedisServer::start();
    let mut store = RedisContext::open(&server.url()).await.unwrap();
    store.save(&[kept("match-1", 4, 2)]).await.unwrap();
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut ask = redis::cmd("HGETALL");
    let found: Vec<String> = ask.arg("lc:{match-1}:ctx").query(&mut client).unwrap();
    assert_eq!(found, ["writer", "4", "slice", "2", "context", r#"{"by":4,"slice":2}"#]);
}

#[tokio::test]
async fn a_writer_may_be_a_number_that_lua_cannot_hold() {
    let server = RedisServer::start();
    let mut store = RedisContext::open(&server.url()).await.unwrap();
    store.save(&[kept("a", u64::MAX, 1)]).await.unwrap();
    let refused = store.save(&[kept("a", u64::MAX - 1, 2)]).await;
    assert!(matches!(refused, Err(ContextError::Deposed { by: u64::MAX, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_new_writer_is_higher_than_those_before() {
    let server = RedisServer::start();
    let mut store = RedisContext::open(&server.url()).await.unwrap();
    let first = store.new_writer().await.unwrap();
    assert!(RedisContext::open(&server.url()).await.unwrap().new_writer().await.unwrap() > first);
}

#[tokio::test]
async fn a_server_that_may_drop_contexts_is_refused() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let said = refusal(&server.url()).await;
    assert!(said.contains("`maxmemory-policy` is `allkeys-lru`"), "{said}");
    assert!(said.ends_with("set it to `noeviction`"), "{said}");
}

#[tokio::test]
async fn a_server_of_a_cluster_is_refused() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    assert!(refusal(&server.url()).await.contains("part of a cluster"));
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let server = RedisServer::start_with(&["--requirepass", "opensesame"]);
    RedisContext::open(&server.url_with("opensesame")).await.unwrap();
    let said = refusal(&server.url_with("hunter2")).await;
    assert!(said.contains("check the user and the password"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let said = refusal(&server.url()).await;
    assert!(said.contains("put the user and the password into the address"), "{said}");
    let store = RedisContext::open(&server.url_with("opensesame")).await.unwrap();
    assert!(!format!("{store:?}").contains("opensesame"), "{store:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_told_and_not_shown() {
    for url in [
        "redis://:hunter2@",
        "http://:hunter2@host",
        "redis://:hunter2@host:port",
        "rediss://:hunter2@h#insecure",
    ] {
        let said = refusal(url).await;
        assert!(said.contains("write `redis://host:6379`"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let mut server = RedisServer::start();
    let url = server.url();
    server.kill();
    let error = RedisContext::open(&url).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn a_server_that_was_killed_is_found_again() {
    let mut server = RedisServer::start();
    let mut store = RedisContext::open(&server.url()).await.unwrap();
    store.save(&[kept("a", 1, 1)]).await.unwrap();
    server.kill();
    assert!(store.save(&[kept("a", 1, 2)]).await.unwrap_err().is_passing());
    assert!(store.load(&id("a")).await.unwrap_err().is_passing());
    server.restart();
    store.save(&[kept("a", 1, 2)]).await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(kept("a", 1, 2)));
}

#[tokio::test]
async fn what_others_put_there_is_told() {
    let server = RedisServer::start();
    let mut store = RedisContext::open(&server.url()).await.unwrap();
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("HSET").arg("lc:{a}:ctx").arg("context").arg("{}").exec(&mut client).unwrap();
    redis::cmd("SET").arg("lc:{b}:ctx").arg("{}").exec(&mut client).unwrap();
    let half = store.load(&id("a")).await;
    assert!(matches!(half, Err(ContextError::Foreign { .. })), "{half:?}");
    let text = store.save(&[kept("b", 1, 1)]).await;
    assert!(matches!(text, Err(ContextError::Refused { .. })), "{text:?}");
    store.save(&[kept("a", 1, 1)]).await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(kept("a", 1, 1)), "it is ours to write");
}
