//! Request bodies of HTTP/2 of which nothing comes. Pingora waits for them without a limit, and each
//! holds a connection to an endpoint; a client opens a hundred of them with a few bytes.

use std::{
    os::fd::RawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use pingora_http::RequestHeader;
use tokio::time::{Instant, sleep_until};

/// What the filters know of a body on its way.
pub(crate) struct Body {
    since: Instant,
    /// Milliseconds from `since` to the last byte.
    moved: AtomicU64,
    /// The connection to the endpoint; -1 where there is none.
    endpoint: AtomicI32,
    /// Nothing more is expected of the client, or it may take its time.
    over: AtomicBool,
}

impl Body {
    /// Watches over the body of `request`; the filters find the watch by [`Body::of`].
    pub(crate) fn of_request(request: &mut RequestHeader) -> Arc<Self> {
        let body = Arc::new(Self {
            since: Instant::now(),
            moved: AtomicU64::new(0),
            endpoint: AtomicI32::new(-1),
            over: AtomicBool::new(false),
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

    /// A part has come.
    pub(crate) fn moved(&self) {
        let elapsed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(elapsed, Relaxed);
    }

    /// All has come, or the endpoint has answered.
    pub(crate) fn over(&self) {
        self.over.store(true, Relaxed);
    }

    /// Returns when nothing has come for `limit` while the endpoint would have taken it.
    pub(crate) async fn silent(&self, limit: Duration) {
        loop {
            let due = self.since + Duration::from_millis(self.moved.load(Relaxed)) + limit;
            if due > Instant::now() {
                sleep_until(due).await;
            } else if self.over.load(Relaxed) {
                std::future::pending::<()>().await;
            } else if takes(self.endpoint.load(Relaxed)) {
                return;
            } else {
                self.moved();
            }
        }
    }
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
