//! Real servers for tests: on free ports, with folders of their own, gone when they are dropped.

#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;

use std::{
    env,
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[cfg(feature = "nats")]
pub(crate) use self::nats::NatsServer;
#[cfg(feature = "redis")]
pub(crate) use self::redis::RedisServer;

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server process that answers.
#[derive(Debug)]
struct Process(Child);

impl Process {
    /// Starts `command`; `ask` tries once whether it answers on its port.
    fn start(command: &mut Command, log: &Path, ask: impl Fn() -> bool) -> Result<Self, String> {
        let out = std::fs::File::create(log).unwrap();
        let err = out.try_clone().unwrap();
        let started = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let mut process = Self(started.map_err(|error| format!("{command:?}: {error}"))?);
        let begun = Instant::now();
        while !ask() {
            let ended = process.0.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{command:?} does not answer: {ended:?}\n{said}"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended by itself cannot be killed.
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Starts a server on a free port. Between the look for one and its use another may take it, so
/// it is tried again.
fn on_free_port<T>(start: impl Fn(u16) -> Result<T, String>) -> T {
    let mut failures = Vec::new();
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        match start(port) {
            Ok(server) => return server,
            Err(why) => failures.push(why),
        }
    }
    panic!("no server: {failures:#?}");
}

/// The program of a server: what a variable names, or what is on the path.
fn program(variable: &str, name: &str) -> PathBuf {
    let named = env::var_os(variable).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    });
    match found {
        Some(file) if file.is_file() => file,
        Some(file) => panic!("`{variable}` names `{}`, which is no file", file.display()),
        None => panic!("no `{name}` on the path; install it, or name it in `{variable}`"),
    }
}

/// What a server says first, or to what is asked.
fn hear(port: u16, ask: &[u8]) -> Option<String> {
    use std::io::Read;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(ask).ok()?;
    let mut said = [0; 64];
    let bytes = stream.read(&mut said).ok()?;
    Some(String::from_utf8_lossy(&said[..bytes]).into_owned())
}
