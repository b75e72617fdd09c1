//! What encoders keep of a line's source.

use std::collections::HashMap;

use crate::Line;

/// So many are kept from one batch to the next.
const KEPT: usize = 1024;

/// What is the same for all lines of an origin, made once. Bounded by [`KEPT`] and the lines of a
/// batch.
#[derive(Debug)]
pub(crate) struct Origins<T>(HashMap<u64, T, foldhash::fast::RandomState>);

impl<T> Default for Origins<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T> Origins<T> {
    /// That of a line; `first` where it is the first one of a batch, as only then others are
    /// forgotten.
    pub(crate) fn of(
        &mut self,
        line: &Line<'_>,
        first: bool,
        make: impl FnOnce(&Line<'_>) -> T,
    ) -> &T {
        if first && self.0.len() > KEPT {
            self.0.clear();
        }
        self.0.entry(line.origin).or_insert_with(|| make(line))
    }

    /// That of an origin whose line is in the batch.
    pub(crate) fn get(&self, origin: u64) -> Option<&T> {
        self.0.get(&origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::line;

    #[test]
    fn origins_are_kept_as_long_as_a_batch_needs_them() {
        let mut origins = Origins::default();
        for origin in 0..=KEPT as u64 {
            let line = Line { origin, ..line(b"") };
            assert_eq!(*origins.of(&line, false, |line| line.origin), origin);
        }
        assert_eq!(origins.get(0), Some(&0));
        origins.of(&Line { origin: 9999, ..line(b"") }, true, |line| line.origin);
        assert_eq!((origins.get(0), origins.get(9999)), (None, Some(&9999)));
    }
}
