//! Creating objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Registry, WriteOptions, scope};
use crate::kinds::{self, Kind};
use crate::meta;
use crate::status::{Cause, Status};

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
        identify(kind, namespace, &mut object)?;
        if !meta::resource_version(&object).is_empty() {
            return Err(Status::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let name = name(kind, &mut object)?;
        self.check_namespace(kind, namespace, &name)?;
        originate(&mut object);
        if kind.generation.is_some() {
            meta::set(&mut object, "generation", Some(1.into()));
        }
        let writer = self.table(kind).writer();
        if writer.get(namespace, &name).is_some() {
            return Err(Status::already_exists(kind, &name));
        }
        if options.dry_run {
            return Ok(Arc::new(object));
        }
        // Held so that the namespace cannot be emptied and removed between the check and the insertion.
        let _namespaces = kind.namespaced.then(|| self.table(&kinds::NAMESPACE).read());
        self.check_namespace(kind, namespace, &name)?;
        Ok(writer.put(object, None))
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

/// Checks that the object is of the kind and in the namespace that the request names, and fills
/// in what it leaves out.
pub(super) fn identify(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let fields = meta::object_at(object);
    fields.insert("apiVersion".to_owned(), kind.api_version().into());
    fields.insert("kind".to_owned(), kind.kind.into());
    if !kind.namespaced {
        meta::set(object, "namespace", None);
        return Ok(());
    }
    match meta::namespace(object) {
        Some(given) if given != namespace => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => {
            meta::set(object, "namespace", Some(namespace.into()));
            Ok(())
        }
    }
}

/// The name of an object to create, made up if only its beginning is given.
fn name(kind: &Kind, object: &mut Value) -> Result<String, Status> {
    let given = meta::name(object);
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    let Some(base) = meta::text(object, "generateName").filter(|base| !base.is_empty()) else {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(kind, "", vec![cause]));
    };
    let end =
        base.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST_BASE);
    let mut name = base[..end.last().unwrap_or(0)].to_owned();
    let random = uuid::Uuid::new_v4().into_bytes();
    name.extend(
        random[..5].iter().map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()] as char),
    );
    meta::set(object, "name", Some(name.as_str().into()));
    Ok(name)
}

/// Sets what only the server sets.
fn originate(object: &mut Value) {
    for field in [
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "generation",
    ] {
        meta::set(object, field, None);
    }
    meta::set(object, "uid", Some(uuid::Uuid::new_v4().to_string().into()));
    meta::set(object, "creationTimestamp", Some(meta::time(Timestamp::now()).into()));
}
