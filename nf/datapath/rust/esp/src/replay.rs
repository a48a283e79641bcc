//! The anti-replay window, with the inference of the high half of an extended sequence number.

/// The smallest window that can be asked for, in packets (ESN-02); 0 turns the check off.
pub const MIN_WINDOW: u32 = 32;
/// The largest window, in packets (ESN-02).
pub const MAX_WINDOW: u32 = 512;

const WORDS: usize = 16;
const WORD_BITS: u64 = 64;

/// Why a sequence number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The number was accepted before, or is zero, which no sender uses.
    Seen,
    /// The number is left of the window.
    TooOld,
}

/// Which numbers were received (RFC 4303 section 3.4.3), as a ring of bits that moves by whole words (RFC 6479).
///
/// `check` asks before the ICV is verified and `accept` moves the window after it: a forged packet never moves it.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    size: u64,
    esn: bool,
    top: u64,
    bits: [u64; WORDS],
}

impl ReplayWindow {
    /// A window of `size` packets; 0 accepts everything. None when `size` is neither 0 nor in 32..=512.
    pub fn new(size: u32, esn: bool) -> Option<Self> {
        if size != 0 && !(MIN_WINDOW..=MAX_WINDOW).contains(&size) {
            return None;
        }
        Some(Self { size: u64::from(size), esn, top: 0, bits: [0; WORDS] })
    }

    /// The highest number accepted so far; 0 before the first.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// The 64-bit number that the 32 bits on the wire stand for (RFC 4303 appendix A2.2); itself without ESN.
    ///
    /// With the check off there is no window to lean on, and the nearest number to the highest one is meant.
    pub fn infer(&self, low: u32) -> Result<u64, ReplayError> {
        if !self.esn {
            return Ok(u64::from(low));
        }
        let window = if self.size == 0 { 1 << 31 } else { self.size };
        let (top_high, top_low, low) = (self.top >> 32, self.top & 0xffff_ffff, u64::from(low));
        let high = if top_low >= window - 1 {
            if low >= top_low - (window - 1) { Some(top_high) } else { top_high.checked_add(1) }
        } else if low >= (top_low + (1 << 32) + 1) - window {
            top_high.checked_sub(1) // the window spans two subspaces and the number lies in the lower one
        } else {
            Some(top_high)
        };
        match high {
            Some(high) if high <= 0xffff_ffff => Ok(high << 32 | low),
            _ => Err(ReplayError::TooOld),
        }
    }

    /// Whether `sequence` may be accepted; changes nothing.
    pub fn check(&self, sequence: u64) -> Result<(), ReplayError> {
        if self.size == 0 {
            return Ok(());
        }
        if sequence == 0 {
            return Err(ReplayError::Seen);
        }
        if sequence > self.top {
            return Ok(());
        }
        if self.top - sequence >= self.size {
            return Err(ReplayError::TooOld);
        }
        let (word, mask) = place(sequence);
        if self.bits[word] & mask == 0 { Ok(()) } else { Err(ReplayError::Seen) }
    }

    /// Record an authenticated number; true when it is the highest so far. The check is made again, because another
    /// thread may have accepted the same number meanwhile.
    pub fn accept(&mut self, sequence: u64) -> Result<bool, ReplayError> {
        self.check(sequence)?;
        let newest = sequence > self.top;
        if newest {
            let from = self.top / WORD_BITS;
            let gap = (sequence / WORD_BITS - from).min(WORDS as u64);
            for step in 1..=gap {
                self.bits[((from + step) % WORDS as u64) as usize] = 0;
            }
            self.top = sequence;
        }
        if self.size != 0 {
            let (word, mask) = place(sequence);
            self.bits[word] |= mask;
        }
        Ok(newest)
    }
}

/// Word and bit of a number in the ring: the index is reduced modulo the ring, so it is always in range.
fn place(sequence: u64) -> (usize, u64) {
    (((sequence / WORD_BITS) % WORDS as u64) as usize, 1 << (sequence % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn sizes_have_edges() {
        for (size, good) in [(0, true), (1, false), (31, false), (32, true), (512, true), (513, false)] {
            assert_eq!(ReplayWindow::new(size, false).is_some(), good, "{size}");
        }
    }

    #[test]
    fn both_sides_of_the_left_edge() {
        for size in [32, 64, 512] {
            let mut w = ReplayWindow::new(size, false).unwrap();
            assert_eq!(w.accept(10_000), Ok(true));
            assert_eq!(w.check(10_001 - u64::from(size)), Ok(()));
            assert_eq!(w.check(10_000 - u64::from(size)), Err(ReplayError::TooOld));
        }
    }

    #[test]
    fn zero_is_never_good_unless_off() {
        assert_eq!(ReplayWindow::new(64, false).unwrap().check(0), Err(ReplayError::Seen));
        assert_eq!(ReplayWindow::new(0, false).unwrap().check(0), Ok(()));
    }

    #[test]
    fn infers_the_next_subspace() {
        let mut w = ReplayWindow::new(64, true).unwrap();
        assert_eq!(w.infer(5), Ok(5));
        w.accept(0xffff_fff0).unwrap();
        assert_eq!(w.infer(0xffff_ffff), Ok(0xffff_ffff));
        assert_eq!(w.infer(3), Ok(0x1_0000_0003));
        w.accept(0x1_0000_0003).unwrap();
        assert_eq!(w.infer(0xffff_ffff), Ok(0xffff_ffff)); // late, from the subspace before
        assert_eq!(w.check(0xffff_ffff), Ok(()));
        assert_eq!(w.infer(4), Ok(0x1_0000_0004));
    }

    #[test]
    fn nothing_comes_before_the_first_subspace() {
        let w = ReplayWindow::new(64, true).unwrap();
        assert_eq!(w.infer(0xffff_ffff), Err(ReplayError::TooOld));
    }

    proptest! {
        /// Against the slow model: a set of what was seen and the highest number.
        #[test]
        fn agrees_with_a_set(size in prop_oneof![Just(32u32), Just(64), Just(100), Just(384), Just(512)],
                             steps in prop::collection::vec((0u64..3, 0u64..700), 1..300)) {
            let mut w = ReplayWindow::new(size, false).unwrap();
            let (mut seen, mut top) = (HashSet::new(), 0u64);
            for (kind, by) in steps {
                let sequence = match kind { 0 => top + by, 1 => top.saturating_sub(by), _ => top.saturating_sub(by % 70) };
                let good = sequence > 0 && !seen.contains(&sequence) && (sequence > top || top - sequence < u64::from(size));
                prop_assert_eq!(w.check(sequence).is_ok(), good);
                prop_assert_eq!(w.accept(sequence).is_ok(), good);
                if good { seen.insert(sequence); top = top.max(sequence); }
                prop_assert_eq!(w.top(), top);
            }
        }

        /// A number inside the window or ahead of it is always inferred as itself, at every edge of window and subspace.
        #[test]
        fn infers_neighbours(size in prop_oneof![Just(0u32), Just(32), Just(64), Just(512)],
                             top in prop_oneof![1u64..u64::MAX - 1000, 1u64..1024, 0xffff_fe00u64..0x1_0000_0200, (1u64 << 31) - 3..(1u64 << 31) + 3],
                             offset in -31i64..500) {
            let mut w = ReplayWindow::new(size, true).unwrap();
            w.accept(top).unwrap();
            if let Some(sequence) = top.checked_add_signed(offset) {
                prop_assert_eq!(w.infer(sequence as u32), Ok(sequence));
            }
        }
    }
}
