//! How a session and the event loop take turns: wake-ups, breath, exceptions for the program.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::Write as _,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Wake},
    time::{Duration, Instant},
};

use pyo3::PyErr;

use crate::engine::{CrewName, RunKey, StreamId};

/// How long a session keeps the loop before others get their turn.
const BREATH: Duration = Duration::from_millis(4);

/// How long it may keep the loop before a handler that could begin has to wait. Well over a breath,
/// since a handler of an ordinary length is better done where it is.
const TIRED: Duration = Duration::from_millis(20);

/// Exceptions kept with their tracebacks for `get_error_details`.
const KEPT_ERRORS: usize = 1_000;

/// Shared by a session, its crews and its waker.
#[derive(Debug)]
pub(super) struct Pulse {
    /// A byte written here makes the loop take a step.
    bell: UnixStream,
    is_woken: AtomicBool,
    is_stepping: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    step_began: Instant,
    interrupt: Option<PyErr>,
    raised: VecDeque<Raised>,
}

/// What a run raised.
#[derive(Debug)]
pub(super) struct Raised {
    pub(super) stream: StreamId,
    pub(super) crew: CrewName,
    pub(super) run: RunKey,
    pub(super) attempt: u32,
    pub(super) error: PyErr,
}

impl Pulse {
    pub(super) fn new(bell: UnixStream) -> Arc<Self> {
        let inner = Inner { step_began: Instant::now(), interrupt: None, raised: VecDeque::new() };
        Arc::new(Self {
            bell,
            is_woken: AtomicBool::new(false),
            is_stepping: AtomicBool::new(false),
            inner: Mutex::new(inner),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step begins: wake-ups until its end need no bell.
    pub(super) fn begin(&self) {
        self.inner().step_began = Instant::now();
        self.is_stepping.store(true, Ordering::SeqCst);
        self.is_woken.store(false, Ordering::SeqCst);
    }

    /// A step ends; whether another one is due.
    pub(super) fn end(&self) -> bool {
        self.is_stepping.store(false, Ordering::SeqCst);
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Does what may wake the session while the caller is about to take a step anyway.
    pub(super) fn without_bell(&self, work: impl FnOnce()) {
        let is_stepping = self.is_stepping.swap(true, Ordering::SeqCst);
        work();
        self.is_stepping.store(is_stepping, Ordering::SeqCst);
    }

    /// Lets the loop have its thread, if it was without it for long.
    pub(super) async fn breathe(&self) {
        let mut is_due = self.has_worked(BREATH);
        poll_fn(|context| {
            if std::mem::take(&mut is_due) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Whether no more handlers are to begin in this step.
    pub(super) fn is_tired(&self) -> bool {
        self.has_worked(TIRED)
    }

    fn has_worked(&self, so_long: Duration) -> bool {
        let inner = self.inner();
        inner.interrupt.is_some() || inner.step_began.elapsed() >= so_long
    }

    /// Keeps an exception that is meant for the program; the first one counts.
    pub(super) fn interrupt(&self, error: PyErr) {
        self.inner().interrupt.get_or_insert(error);
    }

    pub(super) fn take_interrupt(&self) -> Option<PyErr> {
        self.inner().interrupt.take()
    }

    /// Keeps what a run raised, with its traceback.
    pub(super) fn remember(
        &self,
        stream: &StreamId,
        crew: &CrewName,
        run: RunKey,
        attempt: u32,
        error: PyErr,
    ) {
        let raised = Raised { stream: stream.clone(), crew: crew.clone(), run, attempt, error };
        let dropped = {
            let mut inner = self.inner();
            inner.raised.push_back(raised);
            if inner.raised.len() > KEPT_ERRORS { inner.raised.pop_front() } else { None }
        };
        // Outside the lock: dropping an exception runs Python code.
        drop(dropped);
    }

    pub(super) fn take_raised(&self) -> VecDeque<Raised> {
        std::mem::take(&mut self.inner().raised)
    }
}

impl Wake for Pulse {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let was_woken = self.is_woken.swap(true, Ordering::SeqCst);
        if !was_woken && !self.is_stepping.load(Ordering::SeqCst) {
            // A full socket has rung already, and a closed one has nobody to wake.
            let _rung = (&self.bell).write(&[1]);
        }
    }
}
