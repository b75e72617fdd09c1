//! Messages and their field numbers, from Kubernetes' `generated.proto` files.

use super::wire::{Field, Message, Of};

const fn field(number: u32, name: &'static str, of: Of) -> Field {
    Field { number, name, of, pointer: false }
}

impl Field {
    const fn pointer(self) -> Self {
        Self { pointer: true, ..self }
    }
}

/// Where `runtime.Unknown` keeps the type's name and the message.
pub(super) struct Unknown {
    pub(super) type_meta: u32,
    pub(super) raw: u32,
}

pub(super) const UNKNOWN: Unknown = Unknown { type_meta: 1, raw: 2 };

pub(super) static TYPE_META: Message =
    Message(&[field(1, "apiVersion", Of::Text), field(2, "kind", Of::Text)]);

static OWNER_REFERENCE: Message = Message(&[
    field(1, "kind", Of::Text),
    field(3, "name", Of::Text),
    field(4, "uid", Of::Text),
    field(5, "apiVersion", Of::Text),
    field(6, "controller", Of::Bool).pointer(),
    field(7, "blockOwnerDeletion", Of::Bool).pointer(),
]);

static MANAGED_FIELDS_ENTRY: Message = Message(&[
    field(1, "manager", Of::Text),
    field(2, "operation", Of::Text),
    field(3, "apiVersion", Of::Text),
    field(4, "time", Of::Time),
    field(6, "fieldsType", Of::Text),
    field(7, "fieldsV1", Of::Json),
    field(8, "subresource", Of::Text),
]);

static OBJECT_META: Message = Message(&[
    field(1, "name", Of::Text),
    field(2, "generateName", Of::Text),
    field(3, "namespace", Of::Text),
    field(4, "selfLink", Of::Text),
    field(5, "uid", Of::Text),
    field(6, "resourceVersion", Of::Text),
    field(7, "generation", Of::Int),
    field(8, "creationTimestamp", Of::Time),
    field(9, "deletionTimestamp", Of::Time),
    field(10, "deletionGracePeriodSeconds", Of::Int).pointer(),
    field(11, "labels", Of::Map(&Of::Text)),
    field(12, "annotations", Of::Map(&Of::Text)),
    field(13, "ownerReferences", Of::List(&Of::Message(&OWNER_REFERENCE))),
    field(14, "finalizers", Of::List(&Of::Text)),
    field(17, "managedFields", Of::List(&Of::Message(&MANAGED_FIELDS_ENTRY))),
]);

static LIST_META: Message = Message(&[
    field(1, "selfLink", Of::Text),
    field(2, "resourceVersion", Of::Text),
    field(3, "continue", Of::Text),
    field(4, "remainingItemCount", Of::Int).pointer(),
]);

pub(super) static SECRET: Message = Message(&[
    field(1, "metadata", Of::Message(&OBJECT_META)),
    field(2, "data", Of::Map(&Of::Bytes)),
    field(3, "type", Of::Text),
    field(4, "stringData", Of::Map(&Of::Text)),
    field(5, "immutable", Of::Bool).pointer(),
]);

pub(super) static SECRET_LIST: Message = Message(&[
    field(1, "metadata", Of::Message(&LIST_META)),
    field(2, "items", Of::List(&Of::Message(&SECRET))),
]);

pub(super) static CONFIG_MAP: Message = Message(&[
    field(1, "metadata", Of::Message(&OBJECT_META)),
    field(2, "data", Of::Map(&Of::Text)),
    field(3, "binaryData", Of::Map(&Of::Bytes)),
    field(4, "immutable", Of::Bool).pointer(),
]);

pub(super) static CONFIG_MAP_LIST: Message = Message(&[
    field(1, "metadata", Of::Message(&LIST_META)),
    field(2, "items", Of::List(&Of::Message(&CONFIG_MAP))),
]);

static NAMESPACE_SPEC: Message = Message(&[field(1, "finalizers", Of::List(&Of::Text))]);

static NAMESPACE_STATUS: Message = Message(&[field(1, "phase", Of::Text)]);

pub(super) static NAMESPACE: Message = Message(&[
    field(1, "metadata", Of::Message(&OBJECT_META)),
    field(2, "spec", Of::Message(&NAMESPACE_SPEC)),
    field(3, "status", Of::Message(&NAMESPACE_STATUS)),
]);

pub(super) static NAMESPACE_LIST: Message = Message(&[
    field(1, "metadata", Of::Message(&LIST_META)),
    field(2, "items", Of::List(&Of::Message(&NAMESPACE))),
]);

static RESOURCE_ATTRIBUTES: Message = Message(&[
    field(1, "namespace", Of::Text),
    field(2, "verb", Of::Text),
    field(3, "group", Of::Text),
    field(4, "version", Of::Text),
    field(5, "resource", Of::Text),
    field(6, "subresource", Of::Text),
    field(7, "name", Of::Text),
]);

static NON_RESOURCE_ATTRIBUTES: Message =
    Message(&[field(1, "path", Of::Text), field(2, "verb", Of::Text)]);

static ACCESS_REVIEW_SPEC: Message = Message(&[
    field(1, "resourceAttributes", Of::Message(&RESOURCE_ATTRIBUTES)),
    field(2, "nonResourceAttributes", Of::Message(&NON_RESOURCE_ATTRIBUTES)),
]);

static ACCESS_REVIEW_STATUS: Message = Message(&[
    field(1, "allowed", Of::Bool),
    field(2, "reason", Of::Text),
    field(3, "evaluationError", Of::Text),
    field(4, "denied", Of::Bool),
]);

pub(super) static SELF_SUBJECT_ACCESS_REVIEW: Message = Message(&[
    field(1, "metadata", Of::Message(&OBJECT_META)),
    field(2, "spec", Of::Message(&ACCESS_REVIEW_SPEC)),
    field(3, "status", Of::Message(&ACCESS_REVIEW_STATUS)),
]);

static PRECONDITIONS: Message = Message(&[
    field(1, "uid", Of::Text).pointer(),
    field(2, "resourceVersion", Of::Text).pointer(),
]);

/// Options of a delete, of whatever kind.
pub(in crate::http) static DELETE_OPTIONS: Message = Message(&[
    field(1, "gracePeriodSeconds", Of::Int).pointer(),
    field(2, "preconditions", Of::Message(&PRECONDITIONS)),
    field(3, "orphanDependents", Of::Bool).pointer(),
    field(4, "propagationPolicy", Of::Text),
    field(5, "dryRun", Of::List(&Of::Text)),
]);
