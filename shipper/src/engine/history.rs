//! How much of each container a logd is sent once more, for its readers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Slot;
use super::links::{Begins, Up};
use crate::container::{Container, since, time_of};

/// How long what was found out holds: containers come one after the other.
const HOLDS: Duration = Duration::from_secs(60);

/// How many bytes of a container belong to the newest of its app, as many as the app may have. Nothing, unless
/// its logd is new to it.
pub(super) fn of(container: &Container, up: &mut Up, slots: &HashMap<u32, Slot>) -> u64 {
    let Some(app) = app(container) else { return 0 };
    if container.instance.as_ref() == Some(&up.instance) {
        return 0;
    }
    let now = Instant::now();
    if up.begins.as_ref().is_none_or(|(found, _)| *found + HOLDS <= now) {
        let others = slots.values().map(|slot| &slot.container);
        let begins = begins(others.chain([container]), up.history);
        up.begins = Some((now, begins));
    }
    let begin = up.begins.as_ref().and_then(|(_, begins)| begins.get(&app));
    // An app that is new since then has nothing that a drain had.
    let (begin, limit) = begin.copied().unwrap_or((i64::MIN, up.history));
    since(&container.extents(), begin).min(limit)
}

fn app(container: &Container) -> Option<String> {
    // What is excluded is sent to nobody.
    let source = &container.whose().filter(|identity| !identity.excluded)?.source;
    Some(format!("{}/{}", source.namespace, source.app))
}

/// Bytes of an app that these are of, by what its pods say, else `default`.
fn limit<'a>(containers: impl IntoIterator<Item = &'a Container>, default: u64) -> u64 {
    let said = |container: &Container| Some(container.whose()?.source.limits.as_ref()?.bytes);
    let said = containers.into_iter().filter_map(said).filter(|bytes| *bytes > 0).max();
    said.unwrap_or(default)
}

/// Since when each app is sent, and how much of it.
fn begins<'a>(containers: impl Iterator<Item = &'a Container>, default: u64) -> Begins {
    let mut apps: HashMap<String, Vec<&Container>> = HashMap::new();
    for container in containers {
        if let Some(app) = app(container) {
            apps.entry(app).or_default().push(container);
        }
    }
    let begin = |(app, containers): (String, Vec<&Container>)| {
        let extents: Vec<_> = containers.iter().flat_map(|one| one.extents()).collect();
        let limit = limit(containers, default);
        (app, (time_of(&extents, limit), limit))
    };
    apps.into_iter().map(begin).collect()
}
