//! Lists: whole, or page by page over one snapshot.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::query::Query;
use super::render::{Form, ListMeta};
use super::route::Resource;
use crate::meta;
use crate::registry::{Registry, Snapshot};
use crate::status::Status;

/// The body of a list.
pub(super) fn list(
    registry: &Registry,
    resource: &Resource,
    query: &Query<'_>,
    form: Form,
    stale: Option<u64>,
) -> Result<Vec<u8>, Status> {
    let kind = resource.kind;
    let namespace = resource.namespace.as_deref();
    let selector = query.selector(kind)?;
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let kind = kind.kept_as();
    let from = match query.get("continue") {
        "" => None,
        token => Some(Continue::decode(token)?),
    };
    let list = match (&from, exact_revision(query)?) {
        (Some(from), _) => {
            registry.snapshot_at(kind, namespace, &selector, from.revision).map_err(|refused| {
                if refused.code == 410 { Status::continue_expired() } else { refused }
            })?
        }
        (None, Some(revision)) => registry.snapshot_at(kind, namespace, &selector, revision)?,
        (None, None) => {
            let at = |revision| registry.snapshot_at(kind, namespace, &selector, revision).ok();
            let behind = stale.and_then(at);
            let list = behind.unwrap_or_else(|| registry.snapshot(kind, namespace, &selector));
            let asked = query.number("resourceVersion")?.unwrap_or_default();
            if asked > list.revision {
                return Err(Status::future_revision(asked, list.revision));
            }
            list
        }
    };
    let Snapshot { mut items, revision } = list;
    if let Some(from) = &from {
        items.retain(|item| from.is_before(item.object(), namespace));
    }
    let mut meta = ListMeta { revision, ..ListMeta::default() };
    let page = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    if items.len() > page {
        // Kubernetes does not count what a selector would leave.
        meta.remaining = selector.is_everything().then(|| items.len() - page);
        items.truncate(page);
        let next = items.last().map(|last| Continue::after(last.object(), namespace, revision));
        meta.next = next.map(|next| next.encode());
    }
    Ok(form.list(&items, &meta))
}

/// The revision that the list must show, if it must show a certain one.
fn exact_revision(query: &Query<'_>) -> Result<Option<u64>, Status> {
    let revision = query.number("resourceVersion")?;
    match (query.get("resourceVersionMatch"), revision) {
        ("" | "NotOlderThan", _) => Ok(None),
        ("Exact", Some(revision)) if revision > 0 => Ok(Some(revision)),
        ("Exact", _) => Err(Status::bad_request(
            "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\" or none",
        )),
        (other, _) => Err(Status::bad_request(format!(
            "resourceVersionMatch: Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\""
        ))),
    }
}

/// Where the next page starts: a revision, and the last key of the page before, below the
/// namespace that is listed.
struct Continue {
    revision: u64,
    start: String,
}

impl Continue {
    fn after(last: &Value, namespace: Option<&str>, revision: u64) -> Self {
        Self { revision, start: format!("{}\0", key(last, namespace)) }
    }

    /// Whether an item comes after the pages before.
    fn is_before(&self, item: &Value, namespace: Option<&str>) -> bool {
        // Keys order as pairs of namespace and name do, so that a separator does not count.
        let order = |key: &str| -> Vec<String> { key.split('/').map(str::to_owned).collect() };
        order(&key(item, namespace)) >= order(&self.start)
    }

    fn encode(&self) -> String {
        let token = json!({ "v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start });
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn decode(token: &str) -> Result<Self, Status> {
        let bad = |why: &str| {
            Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let bytes = URL_SAFE_NO_PAD
            .decode(token.trim_end_matches('='))
            .map_err(|error| bad(&error.to_string()))?;
        let token: Value =
            serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
        let revision = token["rv"].as_u64().filter(|revision| *revision > 0);
        match (token["v"].as_str(), revision, token["start"].as_str()) {
            (Some("meta.k8s.io/v1"), Some(revision), Some(start)) => {
                Ok(Self { revision, start: start.to_owned() })
            }
            _ => Err(bad("server does not recognize this encoded version")),
        }
    }
}

fn key(item: &Value, namespace: Option<&str>) -> String {
    match (namespace, meta::namespace(item)) {
        (None, Some(own)) => format!("/{own}/{}", meta::name(item)),
        _ => format!("/{}", meta::name(item)),
    }
}
