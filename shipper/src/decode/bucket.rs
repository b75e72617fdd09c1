//! A token bucket: how many lines a second a container may write.

use std::time::Instant;

/// Holds up to ten seconds' worth of lines.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

/// Seconds' worth of lines that may come at once.
const BURST: f64 = 10.0;

impl Bucket {
    /// A full bucket for so many lines a second.
    #[must_use]
    pub fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate);
        Self { rate, tokens: rate * BURST, filled: now }
    }

    /// Lines a second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether one more line may pass.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = passed.mul_add(self.rate, self.tokens).min(self.rate * BURST);
        let passes = self.tokens >= 1.0;
        if passes {
            self.tokens -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_so_many_lines_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, start);
        let passed = |bucket: &mut Bucket, now| (0..200).filter(|_| bucket.take(now)).count();
        assert_eq!(passed(&mut bucket, start), 50);
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(2)), 10);
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(1)), 0);
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(3_600)), 50);
    }
}
