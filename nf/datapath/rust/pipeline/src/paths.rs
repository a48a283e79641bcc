//! What paths to peers take, as the kernel tells when it refuses a packet (RFC 4301 section 8.2).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a refusal is believed. The kernel keeps what routers told it for ten minutes, and refuses again.
const BELIEVED: Duration = Duration::from_secs(60);
/// Peers that are remembered; more start anew.
const MAX_PATHS: usize = 4096;

/// MTUs of outer packets, of the paths that refused one of late. Each worker has its own.
#[derive(Default)]
pub(crate) struct Paths {
    known: HashMap<(u32, IpAddr), (usize, Instant)>,
}

impl Paths {
    pub(crate) fn learn(&mut self, context: u32, to: IpAddr, mtu: usize, now: Instant) {
        if self.known.len() >= MAX_PATHS {
            self.known.clear();
        }
        self.known.insert((context, to), (mtu, now));
    }

    /// None when nothing was refused of late.
    pub(crate) fn mtu(&mut self, context: u32, to: IpAddr, now: Instant) -> Option<usize> {
        if self.known.is_empty() {
            return None; // almost always
        }
        let (mtu, learnt) = *self.known.get(&(context, to))?;
        if now.saturating_duration_since(learnt) >= BELIEVED {
            self.known.remove(&(context, to));
            return None;
        }
        Some(mtu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_a_while() {
        let (mut paths, now, to) = (Paths::default(), Instant::now(), IpAddr::from([192, 0, 2, 1]));
        paths.learn(1, to, 1400, now);
        assert_eq!(paths.mtu(1, to, now + BELIEVED - Duration::from_nanos(1)), Some(1400));
        assert_eq!(paths.mtu(2, to, now), None);
        assert_eq!(paths.mtu(1, to, now + BELIEVED), None);
        assert_eq!(paths.mtu(1, to, now), None); // forgotten
    }

    #[test]
    fn the_memory_has_an_end() {
        let (mut paths, now) = (Paths::default(), Instant::now());
        for n in 0..=MAX_PATHS as u32 {
            assert_eq!(paths.known.len(), n as usize);
            paths.learn(1, IpAddr::from(n.to_be_bytes()), 1400, now);
            if n as usize == MAX_PATHS {
                assert_eq!(paths.known.len(), 1);
            }
        }
    }
}
