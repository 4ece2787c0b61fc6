//! `redis-server`.

use std::process::Command;

use tempfile::TempDir;

use super::{Process, hear, on_free_port, program};

/// A server of Redis on this host.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    options: Vec<String>,
    folder: TempDir,
    process: Option<Process>,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with options such as `--requirepass secret`.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        on_free_port(|port| {
            let options = options.iter().map(ToString::to_string).collect();
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self { port, options, folder, process: None };
            server.begin()?;
            Ok(server)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The address with a password.
    pub(crate) fn url_with(&self, password: &str) -> String {
        format!("redis://:{password}@127.0.0.1:{}", self.port)
    }

    /// Kills it as `kill -9` does; nothing it had is left.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on its port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.begin().unwrap();
    }

    fn begin(&mut self) -> Result<(), String> {
        let folder = self.folder.path();
        let mut command = Command::new(program("LIVE_CREW_REDIS_SERVER", "redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.arg("--dir").arg(folder).args(&self.options);
        // With a password it answers `-NOAUTH`, which is an answer.
        let answers = |said: String| said.starts_with("+PONG") || said.starts_with("-NOAUTH");
        let ask = || hear(self.port, b"PING\r\n").is_some_and(answers);
        self.process = Some(Process::start(&mut command, &folder.join("log"), ask)?);
        Ok(())
    }
}
