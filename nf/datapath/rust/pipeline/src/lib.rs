//! The software data path (architecture section 5).
//!
//! Worker threads own queues: `esp-out-N` read TUN queues, seal and send; `esp-in-N` receive, open and write to the TUN. They
//! meet only in tables (SAD, SPD), per-SA atomics and counters. Control calls never wait for a packet.

#![forbid(unsafe_code)]

mod answers;
mod context;
mod datapath;
mod events;
mod inbound;
mod outbound;
mod paths;
mod sa;
mod sync;
mod timer;
mod totals;
mod worker;

pub use datapath::{DataPath, Error, SaConfig, SaSnapshot, Snapshot};
pub use events::{Event, EventKind, ForeignIke};
pub use sa::{DontFragment, Lifetime, Sizes};
pub use totals::{Direction, Reason};
