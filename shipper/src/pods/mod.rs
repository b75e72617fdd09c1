//! The node's pods, as the Kubernetes API shows them.

mod meta;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use meta::{PodMeta, from_path};
pub(crate) use watch::{PodEvent, watch};

use crate::path::PodPath;

/// Pods by their directories. One that is gone from the API is kept until its logs are read.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    pods: HashMap<PodPath, Known>,
    /// Whether the API has told all there are, once.
    pub(crate) listed: bool,
}

#[derive(Debug)]
struct Known {
    meta: Arc<PodMeta>,
    there: bool,
}

impl Pods {
    /// Takes what was seen. Returns the pod that it concerns.
    pub(crate) fn take(&mut self, event: PodEvent) -> Option<PodPath> {
        match event {
            PodEvent::There(meta) => {
                let path = meta.path.clone();
                let changed = self.pods.get(&path).is_none_or(|known| *known.meta != meta);
                if changed {
                    self.pods.insert(path.clone(), Known { meta: meta.into(), there: true });
                }
                changed.then_some(path)
            }
            PodEvent::Gone(path) => {
                if let Some(known) = self.pods.get_mut(&path) {
                    known.there = false;
                }
                None
            }
            PodEvent::Listed(there) => {
                self.listed = true;
                for (path, known) in &mut self.pods {
                    known.there &= there.contains(path);
                }
                None
            }
        }
    }

    pub(crate) fn get(&self, path: &PodPath) -> Option<&Arc<PodMeta>> {
        self.pods.get(path).map(|known| &known.meta)
    }

    /// Forgets pods that are gone and of which there are no logs.
    pub(crate) fn sweep(&mut self, has_logs: impl Fn(&PodPath) -> bool) {
        self.pods.retain(|path, known| known.there || has_logs(path));
    }
}
