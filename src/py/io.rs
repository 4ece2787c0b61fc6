//! The thread that timers and disks need, and small conversions.

use std::{process, sync::OnceLock};

use tokio::runtime::{Builder, Handle, Runtime};

/// The process that made it, and the runtime.
static RUNTIME: OnceLock<(u32, Runtime)> = OnceLock::new();

/// Where sessions keep their timers. One for the process; it never touches Python.
pub(super) fn handle() -> &'static Handle {
    RUNTIME
        .get_or_init(|| {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("live-crew io")
                .enable_all()
                .build()
                .expect("a process can start a thread");
            (process::id(), runtime)
        })
        .1
        .handle()
}

/// Whether this process was forked off one that had started its threads: they are not here.
pub(super) fn is_forked() -> bool {
    RUNTIME.get().is_some_and(|(owner, _)| *owner != process::id())
}

/// Waits for a future, on a thread that does not hold the interpreter.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    handle().block_on(future)
}

/// A text as a JSON string.
pub(super) fn json_text(text: &str) -> String {
    let mut out = Vec::new();
    crate::json::write_string(text, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}
