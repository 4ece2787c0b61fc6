//! Warnings and errors of the core as records of Python's `logging`, under `live_crew`.
//!
//! They are written down wherever they come up, and logged by the next step of a session: no other
//! thread here touches Python. What is below a warning costs what it costs without anybody there.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use pyo3::prelude::*;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// While a server is away the same is found out again and again: of each place in the code so many
/// are logged in this time, of one that speaks of servers so many for each of them.
const WINDOW: Duration = Duration::from_secs(60);
const WARNINGS: u32 = 1;
const ERRORS: u32 = 20;

static LOG: Mutex<Log> =
    Mutex::new(Log { lines: Vec::new(), seen: BTreeMap::new(), wakers: Vec::new(), next: 0 });
static HAS_LINES: AtomicBool = AtomicBool::new(false);

/// A place in the code, file and line, and the servers it speaks of.
type Spot = (Option<&'static str>, Option<u32>, String);

struct Log {
    /// What is to be logged; a place in the code adds a few at most.
    lines: Vec<Line>,
    /// For each of these when its time began, and how many there were since.
    seen: BTreeMap<Spot, (Instant, u32)>,
    /// The sessions there are, which log what is written down.
    wakers: Vec<(u64, Waker)>,
    next: u64,
}

struct Line {
    logger: String,
    is_error: bool,
    text: String,
}

fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on warnings and errors are written down.
pub(super) fn begin() {
    // The module may be made a second time, by a second interpreter: then it is there already.
    let _is_first = tracing::subscriber::set_global_default(Listener);
}

/// A session that logs, until this is dropped.
pub(super) struct Listening(u64);

impl Listening {
    pub(super) fn new(waker: Waker) -> Self {
        let mut log = log();
        if log.wakers.is_empty() {
            // What an earlier run was told, nobody was told in this one.
            log.seen.clear();
        }
        log.next += 1;
        let number = log.next;
        log.wakers.push((number, waker));
        Self(number)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut log = log();
        let at = log.wakers.iter().position(|(number, _)| *number == self.0);
        let gone = at.map(|at| log.wakers.swap_remove(at));
        // What it wakes may hold Python objects, which may come back here.
        drop(log);
        drop(gone);
    }
}

/// Logs what was written down.
pub(super) fn forward(py: Python<'_>) {
    if !HAS_LINES.swap(false, Ordering::Relaxed) {
        return;
    }
    let lines = std::mem::take(&mut log().lines);
    let tell = || -> PyResult<()> {
        let logging = py.import("logging")?;
        for Line { logger, is_error, text } in lines {
            let level = if is_error { "error" } else { "warning" };
            logging.call_method1("getLogger", (logger,))?.call_method1(level, ("%s", text))?;
        }
        Ok(())
    };
    if let Err(error) = tell() {
        // A run does not end because its log is broken.
        error.write_unraisable(py, None);
    }
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        // What there is to say of contexts, sessions say themselves.
        let is_ours = target.starts_with("live_crew") && !target.starts_with("live_crew::context");
        is_ours && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let is_error = *metadata.level() == Level::ERROR;
        let mut log = log();
        if log.wakers.is_empty() {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let place = (metadata.file(), metadata.line(), std::mem::take(&mut text.servers));
        let (began, count) = log.seen.entry(place).or_insert_with(|| (Instant::now(), 0));
        let most = if is_error { ERRORS } else { WARNINGS };
        let mut left_out = 0;
        if began.elapsed() > WINDOW {
            left_out = count.saturating_sub(most);
            (*began, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count > most {
            return;
        }
        let mut text = text.whole();
        if left_out > 0 {
            // Writing to a string cannot fail.
            let _written = write!(text, " (and {left_out} more like it before)");
        }
        log.lines.push(Line { logger: logger(metadata.target()), is_error, text });
        HAS_LINES.store(true, Ordering::Relaxed);
        let wakers: Vec<Waker> = log.wakers.iter().map(|(_, waker)| waker.clone()).collect();
        drop(log);
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// A room of the core as a logger: `live_crew::nats::state` is `live_crew.nats`.
fn logger(target: &str) -> String {
    let room = target.split("::").nth(1).filter(|room| *room != "py");
    room.map_or_else(|| "live_crew".to_owned(), |room| format!("live_crew.{room}"))
}

/// A message, and what it is about.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    servers: String,
}

impl Text {
    fn whole(self) -> String {
        let Self { message, fields, .. } = self;
        if fields.is_empty() { message } else { format!("{message}: {fields}") }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "servers" {
            self.servers = format!("{value:?}");
        }
        // Writing to a string cannot fail.
        let _written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // Errors say by themselves what they are about.
            "error" | "why" => write!(self.fields, "{}{value:?}", comma(&self.fields)),
            name => write!(self.fields, "{}{name} {value:?}", comma(&self.fields)),
        };
    }
}

fn comma(before: &str) -> &'static str {
    if before.is_empty() { "" } else { ", " }
}
