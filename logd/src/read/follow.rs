//! Following an app: what was there, then what comes, as fast as the client takes it.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use fairlead_ring::{Entry, Next, Reader};
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
/// How many lines are left out is told after so long, of all together.
const TELL: Duration = Duration::from_secs(1);

/// Where and how somebody follows.
pub(crate) struct Following {
    follower: Follower,
    reader: Reader<Origin>,
    filter: Filter,
    lines: Lines,
    events: bool,
    /// Of what another ring had, lines before this time are left out.
    history: i64,
    /// Where the client was, if it comes back.
    after: Option<Cursor>,
    /// When what is left out is to be told, where something is.
    tell_at: Instant,
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
        let begin = Cursor { epoch: app.epoch, history, ..after.unwrap_or_default() };
        let mut lines = Lines::new(format, events, begin);
        let mut out = Vec::new();
        let from = match after {
            Some(cursor) if cursor.epoch == app.epoch => cursor.next,
            Some(_) => app.log.first(),
            None => tail(&app.log, &filter, count, &mut lines, &mut out),
        };
        let reader = app.log.reader(from);
        let shown = after.map_or(now, |cursor| cursor.time);
        let (not_before, tell_at) = (Instant::now(), Instant::now() + TELL);
        Self {
            follower,
            reader,
            filter,
            lines,
            events,
            history,
            after,
            tell_at,
            shown,
            out,
            not_before,
        }
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
            let Self {
                follower, reader, filter, lines, history, after, tell_at, shown, out, ..
            } = self;
            let untold = *lines.untold();
            if untold > 0 && Instant::now() >= *tell_at {
                *lines.untold() = 0;
                lines.notice(out, &notice::left_out(untold, *history), reader.position());
            }
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
                        if !filter.matches(&entry) {
                            continue;
                        }
                        match again(&entry, *after, *history) {
                            Again::No => {
                                *shown = entry.record.time;
                                lines.entry(out, &entry);
                            }
                            Again::Maybe if after.is_some() => {
                                if *lines.untold() == 0 {
                                    *tell_at = Instant::now() + TELL;
                                }
                                *lines.untold() += 1;
                            }
                            Again::Maybe | Again::Yes => {}
                        }
                    }
                    Next::Missed(count) => {
                        missed(count);
                        lines.notice(out, &notice::missed(count, *shown), reader.position());
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
            let untold = *self.lines.untold() > 0;
            tokio::select! {
                () = news => {}
                () = sleep_until(self.tell_at), if untold => {}
                () = sleep_until(heartbeat), if self.events => {
                    self.out.extend_from_slice(b":\n\n");
                    break;
                }
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

/// Whether a line was shown before.
enum Again {
    No,
    Maybe,
    Yes,
}

/// Only what an earlier ring had can be. Of the client's last file it is known up to where the
/// client was; files may be behind one another, so of others nobody knows, and age has to do.
fn again(entry: &Entry<'_, Origin>, after: Option<Cursor>, history: i64) -> Again {
    let record = &entry.record;
    match after {
        _ if record.flags & HISTORY == 0 => Again::No,
        Some(cursor) if cursor.file == entry.source.id => {
            if record.end <= cursor.end {
                Again::Yes
            } else {
                Again::No
            }
        }
        _ if record.time < history => Again::Maybe,
        _ => Again::No,
    }
}
