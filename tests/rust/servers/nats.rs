//! `nats-server` with JetStream.

use std::process::Command;

use tempfile::TempDir;

use super::{Process, hear, on_free_port, program};

/// A server of NATS on this host.
#[derive(Debug)]
pub(crate) struct NatsServer {
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        on_free_port(|port| {
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            let mut server = Self { port, folder: folder.unwrap(), process: None };
            server.begin()?;
            Ok(server)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it as `kill -9` does; what it has stored stays.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.begin().unwrap();
    }

    fn begin(&mut self) -> Result<(), String> {
        let folder = self.folder.path();
        let mut command = Command::new(program("LIVE_CREW_NATS_SERVER", "nats-server"));
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]);
        command.arg(folder.join("store"));
        let ask = || hear(self.port, b"").is_some_and(|said| said.starts_with("INFO "));
        self.process = Some(Process::start(&mut command, &folder.join("log"), ask)?);
        Ok(())
    }
}
