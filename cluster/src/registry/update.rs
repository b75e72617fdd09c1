//! Changing objects: update, patch, and read-modify-write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::table::Writer;
use super::{Registry, WriteOptions, prepare, scope};
use crate::fields;
use crate::kinds::{Generation, Kind, Subresource};
use crate::meta;
use crate::patch::Edit;
use crate::schema::Empties;
use crate::status::Status;
use crate::validate::validate;

/// A change of an object by a patch.
#[derive(Debug, Clone)]
pub enum Patch {
    /// A change of what is there.
    Edit(Edit),
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
            return Err(name_mismatch(given, name));
        }
        let updated = self.change(kind, namespace, name, subresource, options, |_| Ok(object))?;
        self.written(kind, options);
        Ok(updated)
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
        let object = match patch {
            Patch::Apply { config, force } => {
                let patched =
                    self.apply(kind, namespace, name, subresource, config, force, options)?;
                self.written(kind, options);
                return Ok(patched);
            }
            Patch::Edit(edit) => {
                self.modify(kind, namespace, name, subresource, options, |object| {
                    edit.apply(kind, object)
                })
            }
        }?;
        Ok(Patched { object, created: false })
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
        let modified = self.change(kind, namespace, name, subresource, options, |current| {
            let mut object = Value::clone(current);
            edit(&mut object)?;
            Ok(object)
        })?;
        self.written(kind, options);
        Ok(modified)
    }

    pub(super) fn change(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        options: &WriteOptions,
        edit: impl FnOnce(&Arc<Value>) -> Result<Value, Status>,
    ) -> Result<Arc<Value>, Status> {
        let namespace = scope(kind, namespace);
        let table = self.table(kind);
        let writer = table.writer();
        let current = writer.get(namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
        let current = in_version(kind, current);
        let mut object = edit(&current)?;
        prepare::identify(kind, namespace, &mut object)?;
        check_identity(kind, name, &current, &object)?;
        prepare::decode(kind, &mut object, options)?;
        keep(kind, subresource, &current, &mut object);
        let by = fields::Writer { kind, manager: options.manager(), subresource };
        fields::update(by, Some(&current), &mut object);
        self.finish(&writer, kind, subresource, object, current, options)
    }

    #[expect(clippy::too_many_arguments, reason = "what names the object, and what to do with it")]
    fn apply(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<Subresource>,
        mut config: Value,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Patched, Status> {
        let namespace = scope(kind, namespace);
        fields::check_config(&config)?;
        prepare::identify(kind, namespace, &mut config)?;
        prepare::typed(kind, &mut config, Empties::Keep, options)?;
        let given = meta::name(&config).to_owned();
        if given.is_empty() {
            meta::set(&mut config, "name", Some(name.into()));
        } else if given != name {
            return Err(name_mismatch(&given, name));
        }
        let by = fields::Writer { kind, manager: options.manager(), subresource };
        let table = self.table(kind);
        let writer = table.writer();
        let Some(current) = writer.get(namespace, name) else {
            if subresource.is_some() || !meta::uid(&config).is_empty() {
                return Err(Status::not_found(kind, name));
            }
            if !meta::resource_version(&config).is_empty() {
                return Err(Status::stale(kind, name));
            }
            let empty = json!({ "metadata": {} });
            let mut object = fields::apply(by, &empty, &config, force)?.object;
            prepare::decode(kind, &mut object, options)?;
            let object = self.insert(&writer, kind, object, options)?;
            return Ok(Patched { object, created: true });
        };
        let current = in_version(kind, current);
        let applied = fields::apply(by, &current, &config, force)?;
        check_identity(kind, name, &current, &applied.object)?;
        if !applied.changed {
            return Ok(Patched { object: current, created: false });
        }
        let mut object = applied.object;
        prepare::decode(kind, &mut object, options)?;
        let managers = meta::get(&object, "managedFields").cloned();
        keep(kind, subresource, &current, &mut object);
        meta::set(&mut object, "managedFields", managers);
        let object = self.finish(&writer, kind, subresource, object, current, options)?;
        Ok(Patched { object, created: false })
    }

    /// Checks and stores an object that has its owners.
    fn finish(
        &self,
        writer: &Writer<'_>,
        kind: &'static Kind,
        subresource: Option<Subresource>,
        mut object: Value,
        current: Arc<Value>,
        options: &WriteOptions,
    ) -> Result<Arc<Value>, Status> {
        if object == *current {
            return Ok(current);
        }
        if subresource.is_none() || kind.custom.is_some() {
            validate(kind, &object, Some(&current))?;
        }
        bump_generation(kind, &current, &mut object);
        Ok(store(writer, object, options))
    }
}

/// The object in a version of its kind. Versions of custom kinds differ in nothing but their name.
fn in_version(kind: &Kind, object: Arc<Value>) -> Arc<Value> {
    match kind.custom {
        Some(custom) if object["apiVersion"] != custom.api_version => {
            let mut object = Value::clone(&object);
            object["apiVersion"] = custom.api_version.as_str().into();
            Arc::new(object)
        }
        _ => object,
    }
}

/// Puts a changed object in place, or removes it when the change took its last finalizer while it
/// is being deleted.
pub(super) fn store(writer: &Writer<'_>, object: Value, options: &WriteOptions) -> Arc<Value> {
    if options.dry_run {
        return Arc::new(object);
    }
    if super::delete::is_finished(&object) {
        writer.remove(object.clone());
        return Arc::new(object);
    }
    writer.put(object)
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

fn name_mismatch(given: &str, name: &str) -> Status {
    Status::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({name})"
    ))
}

/// Takes over from the current state what this write may not change.
fn keep(kind: &Kind, subresource: Option<Subresource>, current: &Value, object: &mut Value) {
    match subresource {
        // Writes status and, as controllers rely on, annotations; of custom kinds, status alone.
        Some(Subresource::Status) => {
            let sent = std::mem::replace(object, current.clone());
            put(object, "status", sent.get("status").cloned());
            meta::set(object, "managedFields", meta::get(&sent, "managedFields").cloned());
            if kind.custom.is_none() {
                meta::set(object, "annotations", meta::get(&sent, "annotations").cloned());
            }
        }
        Some(Subresource::Scale) => {
            let sent = std::mem::replace(object, current.clone());
            if let Some(paths) = kind.scale {
                meta::put_at(object, paths.wanted, sent.pointer(paths.wanted).cloned());
            }
        }
        Some(Subresource::Finalize) => {
            let sent = std::mem::replace(object, current.clone());
            put(&mut object["spec"], "finalizers", sent["spec"].get("finalizers").cloned());
        }
        None => {
            if kind.status {
                put(object, "status", current.get("status").cloned());
            }
            (kind.allocate)(Some(current), object);
        }
    }
    for field in [
        "name",
        "namespace",
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

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    let fields = meta::object_at(object);
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

fn bump_generation(kind: &Kind, current: &Value, object: &mut Value) {
    let without = |value: &Value, fields: &[&str]| {
        let mut value = value.clone();
        for field in fields {
            put(&mut value, field, None);
        }
        value
    };
    let changed = match kind.generation {
        None => false,
        Some(Generation::Spec) => current["spec"] != object["spec"],
        Some(Generation::PodSpec) => {
            current["spec"] != object["spec"]
                && without(&current["spec"], &["nodeName"])
                    != without(&object["spec"], &["nodeName"])
        }
        Some(Generation::Content) => {
            let apart = ["metadata", "status"];
            without(current, &apart) != without(object, &apart)
        }
        Some(Generation::Everything) => {
            without(current, &["metadata"]) != without(object, &["metadata"])
        }
    };
    if changed {
        meta::set(object, "generation", Some((meta::generation(current) + 1).into()));
    }
}
