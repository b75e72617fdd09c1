//! Request bodies of HTTP/2 of which nothing comes. Pingora waits for them without a limit, even when
//! they have been answered, and each holds a connection to an endpoint; a client opens a hundred of
//! them with a few bytes.

use std::{
    os::fd::RawFd,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use pingora_http::RequestHeader;
use tokio::time::{Instant, sleep_until};

/// More is expected of the client, and of nobody else.
const AWAITED: u8 = 0;
/// The answer has begun: who is silent may be listening.
const ANSWERED: u8 = 1;
/// The answer has ended: what is still to come is for nobody.
const ENDED: u8 = 2;
/// All has come.
const WHOLE: u8 = 3;

/// What the filters know of a body on its way.
pub(crate) struct Body {
    since: Instant,
    /// Milliseconds from `since` to the last byte.
    moved: AtomicU64,
    /// Milliseconds that may pass from there on.
    limit: AtomicU64,
    state: AtomicU8,
    /// The connection to the endpoint; -1 where there is none.
    endpoint: AtomicI32,
}

impl Body {
    /// Watches over the body of `request`, of which something has to come in `limit`; the filters
    /// find the watch by [`Body::of`].
    pub(crate) fn of_request(request: &mut RequestHeader, limit: Duration) -> Arc<Self> {
        let body = Arc::new(Self {
            since: Instant::now(),
            moved: AtomicU64::new(0),
            limit: AtomicU64::new(millis(limit)),
            state: AtomicU8::new(AWAITED),
            endpoint: AtomicI32::new(-1),
        });
        request.extensions_mut().insert(body.clone());
        body
    }

    /// The watch over the body of `request`.
    pub(crate) fn of(request: &RequestHeader) -> Option<&Arc<Self>> {
        request.extensions.get()
    }

    /// The request goes to an endpoint of HTTP/1 by the connection `fd`.
    pub(crate) fn sent_to(&self, fd: RawFd) {
        self.moved();
        self.endpoint.store(fd, Relaxed);
    }

    /// A part has come, of the body or of the answer.
    pub(crate) fn moved(&self) {
        if self.state.load(Relaxed) != ENDED {
            self.moved.store(millis(self.since.elapsed()), Relaxed);
        }
    }

    /// All has come.
    pub(crate) fn whole(&self) {
        self.state.store(WHOLE, Relaxed);
    }

    /// The final answer has begun: both ways may be silent for `limit`.
    pub(crate) fn answered(&self, limit: Duration) {
        self.enter(ANSWERED, limit);
    }

    /// The answer has ended: the client has `limit` to take it.
    pub(crate) fn ended(&self, limit: Duration) {
        self.enter(ENDED, limit);
    }

    fn enter(&self, state: u8, limit: Duration) {
        if self.state.load(Relaxed) < state {
            self.moved();
            self.limit.store(millis(limit), Relaxed);
            self.state.store(state, Relaxed);
        }
    }

    /// Returns when nothing has come for as long as may be; where the answer has not begun, while the
    /// endpoint would have taken it.
    pub(crate) async fn silent(&self) {
        // The limit may become shorter, but not than this.
        let pause = Duration::from_millis(self.limit.load(Relaxed));
        loop {
            let due = self.moved.load(Relaxed).saturating_add(self.limit.load(Relaxed));
            let due = self.since + Duration::from_millis(due);
            let now = Instant::now();
            if due > now {
                sleep_until(due.min(now + pause)).await;
                continue;
            }
            match self.state.load(Relaxed) {
                WHOLE => std::future::pending().await,
                AWAITED if !takes(self.endpoint.load(Relaxed)) => self.moved(),
                _ => return,
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether there is room for more on the connection: else it is not the client that is awaited.
fn takes(fd: RawFd) -> bool {
    // Where it cannot be known, files are short, and this one is given back.
    let asked = || -> std::io::Result<bool> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
        poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::WRITABLE)?;
        poll.poll(&mut events, Some(Duration::ZERO))?;
        Ok(!events.is_empty())
    };
    fd >= 0 && asked().unwrap_or(true)
}
