//! Deleting objects: at once, after a grace period, or once finalizers are gone.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::update::store;
use super::{Registry, WriteOptions, scope};
use crate::kinds::{self, Kind};
use crate::meta;
use crate::status::Status;

/// What becomes of objects that a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without the owner.
    Orphan,
}

/// What must hold for a delete to be carried out.
#[derive(Debug, Clone, Default)]
pub struct Preconditions {
    /// The object's uid.
    pub uid: Option<String>,
    /// The object's resourceVersion.
    pub resource_version: Option<String>,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod gets to end; `None`: what the pod says. 0 removes it at once, which is
    /// how the kubelet confirms that it has ended.
    pub grace: Option<i64>,
    /// What must hold.
    pub preconditions: Preconditions,
    /// What becomes of owned objects; `None`: what an earlier delete said, else background.
    pub propagation: Option<Propagation>,
}

/// What a delete did.
#[derive(Debug, Clone)]
pub enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Value>),
    /// The object is marked: it goes once its grace period and its finalizers are over.
    Marked(Arc<Value>),
}

impl Deleted {
    /// The object, gone or marked.
    pub fn object(&self) -> &Arc<Value> {
        match self {
            Self::Gone(object) | Self::Marked(object) => object,
        }
    }
}

impl Registry {
    /// Deletes an object, or marks it for deletion where it has finalizers or a grace period.
    ///
    /// # Errors
    /// 404; 409 where a precondition does not hold.
    pub fn delete(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        delete: &DeleteOptions,
        options: &WriteOptions,
    ) -> Result<Deleted, Status> {
        let deleted = self.delete_one(kind, namespace, name, delete, options)?;
        self.written(kind, options);
        Ok(deleted)
    }

    fn delete_one(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        delete: &DeleteOptions,
        options: &WriteOptions,
    ) -> Result<Deleted, Status> {
        let table = self.table(kind);
        let writer = table.writer();
        let current = writer
            .get(scope(kind, namespace), name)
            .ok_or_else(|| Status::not_found(kind, name))?;
        check(kind, name, &current, &delete.preconditions)?;
        let mut object = Value::clone(&current);
        mark(kind, &mut object, delete);
        if object == *current {
            return Ok(Deleted::Marked(current));
        }
        let finished = is_finished(&object);
        if finished && !meta::is_deleting(&current) {
            // Watches see the object as it was: it was never marked.
            object = Value::clone(&current);
        }
        if finished {
            let last = if options.dry_run { Arc::new(object) } else { writer.remove(object) };
            return Ok(Deleted::Gone(last));
        }
        Ok(Deleted::Marked(store(&writer, object, options)))
    }
}

fn check(
    kind: &Kind,
    name: &str,
    current: &Value,
    preconditions: &Preconditions,
) -> Result<(), Status> {
    let uid = meta::uid(current);
    if let Some(wanted) = preconditions.uid.as_deref().filter(|wanted| *wanted != uid) {
        return Err(Status::precondition(
            kind,
            name,
            &format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). \
                 The object might have been deleted and then recreated"
            ),
        ));
    }
    let version = meta::resource_version(current);
    let wanted = preconditions.resource_version.as_deref();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != version) {
        return Err(Status::precondition(
            kind,
            name,
            &format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the \
                 ResourceVersion in record ({version}). The object might have been modified"
            ),
        ));
    }
    Ok(())
}

/// Marks the object for deletion.
fn mark(kind: &Kind, object: &mut Value, delete: &DeleteOptions) {
    if let Some(propagation) = delete.propagation {
        propagate(object, propagation);
    }
    let grace = grace(kind, object, delete.grace);
    let before = meta::get(object, "deletionGracePeriodSeconds").and_then(Value::as_i64);
    let shorter = before.is_none_or(|before| grace < before);
    if !meta::is_deleting(object) || (kind.is(&kinds::POD) && shorter) {
        let end = Timestamp::now().saturating_add(SignedDuration::from_secs(grace));
        let end = end.unwrap_or(Timestamp::MAX);
        meta::set(object, "deletionTimestamp", Some(meta::time(end).into()));
        if let Some(terminate) = kind.terminate {
            terminate(object);
            return;
        }
        meta::set(object, "deletionGracePeriodSeconds", Some(grace.into()));
        if meta::generation(object) > 0 {
            meta::set(object, "generation", Some((meta::generation(object) + 1).into()));
        }
    }
}

/// The garbage collector reads from finalizers what becomes of owned objects.
fn propagate(object: &mut Value, propagation: Propagation) {
    const FOREGROUND: &str = "foregroundDeletion";
    const ORPHAN: &str = "orphan";
    let wanted = match propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Orphan => Some(ORPHAN),
    };
    let others = meta::finalizers(object).filter(|name| ![FOREGROUND, ORPHAN].contains(name));
    let finalizers: Vec<Value> = others.chain(wanted).map(Value::from).collect();
    meta::set(object, "finalizers", (!finalizers.is_empty()).then(|| finalizers.into()));
}

/// Only pods that were started somewhere and have not ended need time to end.
fn grace(kind: &Kind, object: &Value, asked: Option<i64>) -> i64 {
    if !kind.is(&kinds::POD) {
        return 0;
    }
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let ended = matches!(text("/status/phase"), "Succeeded" | "Failed");
    if ended || text("/spec/nodeName").is_empty() {
        return 0;
    }
    let own = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    asked.or(own).unwrap_or(30).max(0)
}

/// Whether a marked object has nothing left that holds it.
pub(super) fn is_finished(object: &Value) -> bool {
    let grace = meta::get(object, "deletionGracePeriodSeconds").and_then(Value::as_i64);
    let content = object.pointer("/spec/finalizers").and_then(Value::as_array);
    meta::is_deleting(object)
        && grace.unwrap_or_default() == 0
        && meta::finalizers(object).next().is_none()
        && content.is_none_or(Vec::is_empty)
}
