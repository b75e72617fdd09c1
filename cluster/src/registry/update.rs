//! Changing objects: update, patch, and read-modify-write.

use std::sync::Arc;

use serde_json::Value;

use super::create::identify;
use super::table::Writer;
use super::{Registry, WriteOptions, scope};
use crate::kinds::{Generation, Kind, Subresource};
use crate::meta;
use crate::patch;
use crate::status::Status;

/// A change of an object in one of the patch languages.
#[derive(Debug, Clone)]
pub enum Patch {
    /// JSON merge patch, RFC 7386.
    Merge(Value),
    /// Server-side apply: the fields that the manager wants, and whether to take them from others.
    Apply {
        /// The fields that the manager wants, and no others.
        config: Value,
        /// Take fields that other managers own instead of refusing with 409.
        force: bool,
    },
}

/// What a patch did.
#[derive(Debug, Clone)]
pub struct Patched {
    /// The object after it.
    pub object: Arc<Value>,
    /// An apply created it.
    pub created: bool,
}

impl Registry {
    /// Replaces an object. A `metadata.resourceVersion` that is given must be the current one.
    /// A write that changes nothing keeps the resourceVersion.
    ///
    /// # Errors
    /// 404; 409 where resourceVersion or uid are not the current ones; 400 and 422 as for create.
    pub fn update(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Value>, Status> {
        let given = meta::name(&object);
        if !given.is_empty() && given != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        self.change(kind, namespace, name, subresource, options, |_| Ok(object))
    }

    /// Changes an object by a patch; an apply creates it if it is not there.
    ///
    /// # Errors
    /// As [`Registry::update`]; 409 with a cause per field where an apply meets other managers.
    pub fn patch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        patch: Patch,
        options: &WriteOptions,
    ) -> Result<Patched, Status> {
        match patch {
            Patch::Merge(patch) => {
                let object =
                    self.change(kind, namespace, name, subresource, options, |current| {
                        let mut object = Value::clone(current);
                        patch::merge(&mut object, patch);
                        Ok(object)
                    })?;
                Ok(Patched { object, created: false })
            }
            Patch::Apply { .. } => Err(Status::unsupported_media_type()),
        }
    }

    /// Reads an object, lets `edit` change it and writes it, with no other write in between: never
    /// a conflict. For components of the cluster.
    ///
    /// # Errors
    /// As [`Registry::update`], and what `edit` refuses with.
    pub fn modify(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        options: &WriteOptions,
        edit: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        self.change(kind, namespace, name, subresource, options, |current| {
            let mut object = Value::clone(current);
            edit(&mut object)?;
            Ok(object)
        })
    }

    fn change(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        options: &WriteOptions,
        edit: impl FnOnce(&Arc<Value>) -> Result<Value, Status>,
    ) -> Result<Arc<Value>, Status> {
        let namespace = scope(kind, namespace);
        let writer = self.table(kind).writer();
        let current = writer.get(namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
        let mut object = edit(&current)?;
        identify(kind, namespace, &mut object)?;
        check_identity(kind, name, &current, &object)?;
        keep(kind, subresource, &current, &mut object);
        if object == *current {
            return Ok(current);
        }
        bump_generation(kind, &current, &mut object);
        Ok(store(&writer, object, current, options))
    }
}

/// Puts a changed object in place, or removes it when the change took its last finalizer while it
/// is being deleted.
pub(super) fn store(
    writer: &Writer<'_>,
    object: Value,
    current: Arc<Value>,
    options: &WriteOptions,
) -> Arc<Value> {
    if options.dry_run {
        return Arc::new(object);
    }
    if super::delete::is_finished(&object) {
        writer.remove(object.clone(), current);
        return Arc::new(object);
    }
    writer.put(object, Some(current))
}

/// Refuses a write that is about another object, or about an older state of this one.
fn check_identity(kind: &Kind, name: &str, current: &Value, object: &Value) -> Result<(), Status> {
    let (given, actual) = (meta::uid(object), meta::uid(current));
    if !given.is_empty() && given != actual {
        let namespace = meta::namespace(current).map(|n| format!("{n}/")).unwrap_or_default();
        return Err(Status::conflict(
            kind,
            name,
            &format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}/{namespace}{name}, \
                 ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: \
                 {given}, UID in object meta: {actual}",
                kind.plural
            ),
        ));
    }
    let version = meta::resource_version(object);
    if !version.is_empty() && version != "0" && version != meta::resource_version(current) {
        return Err(Status::stale(kind, name));
    }
    Ok(())
}

/// Takes over from the current state what this write may not change.
fn keep(kind: &Kind, subresource: Option<Subresource>, current: &Value, object: &mut Value) {
    let mut status = object.get("status").cloned();
    match subresource {
        Some(Subresource::Status) => *object = current.clone(),
        None if kind.status => status = current.get("status").cloned(),
        None => {}
    }
    let fields = meta::object_at(object);
    match status {
        Some(status) => fields.insert("status".to_owned(), status),
        None => fields.remove("status"),
    };
    for field in [
        "name",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        meta::set(object, field, meta::get(current, field).cloned());
    }
}

fn bump_generation(kind: &Kind, current: &Value, object: &mut Value) {
    let changed = match kind.generation {
        None => return,
        Some(Generation::Spec) => current.get("spec") != object.get("spec"),
        Some(Generation::Content) => {
            let content = |value: &Value| {
                let mut value = value.clone();
                let fields = meta::object_at(&mut value);
                fields.remove("metadata");
                fields.remove("status");
                value
            };
            content(current) != content(object)
        }
    };
    if changed {
        meta::set(object, "generation", Some((meta::generation(current) + 1).into()));
    }
}
