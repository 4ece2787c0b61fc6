//! Real servers for tests: on free ports, in folders of their own, gone with their test.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use live_crew::nats::{Address, Connection, Layout};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What drives clients in tests that are not async themselves.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// A program that a test needs: where an environment variable says, or on the path.
pub(crate) fn program(variable: &str, name: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
    let found = Command::new(&path).arg("--version").stdout(Stdio::null()).status();
    assert!(found.is_ok(), "`{}` does not run; set {variable} to the program", path.display());
    path
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until somebody listens on a port.
pub(crate) fn wait_for(port: u16) {
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nobody listens on port {port}");
        std::thread::yield_now();
    }
}

/// A `nats-server` with JetStream.
#[derive(Debug)]
pub(crate) struct NatsServer {
    process: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let port = free_port();
        let process = run(folder.path(), port);
        Self { process, folder, port }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again over what it stored.
    pub(crate) fn restart(&mut self) {
        self.process = run(self.folder.path(), self.port);
    }

    pub(crate) fn address(&self) -> Address {
        let servers = vec![format!("nats://127.0.0.1:{}", self.port)];
        Address { servers, name: "test".into(), ..Address::default() }
    }

    /// A connection, with every stream there.
    pub(crate) async fn connect(&self) -> Connection {
        let nats = Connection::open(&self.address()).await.unwrap();
        Layout::default().ensure(&nats).await.unwrap();
        nats
    }
}

fn run(folder: &Path, port: u16) -> Child {
    let process = Command::new(program("LIVE_CREW_NATS_SERVER", "nats-server"))
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(port);
    process
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
