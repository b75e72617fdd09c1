//! Following an app: what was there, then what comes, as fast as the client takes it.

use std::{ops::Range, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use fairlead_ring::{Entry, Next, Reader, Record};
use futures::Stream;
use tokio::time::{Instant, sleep_until};

use super::{
    cursor::Cursor,
    filter::Filter,
    line::Lines,
    query::Query,
    tail::newest,
    turns::{TooLong, Turn, Turns},
};
use crate::{
    app::Follower,
    auth::Caller,
    origin::{HISTORY, LACKING, Origin},
    store::notice,
    time,
};

/// Bytes that are written at once, about.
const PIECE: usize = 64 << 10;
/// Records that are looked at before others get their turn.
const TURN: usize = 4_096;
/// Bytes of them.
const TURN_BYTES: usize = 256 << 10;
/// After less than so many bytes, what comes is gathered for so long.
const LITTLE: usize = 16 << 10;
const GATHER: Duration = Duration::from_millis(5);
/// A client of events hears something at least so often.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What another ring had just before is shown again.
const MERGE_WINDOW: i64 = 5_000_000_000;
/// How many lines are left out is told after so long, of all together.
const TELL: Duration = Duration::from_secs(1);

/// Somebody who follows an app.
pub(crate) struct Following {
    follower: Follower,
    /// None while a turn has it.
    look: Option<Look>,
    /// Where looking may take long: whose turn it is to do so.
    turns: Option<(Arc<Turns>, Caller)>,
    events: bool,
    /// Nothing is sent before.
    not_before: Instant,
}

/// Where and how it looks through the app's lines.
struct Look {
    reader: Reader<Origin>,
    filter: Filter,
    lines: Lines,
    /// Of what another ring had, lines before this time are left out.
    history: i64,
    /// All records before this number are shown.
    seam: u64,
    /// Where the client was, if it comes back.
    after: Option<Cursor>,
    /// When what is left out is to be told, where something is.
    tell_at: Instant,
    /// Event time of the last line shown.
    shown: i64,
    out: Vec<u8>,
}

/// What a look has come to.
struct Looked {
    /// There is nothing more yet.
    idle: bool,
    /// So many records have left before they were looked at.
    missed: u64,
}

impl Following {
    /// Begins: with what was there, if something of it is asked for. Where looking through lines may
    /// take long, it is done in `turns`.
    ///
    /// # Errors
    /// When `turn` is over before what was there is looked through.
    pub(crate) fn new(
        follower: Follower,
        query: Query,
        events: bool,
        turns: Option<(Arc<Turns>, Caller)>,
        turn: &mut Turn,
    ) -> Result<Self, TooLong> {
        let Query { lines: count, after, format, filter, .. } = query;
        let app = follower.app();
        let now = time::now();
        // Of what another ring had, a client that comes anew wants what it has not seen; one that
        // comes back to the same ring wants what it would have got.
        let (from, seam, history) = match after {
            Some(Cursor { epoch, next, seam, history, .. }) if epoch == app.epoch => {
                (next, seam, history)
            }
            Some(cursor) => (app.log.first(), 0, cursor.time.saturating_sub(MERGE_WINDOW)),
            None => {
                let Range { start, end } = newest(&app.log, &filter, count, turn)?;
                (start, end, now.saturating_sub(MERGE_WINDOW))
            }
        };
        let begin = Cursor { epoch: app.epoch, history, seam, ..after.unwrap_or_default() };
        let lines = Lines::new(format, events, begin);
        let reader = app.log.reader(from);
        let shown = after.map_or(now, |cursor| cursor.time);
        let (not_before, tell_at) = (Instant::now(), Instant::now() + TELL);
        let out = Vec::new();
        let look = Look { reader, filter, lines, history, seam, after, tell_at, shown, out };
        Ok(Self { follower, look: Some(look), turns, events, not_before })
    }

    /// The lines, in pieces.
    pub(crate) fn stream(
        self,
        missed: impl Fn(u64) + Send + Sync + 'static,
    ) -> impl Stream<Item = Bytes> + Send {
        futures::stream::unfold((self, missed), |(mut following, missed)| async move {
            let piece = following.piece(&missed).await?;
            Some((piece, (following, missed)))
        })
    }

    /// The next piece, once there is one; none at the end of logd.
    async fn piece(&mut self, missed: &(impl Fn(u64) + Sync)) -> Option<Bytes> {
        let heartbeat = Instant::now() + HEARTBEAT;
        sleep_until(self.not_before).await;
        let look = loop {
            let mut news = pin!(self.follower.news());
            // From here on nothing that is published goes unnoticed.
            news.as_mut().enable();
            let mut look = self.look.take()?;
            let looked = match &self.turns {
                None => look.on(&mut Turn::unlimited()),
                Some((turns, caller)) => {
                    let work = move |turn: &mut Turn| (look.on(turn), look);
                    let (looked, back) = turns.run(caller, Duration::MAX, work).await.ok()?;
                    look = back;
                    looked
                }
            };
            missed(looked.missed);
            if !look.out.is_empty() && (looked.idle || look.out.len() >= PIECE) {
                break self.look.insert(look);
            }
            let look = self.look.insert(look);
            if !looked.idle {
                tokio::task::yield_now().await;
                continue;
            }
            let untold = *look.lines.untold() > 0;
            tokio::select! {
                () = news => {}
                () = sleep_until(look.tell_at), if untold => {}
                () = sleep_until(heartbeat), if self.events => {
                    look.out.extend_from_slice(b":\n\n");
                    break look;
                }
            }
            sleep_until(self.not_before).await;
        };
        let piece = std::mem::take(&mut look.out);
        if piece.len() < LITTLE {
            self.not_before = Instant::now() + GATHER;
        }
        Some(piece.into())
    }
}

impl Look {
    /// Looks at what comes next, and writes what of it is wanted.
    fn on(&mut self, turn: &mut Turn) -> Looked {
        let Self { reader, filter, lines, history, seam, after, tell_at, shown, out } = self;
        let untold = *lines.untold();
        if untold > 0 && Instant::now() >= *tell_at {
            *lines.untold() = 0;
            lines.notice(out, &notice::left_out(untold, *history), reader.position());
        }
        let (mut looked, mut length, mut missed) = (0, 0, 0);
        for _ in 0..TURN {
            looked += length;
            if out.len() >= PIECE || looked >= TURN_BYTES || turn.go_on(length).is_err() {
                break;
            }
            match reader.next() {
                Next::Entry(entry) => {
                    length = entry.record.payload.len();
                    if lacks(&entry, *after, *history) {
                        let pod = &entry.source.source.pod;
                        let text = notice::lacking(pod, entry.record.time);
                        lines.notice(out, &text, entry.no);
                    }
                    if !filter.matches(&entry) {
                        continue;
                    }
                    let again = match again(&entry, *after, *history) {
                        _ if entry.no < *seam => Again::No,
                        again => again,
                    };
                    match again {
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
                    missed += count;
                    lines.notice(out, &notice::missed(count, *shown), reader.position());
                }
                Next::Idle => return Looked { idle: true, missed },
            }
        }
        Looked { idle: false, missed }
    }
}

/// Whether a client that comes back may not have been shown what is missing before a line. What is
/// older than the time from which on others are shown again was shown, as far as anybody knows.
fn lacks(entry: &Entry<'_, Origin>, after: Option<Cursor>, history: i64) -> bool {
    let Record { flags, time, end, .. } = entry.record;
    let seen = |cursor: Cursor| cursor.file == entry.source.id && end <= cursor.end;
    flags & LACKING != 0 && time >= history && after.is_some_and(|cursor| !seen(cursor))
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use fairlead_ring::{Limits, Log, Writer, ring};
    use fairlead_wire::{Incarnation, message::Source};
    use futures::StreamExt as _;
    use proptest::{collection::vec, prelude::*};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        app::{App, AppId},
        origin::Account,
        read::{filter::Filter, line::Format},
    };

    /// A line of one of three files, its event time in seconds, and whether an earlier ring had it.
    type Line = (usize, i64, bool);

    /// The ring of an app; its lines are called by their numbers.
    struct Ring {
        writer: Writer<Origin>,
        app: Arc<App>,
        files: Vec<Arc<Origin>>,
        ends: [u64; 3],
        /// Of the next record.
        flags: u16,
    }

    impl Ring {
        fn new(epoch: u64) -> Self {
            let (writer, log): (_, Log<Origin>) = ring(Limits::default());
            let origin = |file: usize| {
                let (pod_uid, container) = (file.to_string().into(), "web".into());
                let incarnation = Incarnation { pod_uid, container, restart: 0, first_line: 0 };
                let process = if file == 0 { "web" } else { "worker" }.to_owned();
                let source = Source { process, ..Source::default() };
                Arc::new(Origin::new(incarnation, source, &Account::default()))
            };
            let app = Arc::new(App::new(AppId::new("shop", "web").unwrap(), epoch, log));
            Self { writer, app, files: (0..3).map(origin).collect(), ends: [0; 3], flags: 0 }
        }

        fn append(&mut self, lines: &[Line]) {
            for &(file, second, history) in lines {
                self.ends[file] += 10;
                let (time, end) = (second * 1_000_000_000, self.ends[file]);
                let flags = std::mem::take(&mut self.flags) | if history { HISTORY } else { 0 };
                let payload = format!("{file}:{end}");
                let record = Record { end, time, flags, payload: payload.as_bytes() };
                self.writer.append(&self.files[file], &record);
            }
            self.writer.publish();
        }

        fn follow(&self, query: Query) -> Shown {
            let query = Query { format: Format::Json, ..query };
            let (follower, turn) = (Follower::new(self.app.clone()), &mut Turn::unlimited());
            let following = Following::new(follower, query, false, None, turn).unwrap();
            Shown { pieces: Box::pin(following.stream(|_| ())), waiting: Vec::new() }
        }
    }

    /// What a client gets.
    struct Shown {
        pieces: Pin<Box<dyn Stream<Item = Bytes>>>,
        waiting: Vec<serde_json::Value>,
    }

    impl Shown {
        /// All lines until none comes any more.
        async fn all(&mut self) -> Vec<serde_json::Value> {
            let mut all = std::mem::take(&mut self.waiting);
            while let Ok(Some(piece)) = timeout(TELL * 10, self.pieces.next()).await {
                let lines = piece.split(|b| *b == b'\n').filter(|line| !line.is_empty());
                all.extend(
                    lines.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap()),
                );
            }
            all
        }
    }

    fn messages(lines: &[serde_json::Value]) -> Vec<&str> {
        lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
    }

    fn after(line: &serde_json::Value) -> Option<Cursor> {
        Some(line["cursor"].as_str().unwrap().parse().unwrap())
    }

    fn query(lines: usize, after: Option<Cursor>, workers: bool) -> Query {
        let processes = if workers { vec!["worker".to_owned()] } else { Vec::new() };
        let filter = Filter { processes, ..Filter::default() };
        Query { lines, follow: true, after, filter, ..Query::default() }
    }

    fn lines(history: bool) -> impl Strategy<Value = Vec<Line>> {
        vec((0..3usize, 0..20i64, any::<bool>()), 0..20).prop_map(move |lines| {
            lines.into_iter().map(|(f, t, h)| (f, t, h && history)).collect()
        })
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let paused = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        paused.block_on(test)
    }

    #[test]
    fn what_a_new_ring_lacks_is_told_to_whom_may_have_missed_it() {
        run(async {
            let mut ring = Ring::new(1);
            ring.append(&[(0, 10, false), (1, 20, false), (0, 21, false)]);
            let had = ring.follow(query(9, None, false)).all().await;
            // Of the two files the beginnings are gone.
            let mut ring = Ring::new(2);
            ring.ends = [20, 20, 0];
            for (file, second) in [(0, 21), (1, 25)] {
                ring.flags = LACKING;
                ring.append(&[(file, second, true)]);
                ring.append(&[(file, second + 1, false)]);
            }
            let texts = |line: usize, lines: Vec<serde_json::Value>| {
                let line = messages(&had)[line];
                let lines = messages(&lines).into_iter().map(str::to_owned);
                (line.to_owned(), lines.collect::<Vec<_>>().join("|"))
            };
            let lacking = |second| {
                let time = format!("1970-01-01T00:00:{second}.000000000Z");
                format!(
                    "Error L11 (Log restarted): messages from before {time} are gone, of which some may not have been shown.|"
                )
            };
            let (zero, one) = (lacking(21), lacking(25));
            for (had_line, expected) in [
                (0, format!("{zero}0:30|0:40|{one}1:30|1:40")),
                (1, format!("{zero}0:30|0:40|{one}1:30|1:40")),
                (2, format!("{zero}0:30|0:40|{one}1:30|1:40")),
            ] {
                let lines = ring.follow(query(9, after(&had[had_line]), false)).all().await;
                assert_eq!(texts(had_line, lines).1, expected, "behind line {had_line}");
            }
            // Who is new, and who had the line that lacks something, hears nothing.
            let new = ring.follow(query(9, None, true)).all().await;
            assert_eq!(messages(&new), ["1:30", "1:40"]);
            let beyond = Cursor { epoch: 1, end: 30, ..after(&had[2]).unwrap() };
            let lines = ring.follow(query(9, Some(beyond), false)).all().await;
            assert_eq!(texts(2, lines).1, format!("0:40|{one}1:30|1:40"));
            // Nor who was shown later lines.
            let late = Cursor { epoch: 1, time: 60_000_000_000, ..after(&had[2]).unwrap() };
            let lines = ring.follow(query(9, Some(late), false)).all().await;
            assert!(texts(2, lines).1.starts_with("0:30|0:40|1:40|Error L11 (Log restarted): 1 "));
        });
    }

    proptest! {
        /// In whatever order lines came and whatever times they have.
        #[test]
        fn a_client_that_comes_back_goes_on_behind_the_line_that_it_had(
            there in lines(true),
            then in lines(false),
            newest in 0..25usize,
            workers: bool,
            breaks in vec(any::<prop::sample::Index>(), 0..4),
        ) {
            run(async {
                let mut ring = Ring::new(1);
                ring.append(&there);
                let mut unbroken = ring.follow(query(newest, None, workers));
                let mut shown = ring.follow(query(newest, None, workers)).all().await;
                for at in breaks {
                    shown.truncate(at.index(shown.len() + 1));
                    let Some(last) = shown.last() else { break };
                    shown.extend(ring.follow(query(newest, after(last), workers)).all().await);
                }
                ring.append(&then);
                let expected = unbroken.all().await;
                shown.truncate(shown.len() / 2);
                if let Some(last) = shown.last() {
                    shown.extend(ring.follow(query(newest, after(last), workers)).all().await);
                    prop_assert_eq!(messages(&shown), messages(&expected));
                }
                Ok(())
            })?;
        }

        /// A new ring is sent them file by file.
        #[test]
        fn what_a_client_does_not_see_after_a_restart_is_told(
            there in lines(false),
            newest in 0..25usize,
            at: prop::sample::Index,
        ) {
            run(async {
                let mut ring = Ring::new(1);
                ring.append(&there);
                let wanted = ring.follow(query(newest, None, false)).all().await;
                let mut shown = wanted[..at.index(wanted.len() + 1)].to_vec();
                let Some(last) = shown.last().cloned() else { return Ok(()) };
                let mut again = Ring::new(2);
                for file in 0..3 {
                    let of = there.iter().filter(|line| line.0 == file);
                    again.append(&of.map(|line| (file, line.1, true)).collect::<Vec<_>>());
                }
                shown.extend(again.follow(query(newest, after(&last), false)).all().await);
                let told = |line: &&&str| line.starts_with("Error L11 (Log restarted): ");
                let told = messages(&shown).iter().rev().find(told).map_or(0, |line| {
                    line.split(' ').nth(4).unwrap().parse().unwrap()
                });
                let shown = messages(&shown);
                let missing = messages(&wanted).iter().filter(|line| !shown.contains(line)).count();
                prop_assert!(missing <= told, "{missing} are missing, {told} are told");
                Ok(())
            })?;
        }
    }
}
