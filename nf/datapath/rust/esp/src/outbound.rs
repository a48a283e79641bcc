//! Outbound: sequence numbers that never repeat, and sealing in place.

use crate::{ESP_HEADER_OCTETS, IvKind, MAX_IV_OCTETS, Suite};
use std::sync::atomic::{AtomicU64, Ordering};

/// All sequence numbers are used up (RFC 4303 section 3.3.3): the SA may send no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// A run of sequence numbers that belongs to the caller alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The first number.
    pub first: u64,
    /// How many; fewer than asked for when the numbers end.
    pub count: u64,
}

/// Why a packet was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The buffer is shorter than the sealed packet.
    NoRoom,
    /// The cipher refused; never seen with lengths that `sealed_octets` allows.
    Cipher,
}

/// The sending half of an ESP SA. Shared between threads: the counter is atomic, the rest never changes.
#[derive(Debug)]
pub struct Outbound {
    spi: u32,
    esn: bool,
    suite: Suite,
    next: AtomicU64,
}

impl Outbound {
    /// `first_sequence` is 1 for a new SA; a successor of a dead process starts above a reserved block.
    pub fn new(spi: u32, esn: bool, suite: Suite, first_sequence: u64) -> Self {
        Self { spi, esn, suite, next: AtomicU64::new(first_sequence.max(1)) }
    }

    fn last(&self) -> u64 {
        // one below the end, so that the counter itself cannot wrap
        if self.esn { u64::MAX - 1 } else { u64::from(u32::MAX) }
    }

    /// Take up to `count` numbers.
    pub fn reserve(&self, count: u64) -> Result<Reserved, Exhausted> {
        let mut first = self.next.load(Ordering::Relaxed);
        loop {
            let left = self.last().checked_add(1).and_then(|end| end.checked_sub(first)).unwrap_or(0);
            let count = count.min(left);
            if count == 0 {
                return Err(Exhausted);
            }
            match self.next.compare_exchange_weak(first, first + count, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Reserved { first, count }),
                Err(now) => first = now,
            }
        }
    }

    /// The last number given out; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// The transforms.
    pub fn suite(&self) -> &Suite {
        &self.suite
    }

    /// Octets in front of the payload: ESP header and IV.
    pub fn prefix_octets(&self) -> usize {
        ESP_HEADER_OCTETS + self.suite.iv_octets()
    }

    /// Octets of the ESP packet for a payload.
    pub fn sealed_octets(&self, payload_octets: usize) -> usize {
        let align = self.suite.alignment();
        self.prefix_octets() + (payload_octets + 2).div_ceil(align) * align + self.suite.icv_octets()
    }

    /// Octets of the largest payload whose ESP packet is at most `octets`; 0 when there is none.
    pub fn payload_room(&self, octets: usize) -> usize {
        let align = self.suite.alignment();
        let body = octets.saturating_sub(self.prefix_octets() + self.suite.icv_octets());
        (body / align * align).saturating_sub(2)
    }

    /// Seal in place. The payload lies in `buf` behind `prefix_octets` octets, and is `payload_octets` long; gives the
    /// octets of the packet at the start of `buf`. `sequence` was reserved and is used once; `random` is asked for an IV
    /// where the cipher wants one that nobody can predict.
    pub fn seal(
        &self,
        sequence: u64,
        next_header: u8,
        buf: &mut [u8],
        payload_octets: usize,
        random: impl FnOnce(&mut [u8; MAX_IV_OCTETS]),
    ) -> Result<usize, SealError> {
        let mut iv = [0; MAX_IV_OCTETS];
        match self.suite.iv_kind() {
            IvKind::None => {}
            IvKind::Counter => iv[..8].copy_from_slice(&sequence.to_be_bytes()),
            IvKind::Random => random(&mut iv),
        }
        let iv = &iv[..self.suite.iv_octets()];
        self.seal_with_iv(sequence, next_header, buf, payload_octets, iv)
    }

    /// As `seal`, with the IV given: for known answers only.
    pub fn seal_with_iv(
        &self,
        sequence: u64,
        next_header: u8,
        buf: &mut [u8],
        payload_octets: usize,
        iv: &[u8],
    ) -> Result<usize, SealError> {
        let total = self.sealed_octets(payload_octets);
        let packet = buf.get_mut(..total).ok_or(SealError::NoRoom)?;
        if iv.len() != self.suite.iv_octets() {
            return Err(SealError::Cipher);
        }
        let (prefix, rest) = packet.split_at_mut(self.prefix_octets());
        let (body, icv) = rest.split_at_mut(rest.len() - self.suite.icv_octets());

        let mut header = [0; ESP_HEADER_OCTETS];
        header[..4].copy_from_slice(&self.spi.to_be_bytes());
        header[4..].copy_from_slice(&(sequence as u32).to_be_bytes());
        prefix[..ESP_HEADER_OCTETS].copy_from_slice(&header);
        prefix[ESP_HEADER_OCTETS..].copy_from_slice(iv);

        let trailer = &mut body[payload_octets..];
        let pad = trailer.len() - 2; // at most 15: alignment minus one
        for (octet, value) in trailer.iter_mut().zip(1..).take(pad) {
            *octet = value;
        }
        trailer[pad] = pad as u8;
        trailer[pad + 1] = next_header;

        let high = self.esn.then_some((sequence >> 32) as u32);
        let (tag, octets) = self.suite.protect(&header, high, iv, body).map_err(|_| SealError::Cipher)?;
        icv.copy_from_slice(&tag[..octets]);
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> Suite {
        Suite::new(20, 128, 0, &[7; 20], &[]).unwrap()
    }

    #[test]
    fn numbers_end_without_esn() {
        let sa = Outbound::new(1, false, suite(), 0xffff_fffe);
        assert_eq!(sa.reserve(5), Ok(Reserved { first: 0xffff_fffe, count: 2 }));
        assert_eq!(sa.reserve(1), Err(Exhausted));
        assert_eq!(sa.sequence(), 0xffff_ffff);
    }

    #[test]
    fn numbers_go_on_with_esn() {
        let sa = Outbound::new(1, true, suite(), 0xffff_fffe);
        assert_eq!(sa.reserve(5), Ok(Reserved { first: 0xffff_fffe, count: 5 }));
        assert_eq!(sa.reserve(1), Ok(Reserved { first: 0x1_0000_0003, count: 1 }));
    }

    #[test]
    fn the_sequence_never_wraps() {
        let sa = Outbound::new(1, true, suite(), u64::MAX - 1);
        assert_eq!(sa.reserve(9), Ok(Reserved { first: u64::MAX - 1, count: 1 }));
        assert_eq!(sa.reserve(1), Err(Exhausted));
        let past = Outbound::new(1, false, suite(), 0x1_0000_0000);
        assert_eq!(past.reserve(1), Err(Exhausted));
    }

    #[test]
    fn the_payload_room_is_what_fits() {
        let suites = [suite(), Suite::new(12, 256, 12, &[7; 32], &[8; 32]).unwrap()];
        for sa in suites.map(|suite| Outbound::new(1, false, suite, 1)) {
            for octets in 60..1500 {
                let room = sa.payload_room(octets);
                assert!(room == 0 || sa.sealed_octets(room) <= octets);
                assert!(sa.sealed_octets(room + 1) > octets);
            }
            assert_eq!(sa.payload_room(0), 0);
        }
    }

    #[test]
    fn room_has_an_edge() {
        let sa = Outbound::new(1, false, suite(), 1);
        let need = sa.sealed_octets(20);
        let mut buf = vec![0; need];
        assert_eq!(sa.seal(1, 4, &mut buf[..need - 1], 20, |_| ()), Err(SealError::NoRoom));
        assert_eq!(sa.seal(1, 4, &mut buf, 20, |_| ()), Ok(need));
    }

    #[test]
    fn threads_never_share_a_number() {
        let sa = std::sync::Arc::new(Outbound::new(1, false, suite(), 1));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let sa = sa.clone();
                std::thread::spawn(move || (0..2000).map(|_| sa.reserve(1).unwrap().first).collect::<Vec<_>>())
            })
            .collect();
        let mut all: Vec<_> = workers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (1..=8000).collect::<Vec<_>>());
    }
}
