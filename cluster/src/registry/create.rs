//! Creating objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::table::{Phase, Writer};
use super::{Registry, WriteOptions, prepare, scope};
use crate::fields;
use crate::kinds::{self, Kind};
use crate::meta;
use crate::status::{Cause, Status};
use crate::validate::validate;

/// Letters of generated names: no vowels, and no digits that look like letters.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The longest base of a generated name, so that five letters more fit into a label.
const LONGEST_BASE: usize = 58;

impl Registry {
    /// Creates an object; `metadata.generateName` makes up a name.
    ///
    /// # Errors
    /// 400 where kind, namespace or name do not fit the request, 403 and 404 where the namespace is
    /// being deleted or is not there, 409 where the name is taken, 422 where a field breaks a rule.
    pub fn create(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Value>, Status> {
        let namespace = scope(kind, namespace);
        prepare::identify(kind, namespace, &mut object)?;
        prepare::decode(kind, &mut object, options)?;
        if !meta::resource_version(&object).is_empty() {
            return Err(Status::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        generate_name(kind, &mut object)?;
        self.check_namespace(kind, namespace, meta::name(&object))?;
        let by = fields::Writer { kind, manager: options.manager(), subresource: None };
        if kind.status {
            meta::object_at(&mut object).remove("status");
        }
        fields::update(by, None, &mut object);
        let table = self.table(kind);
        let created = self.insert(&table.writer(), kind, object, options)?;
        self.written(kind, options);
        Ok(created)
    }

    /// What an object of a kind that is not stored looks like once it was answered.
    ///
    /// # Errors
    /// 400 where a field has the wrong type.
    pub(crate) fn review(
        &self,
        kind: &'static Kind,
        mut object: Value,
        status: Value,
        options: &WriteOptions,
    ) -> Result<Value, Status> {
        prepare::identify(kind, "", &mut object)?;
        prepare::decode(kind, &mut object, options)?;
        meta::object_at(&mut object).remove("status");
        let by = fields::Writer { kind, manager: options.manager(), subresource: None };
        fields::update(by, None, &mut object);
        object["status"] = status;
        Ok(object)
    }

    /// Puts a new object in place that has its owners, but not yet what only the server sets.
    pub(super) fn insert(
        &self,
        writer: &Writer<'_>,
        kind: &'static Kind,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Value>, Status> {
        match writer.phase() {
            Phase::Open => {}
            Phase::Emptying => return Err(Status::terminating(kind)),
            Phase::Closed => return Err(Status::no_such_resource()),
        }
        originate(kind, &mut object);
        (kind.initialize)(&mut object);
        validate(kind, &object, None)?;
        (kind.allocate)(None, &mut object);
        let namespace = meta::namespace(&object).unwrap_or_default();
        let name = meta::name(&object);
        if writer.get(namespace, name).is_some() {
            return Err(Status::already_exists(kind, name));
        }
        // Held so that the namespace cannot be emptied and removed between the check and the insertion.
        let namespaces = self.table(&kinds::NAMESPACE);
        let _held = kind.namespaced.then(|| namespaces.hold());
        self.check_namespace(kind, namespace, name)?;
        if options.dry_run {
            return Ok(Arc::new(object));
        }
        Ok(writer.put(object))
    }

    /// Refuses to put new objects into a namespace that is not there or is being deleted.
    fn check_namespace(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Status> {
        if !kind.namespaced {
            return Ok(());
        }
        let found = self.get(&kinds::NAMESPACE, None, namespace)?;
        if !meta::is_deleting(&found) {
            return Ok(());
        }
        let cause = Cause {
            reason: "NamespaceTerminating",
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".to_owned(),
        };
        Err(Status::forbidden(
            kind,
            name,
            &format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            ),
            vec![cause],
        ))
    }
}

/// Makes up a name of which only the beginning is given.
fn generate_name(kind: &Kind, object: &mut Value) -> Result<(), Status> {
    if !meta::name(object).is_empty() {
        return Ok(());
    }
    let Some(base) = meta::text(object, "generateName").filter(|base| !base.is_empty()) else {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(kind, "", vec![cause]));
    };
    let ends = base.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let end = ends.take_while(|end| *end <= LONGEST_BASE).last().unwrap_or(0);
    let mut name = base[..end].to_owned();
    let random = uuid::Uuid::new_v4().into_bytes();
    name.extend(random[..5].iter().map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()])));
    meta::set(object, "name", Some(name.into()));
    Ok(())
}

/// Sets what only the server sets.
fn originate(kind: &Kind, object: &mut Value) {
    for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"]
    {
        meta::set(object, field, None);
    }
    meta::set(object, "uid", Some(uuid::Uuid::new_v4().to_string().into()));
    meta::set(object, "creationTimestamp", Some(meta::time(Timestamp::now()).into()));
    meta::set(object, "generation", kind.generation.map(|_| 1.into()));
}
