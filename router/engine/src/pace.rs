//! How slowly a client of HTTP/2 may take an answer. What leaves by the connection as a whole is seen to
//! by its stream; but it may leave for others, while the windows of one open by drips.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use pingora_error::{Error, ErrorType, Result};

/// A client that takes less than this in the limit's time takes next to nothing: as
/// `fairlead_router_listen` has it for connections.
const LEAST: u64 = 30_000;

/// Parts of an answer that are not looked at: most have fewer.
const FIRST: u32 = 8;

/// One answer's.
#[derive(Default)]
pub(crate) struct Pace {
    parts: u32,
    /// Bytes that have been waited for.
    bytes: u64,
    waits: Option<Arc<Waits>>,
}

/// For how long the client was waited for, in nanoseconds.
struct Waits {
    began: Instant,
    /// In all.
    waited: AtomicU64,
    /// When the last wait ended, from `began`.
    ended: AtomicU64,
}

impl Waits {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Bytes that are waited for until they are sent, which is when nobody has them any more.
struct Part {
    bytes: Bytes,
    since: u64,
    waits: Arc<Waits>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Parts wait for each other; the time counts once.
        let now = self.waits.now();
        let since = self.since.max(self.waits.ended.swap(now, Relaxed));
        self.waits.waited.fetch_add(now.saturating_sub(since), Relaxed);
    }
}

impl Pace {
    /// Sees to it how long `part`, the next one, waits for the client.
    ///
    /// # Errors
    /// Where those before it waited for `limit`, and were too few.
    pub(crate) fn next(&mut self, part: &mut Option<Bytes>, limit: Duration) -> Result<()> {
        self.parts = self.parts.saturating_add(1);
        let Some(bytes) = part.take_if(|bytes| self.parts > FIRST && !bytes.is_empty()) else {
            return Ok(());
        };
        let new = || {
            let (waited, ended) = Default::default();
            Arc::new(Waits { began: Instant::now(), waited, ended })
        };
        let waits = self.waits.get_or_insert_with(new);
        if Duration::from_nanos(waits.waited.load(Relaxed)) >= limit {
            if self.bytes < LEAST {
                return Err(
                    Error::explain(ErrorType::WriteTimedout, "taken too slowly").into_down()
                );
            }
            waits.waited.store(0, Relaxed);
            self.bytes = 0;
        }
        self.bytes += bytes.len() as u64;
        let (since, waits) = (waits.now(), waits.clone());
        *part = Some(Bytes::from_owner(Part { bytes, since, waits }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    /// The bytes of the part to send.
    fn next(pace: &mut Pace, len: usize) -> Result<Option<Bytes>> {
        let mut part = Some(vec![b'x'; len].into());
        pace.next(&mut part, LIMIT)?;
        assert_eq!(part.as_ref().map(Bytes::len), Some(len));
        Ok(part)
    }

    fn watched() -> Pace {
        let mut pace = Pace::default();
        for _ in 0..FIRST {
            next(&mut pace, 1).unwrap();
        }
        pace
    }

    #[test]
    fn who_takes_little_in_the_time_is_too_slow() {
        let mut pace = watched();
        let part = next(&mut pace, 100).unwrap();
        std::thread::sleep(LIMIT);
        drop(part);
        assert!(next(&mut pace, 100).is_err());
    }

    #[test]
    fn who_takes_enough_in_the_time_is_not() {
        let mut pace = watched();
        for _ in 0..3 {
            let part = next(&mut pace, 30_000).unwrap();
            std::thread::sleep(LIMIT);
            drop(part);
        }
        next(&mut pace, 1).unwrap();
    }

    #[test]
    fn it_is_not_the_client_that_a_slow_endpoint_waits_for() {
        let mut pace = watched();
        for _ in 0..3 {
            drop(next(&mut pace, 100).unwrap());
            std::thread::sleep(LIMIT);
        }
        next(&mut pace, 100).unwrap();
    }

    #[test]
    fn parts_that_wait_together_wait_once() {
        let (mut pace, begun) = (watched(), Instant::now());
        let parts: Vec<_> = (0..50).map(|_| next(&mut pace, 100).unwrap()).collect();
        std::thread::sleep(LIMIT / 4);
        drop(parts);
        let waited = Duration::from_nanos(pace.waits.unwrap().waited.load(Relaxed));
        assert!(waited >= LIMIT / 4 && waited <= begun.elapsed(), "{waited:?}");
    }
}
