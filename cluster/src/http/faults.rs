//! Faults on demand, for tests of clients.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::status::Status;

/// Faults of the API. Clones share them. At first there are none.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Settings>>);

#[derive(Debug, Default)]
struct Settings {
    refusal: Option<Refusal>,
    refusals_left: u32,
    delay: Duration,
    stale: Option<u64>,
}

/// How requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 429, to be tried again after 1 s.
    TooManyRequests,
    /// 500.
    InternalError,
}

impl Faults {
    /// Refuses the next requests for objects.
    pub fn refuse(&self, requests: u32, how: Refusal) {
        let mut settings = self.0.lock();
        settings.refusal = Some(how);
        settings.refusals_left = requests;
    }

    /// Answers every request for objects this much later.
    pub fn delay(&self, by: Duration) {
        self.0.lock().delay = by;
    }

    /// Answers lists that do not ask for a certain revision as they were at this one, as a cache that lags
    /// behind does. Lists are answered as ever once that revision is forgotten.
    pub fn stale_lists(&self, revision: u64) {
        self.0.lock().stale = Some(revision);
    }

    /// Ends all faults.
    pub fn clear(&self) {
        *self.0.lock() = Settings::default();
    }

    /// What becomes of a request for objects: it waits, and may be refused.
    pub(super) async fn strike(&self) -> Result<(), Status> {
        let delay = self.0.lock().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut settings = self.0.lock();
        let Some(refusal) = settings.refusal.filter(|_| settings.refusals_left > 0) else {
            return Ok(());
        };
        settings.refusals_left -= 1;
        Err(match refusal {
            Refusal::TooManyRequests => Status::too_many_requests(1),
            Refusal::InternalError => Status::internal("a fault was asked for"),
        })
    }

    pub(super) fn stale_revision(&self) -> Option<u64> {
        self.0.lock().stale
    }
}
