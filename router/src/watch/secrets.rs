//! Reading the Secrets that the gate asks for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fairlead_router_core::{Key, Secret};
use k8s_openapi::api::core::v1 as core;
use kube::Api;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
};

use super::{backoff::Backoff, convert, progress::Version};

/// How many Secrets are read at a time.
const AT_A_TIME: usize = 32;
/// How long one read may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What became of an attempt to read a Secret.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Its content, or `None` when it is not there.
    Read(Key, Option<(Secret, Version)>),
    /// It did not work and will be tried again; the server `refused` it, or had troubles of its own.
    Failed { key: Key, refused: bool },
}

/// Why the last read failed, until one works; for `/readyz`.
pub(crate) type Problem = Arc<Mutex<Option<String>>>;

pub(crate) struct Reader {
    client: kube::Client,
    permits: Arc<Semaphore>,
    problem: Problem,
    out: mpsc::Sender<Attempt>,
    under_way: HashMap<Key, AbortHandle>,
}

impl Reader {
    pub(crate) fn new(client: kube::Client, problem: Problem, out: mpsc::Sender<Attempt>) -> Self {
        let permits = Arc::new(Semaphore::new(AT_A_TIME));
        Self { client, permits, problem, out, under_way: HashMap::new() }
    }

    /// Reads `key` until that works or [`Reader::forget`] is called.
    pub(crate) fn read(&mut self, key: Key) {
        let task = Task {
            api: Api::namespaced(self.client.clone(), &key.namespace),
            permits: self.permits.clone(),
            problem: self.problem.clone(),
            key: key.clone(),
        };
        let task = tokio::spawn(task.run(self.out.clone()));
        if let Some(old) = self.under_way.insert(key, task.abort_handle()) {
            old.abort();
        }
    }

    /// Gives up reading `key`.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(task) = self.under_way.remove(key) {
            task.abort();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.under_way.values().for_each(AbortHandle::abort);
    }
}

/// Why a Secret could not be read.
struct Failure {
    problem: String,
    /// To wait will not help.
    refused: bool,
}

struct Task {
    api: Api<core::Secret>,
    permits: Arc<Semaphore>,
    problem: Problem,
    key: Key,
}

impl Task {
    async fn run(self, out: mpsc::Sender<Attempt>) {
        let mut backoff = Backoff::default();
        loop {
            let attempt = match self.attempt().await {
                Ok(secret) => {
                    *self.problem.lock() = None;
                    Attempt::Read(self.key.clone(), secret)
                }
                Err(Failure { problem, refused }) => {
                    if self.problem.lock().replace(problem.clone()).as_ref() != Some(&problem) {
                        tracing::warn!(problem, "cannot read a Secret");
                    }
                    Attempt::Failed { key: self.key.clone(), refused }
                }
            };
            let done = matches!(attempt, Attempt::Read(..));
            if out.send(attempt).await.is_err() || done {
                return;
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn attempt(&self) -> Result<Option<(Secret, Version)>, Failure> {
        let key = &self.key;
        let failed = |refused, problem| Failure { problem, refused };
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(failed(false, "the router stops".to_owned()));
        };
        match tokio::time::timeout(TIMEOUT, self.api.get_opt(&key.name)).await {
            Ok(Ok(found)) => Ok(found.map(|found| {
                let version = convert::version(&found.metadata);
                (convert::secret(key.clone(), found), version)
            })),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(failed(
                true,
                format!(
                    "reading Secret {key} is forbidden: allow the verb get on secrets in namespace {}",
                    key.namespace
                ),
            )),
            Ok(Err(error)) => {
                let refused = matches!(
                    &error,
                    kube::Error::Api(status) if matches!(status.code, 400 | 405 | 422)
                );
                Err(failed(refused, format!("reading Secret {key} failed: {error}")))
            }
            Err(_) => Err(failed(false, format!("reading Secret {key} took longer than 5 s"))),
        }
    }
}
