//! Whose a container's lines are.

use super::Turn;
use crate::container::{Container, Identity};
use crate::engine::Settings;
use crate::pods::{Pods, from_path};

impl Turn<'_> {
    /// Finds out whose lines these are; false where that has to wait.
    pub(in crate::engine) fn identify(&mut self, container: &mut Container) -> bool {
        if container.identity.is_some() {
            return true;
        }
        let settings = self.settings;
        let identity = match identity(container, self.pods, settings) {
            Some(identity) => identity,
            None => {
                let patience = settings.pod_wait;
                let remembered = container.remembered.as_ref();
                let until = container.since + remembered.map_or(patience, |_| patience / 10);
                if self.now < until {
                    self.next.at(until);
                    return false;
                }
                let mut identity = remembered.cloned().unwrap_or_else(|| Identity {
                    source: from_path(&container.path, &container.key.name, &settings.node).into(),
                    excluded: false,
                    multiline: false,
                    rate: settings.rate,
                    guessed: true,
                });
                identity.excluded |=
                    settings.excluded_namespaces.contains(&container.path.namespace);
                identity
            }
        };
        container.identify(identity);
        self.next.dirty = true;
        true
    }
}

/// Whose a container's lines are, where its pod is known.
pub(in crate::engine) fn identity(
    container: &Container,
    pods: &Pods,
    settings: &Settings,
) -> Option<Identity> {
    let meta = pods.get(&container.path)?;
    let mut identity = meta.identity(&container.key.name, &settings.node, settings.rate);
    identity.excluded |= settings.excluded_namespaces.contains(&container.path.namespace);
    Some(identity)
}
