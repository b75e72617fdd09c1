//! Refusals, in the form that Kubernetes gives them (`meta/v1 Status`).

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// Why a request was refused: HTTP code, machine-readable reason, a message for people, details.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// `reason` of the body; empty where Kubernetes gives none.
    pub reason: &'static str,
    /// Message for people, in Kubernetes' words.
    pub message: String,
    /// `details` of the body.
    pub details: Option<Box<Details>>,
}

/// `details` of a [`Status`]: what it is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// API group of the object.
    pub group: Cow<'static, str>,
    /// Plural name, or the kind for validation errors, as Kubernetes does.
    pub kind: Cow<'static, str>,
    /// `uid` of the object.
    pub uid: String,
    /// What exactly was wrong, field by field.
    pub causes: Vec<Cause>,
    /// Seconds after which to try again; also sent as `Retry-After`.
    pub retry_after: Option<u32>,
}

/// One field that was wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`...
    pub reason: &'static str,
    /// Message without the field's name.
    pub message: String,
    /// Path of the field, as in `metadata.name`.
    pub field: String,
}

impl Cause {
    /// A required field is missing. `hint` may be empty.
    pub fn required(field: impl Into<String>, hint: &str) -> Self {
        let message = match hint {
            "" => "Required value".to_owned(),
            _ => format!("Required value: {hint}"),
        };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// A field has a value that it may not have.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        let shown = match value {
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        let message = format!("Invalid value: {shown}: {why}");
        Self { reason: "FieldValueInvalid", message, field: field.into() }
    }

    /// A field has a value outside its closed set.
    pub fn not_supported(field: impl Into<String>, value: &str, allowed: &[&str]) -> Self {
        let quoted: Vec<String> = allowed.iter().map(|value| format!("{value:?}")).collect();
        let message =
            format!("Unsupported value: {value:?}: supported values: {}", quoted.join(", "));
        Self { reason: "FieldValueNotSupported", message, field: field.into() }
    }

    /// A field has a value of another type.
    pub fn type_invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self { reason: "FieldValueTypeInvalid", ..Self::invalid(field, value, why) }
    }

    /// A text is too long.
    pub fn too_long(field: impl Into<String>, most: u64) -> Self {
        let message = format!("Too long: may not be more than {most} bytes");
        Self { reason: "FieldValueTooLong", message, field: field.into() }
    }

    /// A list or a map has too many elements.
    pub fn too_many(field: impl Into<String>, found: usize, most: u64) -> Self {
        let message = format!("Too many: {found}: must have at most {most} items");
        Self { reason: "FieldValueTooMany", message, field: field.into() }
    }

    /// A field may not be set here.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self {
            reason: "FieldValueForbidden",
            message: format!("Forbidden: {why}"),
            field: field.into(),
        }
    }

    /// Two elements of a list have the same key.
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            message: format!("Duplicate value: {value}"),
            field: field.into(),
        }
    }
}

impl Details {
    /// Details that name one object by its resource.
    fn resource(kind: &Kind, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: kind.group.into(),
            kind: kind.plural.into(),
            ..Self::default()
        }
    }
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// 404: the object does not exist.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.resource()))
            .about(Details::resource(kind, name))
    }

    /// 404: the path names nothing that is served.
    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .about(Details::default())
    }

    /// 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.resource()))
            .about(Details::resource(kind, name))
    }

    /// 409: the write cannot be carried out on the object as it is; `why` names the reason.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource()),
        )
        .about(Details::resource(kind, name))
    }

    /// 409: `metadata.resourceVersion` of the write is not the current one.
    pub fn stale(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409: a precondition of a delete does not hold. Kubernetes names the kind, not the resource.
    pub fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified()),
        )
        .about(Details { kind: kind.kind.into(), ..Details::resource(kind, name) })
    }

    /// 422: the object breaks a rule, field by field.
    pub fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_named(kind.group, kind.kind, name, causes)
    }

    /// [`Status::invalid`] for a type that is no stored kind (options of a request).
    pub fn invalid_named(
        group: &'static str,
        kind: &'static str,
        name: &str,
        causes: Vec<Cause>,
    ) -> Self {
        let of = |cause: &Cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        };
        let list = match causes.as_slice() {
            [one] => of(one),
            many => format!("[{}]", many.iter().map(of).collect::<Vec<_>>().join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {list}")).about(
            Details {
                name: name.to_owned(),
                group: group.into(),
                kind: kind.into(),
                causes,
                ..Details::default()
            },
        )
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no token, or one that was never given out.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403 about one object.
    pub fn forbidden(kind: &Kind, name: &str, why: &str, causes: Vec<Cause>) -> Self {
        Self::new(403, "Forbidden", format!("{} \"{name}\" is forbidden: {why}", kind.resource()))
            .about(Details { causes, ..Details::resource(kind, name) })
    }

    /// 403 about the request as a whole.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// 405: the resource exists and does not know the verb.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .about(Details::default())
    }

    /// 405: the definition of the kind is being deleted.
    pub fn terminating(kind: &Kind) -> Self {
        let why = "create not allowed while custom resource definition is terminating";
        Self::new(405, "MethodNotAllowed", why).about(Details::resource(kind, ""))
    }

    /// 406: no representation that `Accept` allows.
    pub fn not_acceptable() -> Self {
        Self::new(
            406,
            "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
             application/json;stream=watch",
        )
        .about(Details::default())
    }

    /// 410: the revision lies before what is remembered.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 410: the snapshot that a `continue` value names is no longer remembered.
    pub fn continue_expired() -> Self {
        Self::new(
            410,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter.",
        )
    }

    /// 413: the body is larger than the server reads.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// 415: the body's media type is not one that the verb takes.
    pub fn unsupported_media_type() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
            .about(Details::default())
    }

    /// 415: the patch is in a language that the kind does not take.
    pub fn unsupported_patch(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 422 without a field: the patch cannot be carried out on the object.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message).about(Details::default())
    }

    /// 409: other managers own fields that an apply sets.
    pub fn apply_conflict(message: String, causes: Vec<Cause>) -> Self {
        Self::new(409, "Conflict", message).about(Details { causes, ..Details::default() })
    }

    /// 429: too many requests; try again after `seconds`.
    pub fn too_many_requests(seconds: u32) -> Self {
        Self::new(
            429,
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        )
        .about(Details { retry_after: Some(seconds), ..Details::default() })
    }

    /// 500: a fault of the server itself.
    pub fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(500, "InternalError", format!("Internal error occurred: {message}")).about(
            Details {
                causes: vec![Cause { reason: "", message, field: String::new() }],
                ..Details::default()
            },
        )
    }

    /// 504: the revision asked for does not exist yet.
    pub fn future_revision(asked: u64, current: u64) -> Self {
        let cause = Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".to_owned(),
            field: String::new(),
        };
        Self::new(
            504,
            "Timeout",
            format!("Timeout: Too large resource version: {asked}, current: {current}"),
        )
        .about(Details { causes: vec![cause], retry_after: Some(1), ..Details::default() })
    }

    /// The body that is sent.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            body["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            body["details"] = details.body();
        }
        body
    }
}

impl Details {
    fn body(&self) -> Value {
        let mut body = Map::new();
        let mut text = |name: &str, value: &str| {
            if !value.is_empty() {
                body.insert(name.to_owned(), value.into());
            }
        };
        text("name", &self.name);
        text("group", &self.group);
        text("kind", &self.kind);
        text("uid", &self.uid);
        if !self.causes.is_empty() {
            body.insert("causes".to_owned(), self.causes.iter().map(Cause::body).collect());
        }
        if let Some(seconds) = self.retry_after {
            body.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        Value::Object(body)
    }
}

impl Cause {
    fn body(&self) -> Value {
        let mut body = Map::new();
        for (name, value) in
            [("reason", self.reason), ("message", &self.message), ("field", &self.field)]
        {
            if !value.is_empty() {
                body.insert(name.to_owned(), value.into());
            }
        }
        Value::Object(body)
    }
}

/// The body that tells that an object is gone.
pub fn deleted(kind: &Kind, name: &str, uid: &str) -> Value {
    let details = Details { uid: uid.to_owned(), ..Details::resource(kind, name) };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Success", "details": details.body(),
    })
}
