//! What the data path tells: events of SAs, and IKE that came to the wrong place. Both wait in bounded queues.

use crate::sync::lock;
use netio::Waker;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

/// IKE datagrams kept until they are fetched.
pub(crate) const MAX_FOREIGN_IKE: usize = 4096;
/// Moves kept until they are fetched: only they may come again and again from one SA.
const MAX_MOVES: usize = 65_536;
/// All events; each SA gives at most five that are not moves.
const MAX_EVENTS: usize = 1 << 20;

/// What happened to an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A soft lifetime is over: rekey.
    SoftExpired,
    /// A hard lifetime is over: the SA carries nothing more.
    HardExpired,
    /// The first good packet on an inbound SA.
    FirstPacket,
    /// A good encapsulated packet came from another address or port.
    PeerMoved(SocketAddr),
    /// The last sequence number is used.
    SequenceExhausted,
}

/// An event of one SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which SA.
    pub sa_id: u64,
}

/// An IKE datagram that came to a data path socket, without its non-ESP marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignIke {
    /// The context of the socket.
    pub context: u32,
    /// The address of the socket.
    pub local: IpAddr,
    /// Its port.
    pub local_port: u16,
    /// The sender.
    pub from: SocketAddr,
    /// The message.
    pub data: Vec<u8>,
}

#[derive(Default)]
struct Queues {
    events: VecDeque<Event>,
    moves: usize,
    ike: VecDeque<ForeignIke>,
}

/// Queues with one waker: it is readable while either has something.
pub(crate) struct Events {
    queues: Mutex<Queues>,
    waker: Waker,
}

impl Events {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { queues: Mutex::default(), waker: Waker::new()? })
    }

    pub(crate) fn push(&self, sa_id: u64, kind: EventKind) {
        let mut queues = lock(&self.queues);
        let moved = matches!(kind, EventKind::PeerMoved(_));
        if queues.events.len() >= MAX_EVENTS || (moved && queues.moves >= MAX_MOVES) {
            return;
        }
        queues.moves += usize::from(moved);
        queues.events.push_back(Event { kind, sa_id });
        self.waker.wake();
    }

    /// False when too much waits already.
    pub(crate) fn push_ike(&self, ike: ForeignIke) -> bool {
        let mut queues = lock(&self.queues);
        let room = queues.ike.len() < MAX_FOREIGN_IKE;
        if room {
            queues.ike.push_back(ike);
            self.waker.wake();
        }
        room
    }

    pub(crate) fn take_events(&self) -> Vec<Event> {
        let mut queues = lock(&self.queues);
        queues.moves = 0;
        let events = std::mem::take(&mut queues.events).into();
        self.settle(&queues);
        events
    }

    pub(crate) fn take_ike(&self) -> Vec<ForeignIke> {
        let mut queues = lock(&self.queues);
        let ike = std::mem::take(&mut queues.ike).into();
        self.settle(&queues);
        ike
    }

    fn settle(&self, queues: &Queues) {
        if queues.events.is_empty() && queues.ike.is_empty() {
            self.waker.clear();
        }
    }

    pub(crate) fn fd(&self) -> i32 {
        self.waker.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_bounded() {
        let events = Events::new().unwrap();
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        for _ in 0..MAX_MOVES + 5 {
            events.push(1, EventKind::PeerMoved(from));
        }
        events.push(1, EventKind::HardExpired); // is not crowded out
        let taken = events.take_events();
        assert_eq!(taken.len(), MAX_MOVES + 1);
        assert_eq!(taken.last().unwrap().kind, EventKind::HardExpired);
        let ike = ForeignIke { context: 0, local: from.ip(), local_port: 4500, from, data: vec![] };
        for n in 0..MAX_FOREIGN_IKE + 1 {
            assert_eq!(events.push_ike(ike.clone()), n < MAX_FOREIGN_IKE);
        }
        assert_eq!(events.take_ike().len(), MAX_FOREIGN_IKE);
        assert!(events.take_ike().is_empty() && events.take_events().is_empty());
    }
}
