//! The verbs on objects, thin over the registry.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::negotiate::{self, BodyType};
use super::query::Query;
use super::render::{Form, Include, ListMeta};
use super::respond::{self, Reply};
use super::route::Resource;
use super::tokens::Access;
use super::{body, lists, protobuf, scale, watches};
use crate::kinds::{self, Kind, Subresource};
use crate::patch::{self, Edit};
use crate::registry::{
    DeleteOptions, Deleted, FieldValidation, Patch, Patched, Preconditions, Propagation, Registry,
    Stored, WriteOptions,
};
use crate::status::{self, Cause, Status};

/// One request for objects.
pub(super) struct Request<'a> {
    pub(super) registry: &'a Registry,
    pub(super) resource: &'a Resource,
    pub(super) parts: &'a Parts,
    pub(super) query: Query<'a>,
    pub(super) user: Arc<str>,
    /// Changes when all watches are to be cut.
    pub(super) stop: tokio::sync::watch::Receiver<u64>,
    /// The revision that lists are to be behind at.
    pub(super) stale: Option<u64>,
}

impl Request<'_> {
    /// The verb as RBAC names it; `None` where the resource does not have it.
    pub(super) fn verb(&self) -> Option<&'static str> {
        let named = self.resource.name.is_some();
        let subresource = self.resource.subresource.is_some();
        if self.resource.subresource == Some(Subresource::Finalize) {
            return (self.parts.method == Method::PUT).then_some("update");
        }
        if !self.resource.kind.stored {
            return (self.parts.method == Method::POST && !named).then_some("create");
        }
        match (&self.parts.method, named) {
            (&Method::GET, true) => Some("get"),
            (&Method::GET, false) => {
                let watch = self.query.flag("watch").unwrap_or_default();
                Some(if watch { "watch" } else { "list" })
            }
            (&Method::POST, false) => Some("create"),
            (&Method::PUT, true) => Some("update"),
            (&Method::PATCH, true) => Some("patch"),
            (&Method::DELETE, true) if !subresource => Some("delete"),
            (&Method::DELETE, false) if !self.resource.kind.is(&kinds::NAMESPACE) => {
                Some("deletecollection")
            }
            _ => None,
        }
    }

    /// What is recorded about the request.
    pub(super) fn access(&self, verb: &'static str) -> Access {
        let kind = self.resource.kind;
        let resource = match self.resource.subresource {
            Some(subresource) => format!("{}/{}", kind.plural, subresource.name()),
            None => kind.plural.to_owned(),
        };
        Access { verb, group: kind.group.to_owned(), resource }
    }

    pub(super) async fn answer(
        self,
        verb: &'static str,
        incoming: Incoming,
    ) -> Result<Reply, Status> {
        let form = self.form(verb)?;
        match verb {
            "get" => self.get(form),
            "list" => {
                let body =
                    lists::list(self.registry, self.resource, &self.query, form, self.stale)?;
                Ok(respond::reply(StatusCode::OK, form.media_type(), body))
            }
            "watch" => watches::watch(self.registry, self.resource, &self.query, form, self.stop),
            "create" => self.create(form, incoming).await,
            "update" => self.update(form, incoming).await,
            "patch" => self.patch(form, incoming).await,
            _ => self.delete(form, incoming).await,
        }
    }

    fn get(&self, form: Form) -> Result<Reply, Status> {
        let object = self.registry.get(self.kept(), self.namespace(), self.name())?;
        if self.is_scale() {
            let scale = scale::of(self.resource.kind, &object)?;
            return Ok(respond::json(StatusCode::OK, scale.to_string()));
        }
        Ok(respond::reply(StatusCode::OK, form.media_type(), form.object(&object)))
    }

    async fn create(&self, form: Form, incoming: Incoming) -> Result<Reply, Status> {
        let object = self.object(incoming).await?;
        let options = self.write_options()?;
        let kind = self.resource.kind;
        if !kind.stored {
            // Access is recorded, not enforced.
            let status = json!({ "allowed": true });
            let reviewed = self.registry.review(kind, object, status, &options)?;
            return Ok(written(StatusCode::CREATED, form, &reviewed, &options));
        }
        let created = self.registry.create(self.kept(), self.namespace(), object, &options)?;
        Ok(written(StatusCode::CREATED, form, &created, &options))
    }

    async fn update(&self, form: Form, incoming: Incoming) -> Result<Reply, Status> {
        if self.is_scale() {
            let sent = self.document(incoming).await?;
            return self.write_scale(|scale| {
                *scale = sent;
                Ok(())
            });
        }
        let object = self.object(incoming).await?;
        let options = self.write_options()?;
        let updated = self.registry.update(
            self.kept(),
            self.namespace(),
            self.name(),
            self.resource.subresource,
            object,
            &options,
        )?;
        Ok(written(StatusCode::OK, form, &updated, &options))
    }

    async fn patch(&self, form: Form, incoming: Incoming) -> Result<Reply, Status> {
        let body_type = self.patch_type()?;
        let bytes = body::read(incoming).await?;
        let patch = body::patch(body_type, &bytes)?;
        let options = self.write_options()?;
        let force = self.query.flag("force")?;
        if self.is_scale() {
            return self.patch_scale(body_type, patch);
        }
        let patch = match body_type {
            BodyType::Apply => Patch::Apply { config: patch, force },
            _ if force => {
                return Err(options_invalid(Cause::forbidden(
                    "force",
                    "may not be specified for non-apply patch",
                )));
            }
            _ => Patch::Edit(edit(body_type, patch)?),
        };
        if matches!(patch, Patch::Apply { .. }) && options.field_manager.is_none() {
            return Err(options_invalid(Cause::required(
                "fieldManager",
                "is required for apply patch",
            )));
        }
        let kind = self.resource.kind;
        let subresource = self.resource.subresource;
        let patched = match (kind.alias, patch) {
            (None, patch) => self.registry.patch(
                kind,
                self.namespace(),
                self.name(),
                subresource,
                patch,
                &options,
            )?,
            // Written in the form that is shown.
            (Some(alias), Patch::Edit(edit)) => {
                let (namespace, name) = (self.namespace(), self.name());
                let change = |object: &mut Value| {
                    (alias.outward)(object);
                    edit.apply(kind, object)?;
                    (alias.inward)(object);
                    Ok(())
                };
                let object =
                    self.registry.modify(alias.kind, namespace, name, None, &options, change)?;
                Patched { object, created: false }
            }
            // Who owns what is kept under other names than a configuration would use.
            (Some(_), Patch::Apply { .. }) => return Err(Status::unsupported_media_type()),
        };
        let code = if patched.created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(written(code, form, &patched.object, &options))
    }

    /// The language of a patch.
    fn patch_type(&self) -> Result<BodyType, Status> {
        const CUSTOM: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        let given = negotiate::body_type(&self.parts.headers)?;
        let custom = self.resource.kind.custom.is_some();
        match given {
            BodyType::MergePatch | BodyType::JsonPatch | BodyType::Apply => Ok(given),
            BodyType::StrategicPatch if !custom => Ok(given),
            _ if custom => Err(Status::unsupported_patch(CUSTOM)),
            _ => Err(Status::unsupported_media_type()),
        }
    }

    async fn delete(&self, form: Form, incoming: Incoming) -> Result<Reply, Status> {
        let delete = self.delete_options(incoming).await?;
        let options = self.write_options()?;
        let kind = self.resource.kind;
        let Some(name) = self.resource.name.as_deref() else {
            return self.delete_collection(form, &delete, &options);
        };
        let kept = self.kept();
        let deleted = self.registry.delete(kept, self.namespace(), name, &delete, &options)?;
        match &deleted {
            Deleted::Gone(object) if !kind.returns_deleted => {
                let status = status::deleted(kind, name, crate::meta::uid(object));
                Ok(respond::json(StatusCode::OK, status.to_string()))
            }
            Deleted::Gone(object) | Deleted::Marked(object) => {
                Ok(respond::reply(StatusCode::OK, form.media_type(), form.object(object)))
            }
        }
    }

    fn delete_collection(
        &self,
        form: Form,
        delete: &DeleteOptions,
        options: &WriteOptions,
    ) -> Result<Reply, Status> {
        let kind = self.resource.kind;
        let kept = self.kept();
        let list = self.registry.snapshot(kept, self.namespace(), &self.query.selector(kind)?);
        for item in list.items.iter().map(Stored::object) {
            let namespace = crate::meta::namespace(item);
            let name = crate::meta::name(item);
            match self.registry.delete(kept, namespace, name, delete, options) {
                Err(refused) if refused.code != 404 => return Err(refused),
                _ => {}
            }
        }
        let meta = ListMeta { revision: list.revision, ..Default::default() };
        Ok(respond::reply(StatusCode::OK, form.media_type(), form.list(&list.items, &meta)))
    }

    /// The kind that the objects are kept as.
    fn kept(&self) -> &'static Kind {
        self.resource.kind.kept_as()
    }

    fn is_scale(&self) -> bool {
        self.resource.subresource == Some(Subresource::Scale)
    }

    fn write_scale(
        &self,
        edit: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Reply, Status> {
        let (kind, options) = (self.resource.kind, self.write_options()?);
        let written =
            scale::write(self.registry, kind, self.namespace(), self.name(), &options, edit)?;
        Ok(respond::json(StatusCode::OK, written.to_string()))
    }

    fn patch_scale(&self, body_type: BodyType, patch: Value) -> Result<Reply, Status> {
        // A Scale has no lists: the merge patches are the same for it.
        let edit = match edit(body_type, patch)? {
            Edit::Strategic(patch) => Edit::Merge(patch),
            edit => edit,
        };
        self.write_scale(|scale| edit.apply(self.resource.kind, scale))
    }

    /// The body of a write, whatever it is about.
    async fn document(&self, incoming: Incoming) -> Result<Value, Status> {
        let body_type = self.document_type()?;
        let bytes = body::read(incoming).await?;
        body::value(body_type, &bytes).map_err(Status::bad_request)
    }

    async fn object(&self, incoming: Incoming) -> Result<Value, Status> {
        let body_type = match negotiate::body_type(&self.parts.headers)? {
            BodyType::Protobuf if protobuf::speaks(self.resource.kind) => BodyType::Protobuf,
            _ => self.document_type()?,
        };
        let bytes = body::read(incoming).await?;
        let mut object = body::object(self.resource.kind, body_type, &bytes)?;
        if let Some(alias) = self.resource.kind.alias {
            (alias.inward)(&mut object);
        }
        Ok(object)
    }

    fn document_type(&self) -> Result<BodyType, Status> {
        match negotiate::body_type(&self.parts.headers)? {
            body_type @ (BodyType::Json | BodyType::Yaml) => Ok(body_type),
            _ => Err(Status::unsupported_media_type()),
        }
    }

    /// Options of a delete, from the body and, where they are not there, from the query.
    async fn delete_options(&self, incoming: Incoming) -> Result<DeleteOptions, Status> {
        let bytes = body::read(incoming).await?;
        let given = if bytes.is_empty() {
            Value::Null
        } else {
            match negotiate::body_type(&self.parts.headers)? {
                BodyType::Protobuf if protobuf::speaks(self.resource.kind) => {
                    protobuf::decode_as(&protobuf::DELETE_OPTIONS, &bytes)
                }
                _ => body::value(self.document_type()?, &bytes),
            }
            .map_err(Status::bad_request)?
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let grace = match given["gracePeriodSeconds"].as_i64() {
            Some(grace) => Some(grace),
            None => self.query.number("gracePeriodSeconds")?.and_then(|n| i64::try_from(n).ok()),
        };
        let policy = text(&given["propagationPolicy"])
            .unwrap_or_else(|| self.query.get("propagationPolicy").to_owned());
        let orphan = given["orphanDependents"].as_bool().unwrap_or_default();
        let propagation = match policy.as_str() {
            "Orphan" => Some(Propagation::Orphan),
            "" if orphan => Some(Propagation::Orphan),
            "" => None,
            "Background" => Some(Propagation::Background),
            "Foreground" => Some(Propagation::Foreground),
            other => {
                let allowed = ["Background", "Foreground", "Orphan"];
                let cause = Cause::not_supported("propagationPolicy", other, &allowed);
                return Err(Status::invalid_named("meta.k8s.io", "DeleteOptions", "", vec![cause]));
            }
        };
        let preconditions = Preconditions {
            uid: text(&given["preconditions"]["uid"]),
            resource_version: text(&given["preconditions"]["resourceVersion"]),
        };
        Ok(DeleteOptions { grace, preconditions, propagation })
    }

    fn write_options(&self) -> Result<WriteOptions, Status> {
        let field_validation = match self.query.get("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let allowed = ["Ignore", "Strict", "Warn"];
                return Err(options_invalid(Cause::not_supported(
                    "fieldValidation",
                    other,
                    &allowed,
                )));
            }
        };
        let field_manager = match self.query.get("fieldManager") {
            "" => self.default_manager(),
            manager => Some(manager.to_owned()),
        };
        Ok(WriteOptions {
            field_manager,
            dry_run: self.query.dry_run()?,
            field_validation,
            ..WriteOptions::new(self.user.clone())
        })
    }

    /// The program's name, as User-Agent tells it; an apply must say who it is.
    fn default_manager(&self) -> Option<String> {
        let agent = self.parts.headers.get(http::header::USER_AGENT)?.to_str().ok()?;
        let program = agent.split('/').next().unwrap_or_default();
        let apply = negotiate::body_type(&self.parts.headers) == Ok(BodyType::Apply);
        (!program.is_empty() && !apply).then(|| program.chars().take(128).collect())
    }

    /// How the answer is written.
    fn form(&self, verb: &str) -> Result<Form, Status> {
        let include = match self.query.get("includeObject") {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::Nothing,
            "Object" => Include::Object,
            other => {
                return Err(Status::bad_request(format!("unrecognized includeObject: {other}")));
            }
        };
        // Watches are written as lines, a Scale is no object of the kind.
        let protobuf = verb != "watch" && !self.is_scale() && protobuf::speaks(self.resource.kind);
        let view = negotiate::view(&self.parts.headers, protobuf)?;
        Ok(Form { kind: self.resource.kind, view, include, columns: true })
    }

    fn namespace(&self) -> Option<&str> {
        self.resource.namespace.as_deref()
    }

    fn name(&self) -> &str {
        self.resource.name.as_deref().unwrap_or_default()
    }
}

fn edit(body_type: BodyType, patch: Value) -> Result<Edit, Status> {
    match body_type {
        BodyType::MergePatch => Ok(Edit::Merge(patch)),
        BodyType::StrategicPatch => Ok(Edit::Strategic(patch)),
        BodyType::JsonPatch => Ok(Edit::Json(patch::json::parse(patch)?)),
        _ => Err(Status::unsupported_media_type()),
    }
}

fn options_invalid(cause: Cause) -> Status {
    Status::invalid_named("meta.k8s.io", "PatchOptions", "", vec![cause])
}

fn written(code: StatusCode, form: Form, object: &Value, options: &WriteOptions) -> Reply {
    let mut reply = respond::reply(code, form.media_type(), form.object(object));
    respond::warn(&mut reply, &options.warnings.take());
    reply
}
