//! Following an app: what was there, then what comes, as fast as the client takes it.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use fairlead_ring::{Next, Reader};
use futures::Stream;
use tokio::time::{Instant, sleep_until};

use super::{cursor::Cursor, filter::Filter, line::Lines, query::Query, tail::tail};
use crate::{
    app::Follower,
    origin::{HISTORY, Origin},
    store::notice,
    time,
};

/// Bytes that are written at once, about.
const PIECE: usize = 64 << 10;
/// Records that are looked at before others get their turn.
const TURN: usize = 4_096;
/// After less than so many bytes, what comes is gathered for so long.
const LITTLE: usize = 16 << 10;
const GATHER: Duration = Duration::from_millis(5);
/// A client of events hears something at least so often.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What another ring had just before is shown again.
const MERGE_WINDOW: i64 = 5_000_000_000;

/// Where and how somebody follows.
pub(crate) struct Following {
    follower: Follower,
    reader: Reader<Origin>,
    filter: Filter,
    lines: Lines,
    events: bool,
    history: i64,
    /// Event time of the last line shown.
    shown: i64,
    out: Vec<u8>,
    /// Nothing is sent before.
    not_before: Instant,
}

impl Following {
    /// Begins: with what was there, if something of it is asked for.
    pub(crate) fn new(follower: Follower, query: Query, events: bool) -> Self {
        let Query { lines: count, after, format, filter, .. } = query;
        let app = follower.app();
        let now = time::now();
        // Of what another ring had, a client that comes anew wants what it has not seen; one that
        // comes back to the same ring wants what it would have got.
        let history = match after {
            Some(cursor) if cursor.epoch == app.epoch => cursor.history,
            Some(cursor) => cursor.time.saturating_sub(MERGE_WINDOW),
            None => now.saturating_sub(MERGE_WINDOW),
        };
        let mut lines = Lines::new(format, events, app.epoch, history);
        let mut out = Vec::new();
        let from = match after {
            Some(cursor) if cursor.epoch == app.epoch => cursor.next,
            Some(_) => app.log.first(),
            None => tail(&app.log, &filter, count, &mut lines, &mut out),
        };
        let reader = app.log.reader(from);
        let shown = after.map_or(now, |cursor| cursor.time);
        let not_before = Instant::now();
        Self { follower, reader, filter, lines, events, history, shown, out, not_before }
    }

    /// The lines, in pieces.
    pub(crate) fn stream(
        self,
        missed: impl Fn(u64) + Send + Sync + 'static,
    ) -> impl Stream<Item = Bytes> + Send {
        futures::stream::unfold((self, missed), |(mut following, missed)| async move {
            let piece = following.piece(&missed).await;
            Some((piece, (following, missed)))
        })
    }

    /// The next piece, once there is one.
    async fn piece(&mut self, missed: &(impl Fn(u64) + Sync)) -> Bytes {
        let heartbeat = Instant::now() + HEARTBEAT;
        sleep_until(self.not_before).await;
        loop {
            let Self { follower, reader, filter, lines, history, shown, out, .. } = self;
            let mut news = pin!(follower.news());
            // From here on nothing that is published goes unnoticed.
            news.as_mut().enable();
            let mut idle = false;
            for _ in 0..TURN {
                if out.len() >= PIECE {
                    break;
                }
                match reader.next() {
                    Next::Entry(entry) => {
                        let record = &entry.record;
                        let old = record.flags & HISTORY != 0 && record.time < *history;
                        if !old && filter.matches(&entry) {
                            *shown = record.time;
                            lines.entry(out, &entry);
                        }
                    }
                    Next::Missed(count) => {
                        missed(count);
                        let cursor = Cursor {
                            epoch: follower.app().epoch,
                            next: reader.position(),
                            time: time::now(),
                            history: *history,
                        };
                        lines.notice(out, &notice::missed(count, *shown), cursor);
                    }
                    Next::Idle => {
                        idle = true;
                        break;
                    }
                }
            }
            if !out.is_empty() && (idle || out.len() >= PIECE) {
                break;
            }
            if !idle {
                tokio::task::yield_now().await;
                continue;
            }
            if self.events {
                tokio::select! {
                    () = news => {}
                    () = sleep_until(heartbeat) => {
                        self.out.extend_from_slice(b":\n\n");
                        break;
                    }
                }
            } else {
                news.await;
            }
            sleep_until(self.not_before).await;
        }
        let piece = std::mem::take(&mut self.out);
        if piece.len() < LITTLE {
            self.not_before = Instant::now() + GATHER;
        }
        piece.into()
    }
}
