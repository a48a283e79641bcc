//! Worker threads: each polls its own queues or sockets.

use crate::context::{Context, Port};
use crate::inbound::InboundWork;
use crate::outbound::OutboundWork;
use crate::sync::lock;
use crate::totals::{Direction, Reason, Totals};
use netio::{Device, Poller, Waker};
use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const WAKER: u64 = 0;
/// A descriptor that fails so often in a row is watched no more: it would keep its worker busy with nothing.
const MAX_ERRORS: u32 = 500;
const ERROR_PAUSE: Duration = Duration::from_millis(2);

/// Something a worker reads.
pub(crate) enum Source {
    /// A TUN queue. `alone`: it is the only queue of its TUN.
    Queue { context: Arc<Context>, device: Arc<dyn Device>, mtu: usize, alone: bool },
    /// A socket.
    Socket { context: Arc<Context>, port: Arc<Port> },
}

impl Source {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Queue { device, .. } => device.fd(),
            Self::Socket { port, .. } => port.transport.fd(),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        match self {
            Self::Queue { context, .. } | Self::Socket { context, .. } => context,
        }
    }

    pub(crate) fn is_port(&self, wanted: &Arc<Port>) -> bool {
        matches!(self, Self::Socket { port, .. } if Arc::ptr_eq(port, wanted))
    }
}

struct Watched {
    source: Source,
    errors: AtomicU32,
}

/// What a thread and its owner share.
pub(crate) struct Shared {
    poller: Poller,
    waker: Waker,
    stopping: AtomicBool,
    next_token: AtomicU64,
    forget: AtomicBool,
    sources: Mutex<HashMap<u64, Arc<Watched>>>,
}

impl Shared {
    fn watch(&self, source: Source) -> io::Result<()> {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let watched = Arc::new(Watched { source, errors: AtomicU32::new(0) });
        lock(&self.sources).insert(token, watched.clone());
        self.poller.add(watched.source.fd(), token).inspect_err(|_| {
            lock(&self.sources).remove(&token);
        })
    }

    fn unwatch(&self, unwanted: impl Fn(&Source) -> bool) {
        let mut sources = lock(&self.sources);
        sources.retain(|_, watched| {
            let keep = !unwanted(&watched.source);
            if !keep {
                let _ = self.poller.remove(watched.source.fd()); // it was added, or failed and is gone already
            }
            keep
        });
    }

    fn run(&self, totals: &Totals, direction: Direction, work: &mut impl Work) {
        let mut tokens = Vec::new();
        while !self.stopping.load(Ordering::Acquire) {
            if self.poller.wait(&mut tokens).is_err() {
                return; // the poller itself is broken: nothing more can be known
            }
            for token in &tokens {
                if *token == WAKER {
                    self.waker.clear();
                    continue;
                }
                let Some(watched) = lock(&self.sources).get(token).cloned() else { continue };
                match catch_unwind(AssertUnwindSafe(|| work.turn(&watched.source))) {
                    Ok(Ok(())) => watched.errors.store(0, Ordering::Relaxed),
                    Ok(Err(_)) => self.failed(*token, &watched),
                    Err(_) => {
                        totals.dropped(direction, Reason::Panicked, 1);
                        work.reset();
                    }
                }
            }
            if self.forget.swap(false, Ordering::AcqRel) {
                work.forget();
            }
        }
    }

    fn failed(&self, token: u64, watched: &Watched) {
        if watched.errors.fetch_add(1, Ordering::Relaxed) >= MAX_ERRORS {
            let _ = self.poller.remove(watched.source.fd());
            lock(&self.sources).remove(&token);
        } else {
            std::thread::sleep(ERROR_PAUSE); // an interface that is down may come up again
        }
    }
}

trait Work {
    fn turn(&mut self, source: &Source) -> io::Result<()>;
    fn reset(&mut self);
    fn forget(&mut self);
}

impl Work for OutboundWork {
    fn turn(&mut self, source: &Source) -> io::Result<()> {
        match source {
            Source::Queue { context, device, mtu, alone } => self.turn(context, device.as_ref(), *mtu, *alone),
            Source::Socket { .. } => Ok(()),
        }
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn forget(&mut self) {
        self.forget();
    }
}

impl Work for InboundWork {
    fn turn(&mut self, source: &Source) -> io::Result<()> {
        match source {
            Source::Socket { context, port } => self.turn(context, port),
            Source::Queue { .. } => Ok(()),
        }
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn forget(&mut self) {
        self.forget();
    }
}

/// A thread that works for one direction.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(crate) fn outbound(index: usize, totals: &Arc<Totals>, work: OutboundWork) -> io::Result<Self> {
        Self::start(format!("esp-out-{index}"), totals.clone(), Direction::Outbound, work)
    }

    pub(crate) fn inbound(index: usize, totals: &Arc<Totals>, work: InboundWork) -> io::Result<Self> {
        Self::start(format!("esp-in-{index}"), totals.clone(), Direction::Inbound, work)
    }

    fn start(
        name: String,
        totals: Arc<Totals>,
        direction: Direction,
        mut work: impl Work + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            poller: Poller::new()?,
            waker: Waker::new()?,
            stopping: AtomicBool::new(false),
            next_token: AtomicU64::new(WAKER + 1),
            forget: AtomicBool::new(false),
            sources: Mutex::default(),
        });
        shared.poller.add(shared.waker.fd(), WAKER)?;
        let thread = std::thread::Builder::new().name(name).spawn({
            let shared = shared.clone();
            move || shared.run(&totals, direction, &mut work)
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn watch(&self, source: Source) -> io::Result<()> {
        self.shared.watch(source)
    }

    pub(crate) fn unwatch(&self, unwanted: impl Fn(&Source) -> bool) {
        self.shared.unwatch(unwanted);
        self.forget();
    }

    /// How much it has to watch.
    pub(crate) fn load(&self) -> usize {
        lock(&self.shared.sources).len()
    }

    /// Make the thread drop what it keeps of SAs, soon.
    pub(crate) fn forget(&self) {
        self.shared.forget.store(true, Ordering::Release);
        self.shared.waker.wake();
    }

    pub(crate) fn ask_to_stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.waker.wake();
    }

    pub(crate) fn join(&self) {
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join(); // a panic of a worker was counted; here there is nobody to tell
        }
        self.shared.unwatch(|_| true);
    }
}
