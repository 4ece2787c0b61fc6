//! What a connection makes of a server that comes back as another one. A stub says what it is
//! told to: no real server changes its version while it is asked.

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use live_crew::nats::{Address, Connection, SignIn, State};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tracing::{Event, Metadata, Subscriber, field, span};

/// A server as it introduces itself: its version, the level of its JetStream, and what it says to
/// credentials.
struct Guise {
    version: &'static str,
    level: u32,
    refusal: Option<&'static str>,
}

const NEW: Guise = Guise { version: "2.15.1", level: 5, refusal: None };
const OLDER: Guise = Guise { version: "2.11.1", level: 1, refusal: None };
const TOO_OLD: Guise = Guise { version: "2.10.29", level: 0, refusal: None };
const STRICT: Guise = Guise { refusal: Some("Authorization Violation"), ..NEW };

/// Serves one connection after the other; every new guise ends the one that is there.
async fn stub(mut guises: mpsc::Receiver<Guise>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut guise = guises.recv().await.unwrap();
        loop {
            let served = async {
                let (client, _) = listener.accept().await.unwrap();
                serve(client, &guise).await;
            };
            tokio::select! {
                biased;
                next = guises.recv() => match next {
                    Some(next) => guise = next,
                    None => return,
                },
                () = served => {}
            }
        }
    });
    url
}

async fn serve(client: TcpStream, guise: &Guise) {
    let (read, mut write) = client.into_split();
    let Guise { version, level, refusal } = guise;
    let info = format!(r#"INFO {{"version":"{version}","max_payload":1048576,"headers":true}}"#);
    if write.write_all(format!("{info}\r\n").as_bytes()).await.is_err() {
        return;
    }
    let mut lines = BufReader::new(read).lines();
    let mut ear = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<_> = line.split(' ').collect();
        let account = format!(r#"{{"api":{{"level":{level}}}}}"#);
        let answer = match words[..] {
            ["PING"] if refusal.is_some() => format!("-ERR '{}'\r\n", refusal.unwrap()),
            ["PING"] => "PONG\r\n".to_owned(),
            ["PUB", "$JS.API.INFO", inbox, _] => {
                format!("MSG {inbox} {ear} {}\r\n{account}\r\n", account.len())
            }
            ["SUB", _, number] => {
                number.clone_into(&mut ear);
                continue;
            }
            _ => continue,
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_checked_again() {
    let (change, guises) = mpsc::channel(1);
    change.send(NEW).await.unwrap();
    let servers = vec![stub(guises).await];
    let connection = Connection::open(&Address { servers, ..Address::default() }).await.unwrap();
    let mut states = connection.states();
    let mut until = async |wanted: fn(&State) -> bool| {
        let found = timeout(Duration::from_secs(10), states.wait_for(wanted)).await;
        found.expect("in time").unwrap().clone()
    };
    assert!(connection.is_connected() && connection.has_batches());

    change.send(OLDER).await.unwrap();
    until(|state| *state == State::Checking).await;
    until(|state| *state == State::Connected).await;
    assert!(connection.is_connected() && !connection.has_batches());

    change.send(TOO_OLD).await.unwrap();
    let State::Unfit(why) = until(|state| matches!(state, State::Unfit(_))).await else {
        unreachable!()
    };
    assert!(why.contains("it is version 2.10.29"), "{why}");
    assert!(!connection.is_connected());

    change.send(STRICT).await.unwrap();
    until(|state| *state == State::SignInRefused).await;
    assert!(!connection.is_connected());

    change.send(NEW).await.unwrap();
    until(|state| *state == State::Connected).await;
    assert!(connection.has_batches());
}

/// Writes everything down that anybody logs, at every level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl field::Visit for Everything {
    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let log = Everything::default();
    // With only one there is, `tracing` asks the thread that logs first whether anybody listens:
    // that of another test says no, for all.
    let _another = tracing::Dispatch::new(log.clone());
    let _listening = tracing::subscriber::set_default(log.clone());
    for (guise, works) in [(NEW, true), (STRICT, false)] {
        let (change, guises) = mpsc::channel(1);
        change.send(guise).await.unwrap();
        let url = stub(guises).await;
        let within = url.replace("//", "//me:hush@");
        let user = SignIn::User { user: "me".into(), password: "hush".into() };
        for (url, sign_in) in
            [(within, SignIn::Anonymous), (url.clone(), user), (url, SignIn::Token("hush".into()))]
        {
            let address = Address { servers: vec![url], sign_in, ..Address::default() };
            let opened = Connection::open(&address).await;
            assert_eq!(opened.is_ok(), works);
            assert!(!format!("{opened:?} {address:?}").contains("hush"));
        }
    }
    let log = log.0.lock().unwrap();
    assert!(log.contains("connected to NATS"), "{log}");
    assert!(!log.contains("hush"), "{log}");
}
