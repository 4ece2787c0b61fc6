//! The thread that timers and disks need, and small conversions.

use std::{process, sync::OnceLock};

use nix::sys::signal::{SigSet, SigmaskHow};
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
                .on_thread_start(|| std::mem::forget(Quiet::new()))
                .enable_all()
                .build()
                .expect("a process can start a thread");
            (process::id(), runtime)
        })
        .1
        .handle()
}

/// While it lives, its thread and those it starts take no signals: a signal that lands on another
/// thread than the main one may be noticed by Python only when it happens to look.
pub(super) struct Quiet(Option<SigSet>);

impl Quiet {
    pub(super) fn new() -> Self {
        Self(SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A mask that was there can be set again.
        let _restored = self.0.map(|before| before.thread_set_mask());
    }
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
