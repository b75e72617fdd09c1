//! Ownership of fields: what every write does to `metadata.managedFields`, and server-side apply.
//!
//! The rules are those of Kubernetes' structured-merge-diff:
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.

mod managers;
mod set;
mod typed;

use serde_json::Value;

use managers::{Manager, Managers, Operation};
use set::FieldSet;
use typed::Difference;

use crate::kinds::{Kind, Subresource};
use crate::meta;
use crate::schema::{self, Schema, TypeId};
use crate::status::{Cause, Status};

/// Who writes, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) manager: &'a str,
    pub(crate) subresource: Option<Subresource>,
}

/// Sets the owners of a changed object: the writer owns what it changed, and nobody owns what is gone.
/// `old` is `None` for a new object.
pub(crate) fn update(writer: Writer<'_>, old: Option<&Value>, new: &mut Value) {
    let (schema, id) = schema::of(writer.kind);
    let nothing = serde_json::json!({ "metadata": {} });
    let difference = compare(schema, id, old.unwrap_or(&nothing), new);
    let mut managers = owners(old, new);
    let _conflicts = displace(&mut managers, &difference, None);
    let manager = writer.entry(Operation::Update);
    let changed = difference.added.union(&difference.modified);
    if !changed.is_empty() {
        let had = managers.take(&manager).map(|entry| entry.fields).unwrap_or_default();
        managers.put(manager, had.union(&changed));
    }
    managers.write(new);
}

/// The owners to go on from: those of the old object, unless the writer sent some or cleared them.
fn owners(old: Option<&Value>, new: &Value) -> Managers {
    let sent = new["metadata"].get("managedFields");
    let cleared = sent.and_then(Value::as_array).is_some_and(|list| {
        list.is_empty() || list.iter().all(|entry| entry.as_object().is_none_or(|e| e.is_empty()))
    });
    match (sent, old) {
        (Some(_), _) if cleared => Managers::default(),
        (Some(_), _) => Managers::of(new),
        (None, Some(old)) => Managers::of(old),
        (None, None) => Managers::default(),
    }
}

/// What an apply makes of an object: the object, and whether anything changed.
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) changed: bool,
}

/// Server-side apply: sets what `config` says, removes what the manager applied before and no longer
/// does and nobody else owns.
///
/// # Errors
/// 409 with a cause per field that others own and `config` would change, unless `force`.
pub(crate) fn apply(
    writer: Writer<'_>,
    live: &Value,
    config: &Value,
    force: bool,
) -> Result<Applied, Status> {
    let (schema, id) = schema::of(writer.kind);
    let mut managers = Managers::of(live);
    let manager = writer.entry(Operation::Apply);
    let before = managers.take(&manager);
    let sent = typed::fields(schema, id, config);
    let wanted = writer.applicable(sent.clone());
    let merged = typed::merge(schema, id, live, config);
    let last = before.as_ref().map(|entry| entry.fields.clone()).unwrap_or_default();
    let mut object = prune(schema, id, merged, &managers, &sent, &last);
    let difference = compare(schema, id, live, &object);
    let conflicts = displace(&mut managers, &difference, Some(force));
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    let same_set = before.as_ref().is_some_and(|entry| entry.fields == wanted);
    let changed = !same_set || difference != Difference::default();
    match before {
        Some(entry) if !changed => managers.restore(entry),
        _ => managers.put(manager, wanted),
    }
    managers.write(&mut object);
    Ok(Applied { object, changed })
}

impl Writer<'_> {
    fn entry(&self, operation: Operation) -> Manager {
        Manager {
            name: self.manager.to_owned(),
            operation,
            api_version: self.kind.api_version(),
            subresource: self.subresource.map(Subresource::name).unwrap_or_default().to_owned(),
        }
    }

    /// What of a configuration the resource that it is sent to writes.
    fn applicable(&self, set: FieldSet) -> FieldSet {
        let set = strip(set);
        match self.subresource {
            Some(Subresource::Status) => set.without(&["spec"]).without(&["metadata", "labels"]),
            Some(Subresource::Finalize | Subresource::Scale) => set,
            None if self.kind.status => set.without(&["status"]),
            None => set,
        }
    }
}

/// What nobody owns: identity, and what only the server sets.
fn strip(set: FieldSet) -> FieldSet {
    let set = set.without(&["apiVersion"]).without(&["kind"]).without_only(&["metadata"]);
    [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ]
    .into_iter()
    .fold(set, |set, field| set.without(&["metadata", field]))
}

fn compare(schema: &Schema, id: TypeId, old: &Value, new: &Value) -> Difference {
    let Difference { added, modified, removed } = typed::compare(schema, id, old, new);
    Difference { added: strip(added), modified: strip(modified), removed: strip(removed) }
}

/// Takes from every owner what others changed and what is gone. Returns who lost what to a change;
/// with `Some(false)` changed fields stay with their owners.
fn displace(
    managers: &mut Managers,
    difference: &Difference,
    force: Option<bool>,
) -> Vec<(Manager, Option<String>, FieldSet)> {
    let changed = difference.modified.union(&difference.added);
    let mut conflicts = Vec::new();
    for entry in managers.iter_mut() {
        let lost = entry.fields.intersection(&changed);
        if !lost.is_empty() {
            if force != Some(false) {
                entry.fields = entry.fields.difference(&lost);
            }
            conflicts.push((entry.manager.clone(), entry.time.clone(), lost));
        }
        entry.fields = entry.fields.difference(&difference.removed);
    }
    conflicts
}

fn conflict(conflicts: &[(Manager, Option<String>, FieldSet)]) -> Status {
    let mut causes = Vec::new();
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for (manager, time, lost) in conflicts {
        let shown = manager.shown(time.as_deref());
        let paths: Vec<String> = lost.paths().iter().map(ToString::to_string).collect();
        causes.extend(paths.iter().map(|path| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {shown}"),
            field: path.clone(),
        }));
        told.push((shown, paths));
    }
    told.sort();
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let lines: Vec<String> = told
                .into_iter()
                .flat_map(|(shown, paths)| {
                    let paths = paths.into_iter().map(|path| format!("- {path}"));
                    std::iter::once(format!("conflicts with {shown}:")).chain(paths)
                })
                .collect();
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    Status::apply_conflict(message, causes)
}

/// Removes what the manager applied last time and does not apply now, unless somebody owns it.
fn prune(
    schema: &Schema,
    id: TypeId,
    merged: Value,
    others: &Managers,
    sent: &FieldSet,
    last: &FieldSet,
) -> Value {
    if last.is_empty() {
        return merged;
    }
    let whole = |set: &FieldSet| {
        set.with_inner_members(&mut Vec::new(), &|way| typed::is_struct_field(schema, id, way))
    };
    let remove = |set: &FieldSet| {
        typed::remove(schema, id, &merged, set)
            .unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    };
    let fields = |value: &Value| whole(&typed::fields(schema, id, value));
    let all = fields(&merged);
    let last = whole(last);
    let pruned = remove(&last);
    // Back comes what somebody owns, the manager's new configuration included...
    let owned = others.iter().fold(sent.clone(), |all, entry| all.union(&entry.fields));
    let pruned = remove(&all.difference(&fields(&pruned).union(&whole(&owned))));
    // ...and what the manager did not own last time.
    remove(&all.difference(&fields(&pruned)).intersection(&last))
}

/// Refuses a configuration that an apply cannot take.
///
/// # Errors
/// 400 where it brings owners along.
pub(crate) fn check_config(config: &Value) -> Result<(), Status> {
    if meta::get(config, "managedFields").is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}
