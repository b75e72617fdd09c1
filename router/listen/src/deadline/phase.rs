//! Where a connection is in its life, as far as deadlines care.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of the first request.
    First,
    /// The first byte of a further request.
    Idle,
    /// The rest of a request head of which a byte has come.
    Head,
    /// The engine: it has a head and keeps deadlines of its own.
    Busy,
    /// Any byte either way of an upgraded connection.
    Tunnel,
}

/// A phase and a number that tells one period of it from the next, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(u32);

const PHASE_BITS: u32 = 3;

impl Period {
    pub(crate) fn phase(self) -> Phase {
        match self.0 & ((1 << PHASE_BITS) - 1) {
            0 => Phase::First,
            1 => Phase::Idle,
            2 => Phase::Head,
            3 => Phase::Busy,
            _ => Phase::Tunnel,
        }
    }

    fn next(self, phase: Phase) -> Self {
        Self(((self.0 >> PHASE_BITS).wrapping_add(1) << PHASE_BITS) | phase as u32)
    }
}

#[derive(Debug, Default)]
struct Shared {
    period: AtomicU32,
    tunnel_idle_ms: AtomicU64,
}

/// By this the engine tells a stream where the connection is. A call costs an atomic store; the stream looks at its next read.
///
/// One task may call the setters at a time: the one that reads the stream.
#[derive(Debug, Clone, Default)]
pub struct PhaseHandle(Arc<Shared>);

impl PhaseHandle {
    /// After [`busy`](Self::busy), or after a [`tunnel`](Self::tunnel) that the endpoint refused: the engine awaits the next request head. The idle limit runs until its first byte, the head limit
    /// from there on. A new connection awaits a head from the start, with `first_byte` for its idle limit; saying so again changes
    /// nothing.
    ///
    /// When the head limit passes or the head outgrows `head_bytes`, the stream answers 408 or 431, closes, and the read fails with
    /// `TimedOut` or `InvalidData`; when the idle limit passes, the read gives the end of the stream.
    pub fn awaiting_head(&self) {
        if matches!(self.period().phase(), Phase::Busy | Phase::Tunnel) {
            self.enter(Phase::Idle);
        }
    }

    /// A request head is parsed. From here no deadline runs on reads; the one on writes always does.
    pub fn busy(&self) {
        self.enter(Phase::Busy);
    }

    /// The connection is upgraded: it ends, and the read fails with `TimedOut`, when no byte has moved either way for `idle`. The
    /// limit is looked after by reads: keep one pending. Who goes on after the client has closed its side needs a limit of its own.
    pub fn tunnel(&self, idle: Duration) {
        self.0
            .tunnel_idle_ms
            .store(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.enter(Phase::Tunnel);
    }

    /// Whether the connection is between requests and no byte of a next head has been read: safe to close when draining.
    pub fn is_idle(&self) -> bool {
        matches!(self.period().phase(), Phase::First | Phase::Idle)
    }

    pub(crate) fn period(&self) -> Period {
        Period(self.0.period.load(Ordering::Acquire))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.period.store(self.period().next(phase).0, Ordering::Release);
    }

    pub(crate) fn tunnel_idle(&self) -> Duration {
        Duration::from_millis(self.0.tunnel_idle_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connection_and_one_between_requests_are_idle() {
        let phase = PhaseHandle::default();
        assert!(phase.is_idle());
        phase.enter(Phase::Head);
        assert!(!phase.is_idle());
        phase.busy();
        assert!(!phase.is_idle());
        phase.awaiting_head();
        assert!(phase.is_idle());
        phase.tunnel(Duration::from_secs(1));
        assert!(!phase.is_idle());
    }

    #[test]
    fn to_await_a_head_again_does_not_restart_one_that_has_begun() {
        let phase = PhaseHandle::default();
        let first = phase.period();
        phase.awaiting_head();
        assert_eq!(phase.period(), first);
        phase.enter(Phase::Head);
        let head = phase.period();
        phase.awaiting_head();
        assert_eq!(phase.period(), head);
    }

    #[test]
    fn a_phase_entered_again_is_another_period() {
        let phase = PhaseHandle::default();
        phase.busy();
        phase.awaiting_head();
        let idle = phase.period();
        phase.busy();
        phase.awaiting_head();
        assert_eq!(phase.period().phase(), Phase::Idle);
        assert_ne!(phase.period(), idle);
    }

    #[test]
    fn periods_may_wrap_around() {
        let last = Period(u32::MAX);
        assert_eq!(last.next(Phase::Head), Period(Phase::Head as u32));
    }
}
