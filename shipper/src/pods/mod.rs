//! The node's pods, as the Kubernetes API shows them.

mod meta;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use meta::{PodMeta, from_path};
pub(crate) use watch::{PodEvent, watch};

/// Pods by the uid in their directories. One that is gone from the API is kept until its logs are
/// read.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    pods: HashMap<String, Known>,
    /// Whether the API has told all there are, once.
    pub(crate) listed: bool,
}

#[derive(Debug)]
struct Known {
    meta: Arc<PodMeta>,
    there: bool,
}

impl Pods {
    /// Takes what was seen. Returns the uid of the pod that it concerns.
    pub(crate) fn take(&mut self, event: PodEvent) -> Option<String> {
        match event {
            PodEvent::There(meta) => {
                let uid = meta.uid.clone();
                let changed = self.pods.get(&uid).is_none_or(|known| *known.meta != meta);
                if changed {
                    self.pods.insert(uid.clone(), Known { meta: meta.into(), there: true });
                }
                changed.then_some(uid)
            }
            PodEvent::Gone(uid) => {
                if let Some(known) = self.pods.get_mut(&uid) {
                    known.there = false;
                }
                None
            }
            PodEvent::Listed(there) => {
                self.listed = true;
                for (uid, known) in &mut self.pods {
                    known.there &= there.contains(uid);
                }
                None
            }
        }
    }

    pub(crate) fn get(&self, uid: &str) -> Option<&Arc<PodMeta>> {
        self.pods.get(uid).map(|known| &known.meta)
    }

    /// Forgets pods that are gone and of which there are no logs.
    pub(crate) fn sweep(&mut self, has_logs: impl Fn(&str) -> bool) {
        self.pods.retain(|uid, known| known.there || has_logs(uid));
    }
}
