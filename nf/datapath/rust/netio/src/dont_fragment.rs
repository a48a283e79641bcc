//! Which packets of a socket may be fragmented. Linux takes DF for a socket, not for a message: messages are sent in runs
//! that agree on it.

use crate::{Message, Sent, sys};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// What the socket does now. Threads that want the same send at the same time; one that wants another waits for them.
pub(crate) struct DontFragment {
    whole: RwLock<bool>,
    v6: bool,
}

impl DontFragment {
    /// At first the kernel may fragment.
    pub(crate) fn new(fd: BorrowedFd<'_>, v6: bool) -> io::Result<Self> {
        sys::set_whole(fd, v6, false)?;
        Ok(Self { whole: RwLock::new(false), v6 })
    }

    pub(crate) fn send(&self, fd: BorrowedFd<'_>, arena: &[u8], messages: &[Message], ports: bool) -> Sent {
        let mut result = Sent::default();
        for run in messages.chunk_by(|a, b| a.whole == b.whole) {
            let whole = run.first().is_some_and(|message| message.whole);
            match self.hold(fd, whole) {
                Ok(held) => {
                    sys::send(fd, arena, run, ports, &mut result);
                    drop(held);
                }
                Err(_) => result.failed += run.iter().map(Message::packets).sum::<u64>(),
            }
        }
        if !result.refused.is_empty() {
            self.ask(fd, arena, ports, &mut result);
        }
        result
    }

    /// Make the socket do as wanted for as long as the guard lives.
    fn hold(&self, fd: BorrowedFd<'_>, whole: bool) -> io::Result<RwLockReadGuard<'_, bool>> {
        loop {
            let now = self.whole.read().unwrap_or_else(PoisonError::into_inner); // a bool is never half made
            if *now == whole {
                return Ok(now);
            }
            drop(now);
            let mut now = self.whole.write().unwrap_or_else(PoisonError::into_inner);
            if *now != whole {
                sys::set_whole(fd, self.v6, whole)?;
                *now = whole;
            }
        }
    }

    /// Learn the MTU of paths that refused something, from the error that the kernel queues when it refuses it again. The
    /// queue is on for no longer: queued errors would wake the receiver.
    fn ask(&self, fd: BorrowedFd<'_>, arena: &[u8], ports: bool, result: &mut Sent) {
        let mut now = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        if !*now && sys::set_whole(fd, self.v6, true).is_err() {
            return;
        }
        *now = true;
        if sys::queue_errors(fd, self.v6, true).is_err() {
            return;
        }
        for refused in &mut result.refused {
            let again = Message { place: refused.place.clone(), segment: 0, to: refused.to, class: 0, whole: true };
            sys::send(fd, arena, std::slice::from_ref(&again), ports, &mut Sent::default());
            refused.mtu = sys::queued_mtu(fd).unwrap_or(0);
        }
        let _ = sys::queue_errors(fd, self.v6, false); // it could be switched on, so it can be switched off
    }
}
