//! How many ICMP answers may be given (RFC 4443 section 2.4 f).

use std::time::{Duration, Instant};

/// Answers at once after a quiet time.
const BURST: u32 = 100;
/// Then one in each such time: a thousand a second for each worker.
const INTERVAL: Duration = Duration::from_millis(1);

/// A token bucket.
pub(crate) struct Answers {
    left: u32,
    filled: Instant,
}

impl Answers {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: BURST, filled: now }
    }

    /// Whether one more may be given now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.filled);
        let earned = (quiet.as_micros() / INTERVAL.as_micros()).min(u128::from(BURST)) as u32;
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.filled = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_rate() {
        let start = Instant::now();
        let mut answers = Answers::new(start);
        assert_eq!((0..1000).filter(|_| answers.take(start)).count(), BURST as usize);
        assert!(!answers.take(start + INTERVAL / 2));
        assert!(answers.take(start + INTERVAL));
        assert!(!answers.take(start + INTERVAL));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| answers.take(later)).count(), BURST as usize);
    }
}
