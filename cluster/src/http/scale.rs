//! `/scale`: the number of replicas of a workload, the same for all kinds that have one.

use serde_json::{Value, json};

use crate::kinds::{Kind, Subresource};
use crate::meta;
use crate::registry::{Registry, WriteOptions};
use crate::selector;
use crate::status::{Cause, Status};

/// The `autoscaling/v1 Scale` of a workload.
pub(super) fn of(kind: &Kind, workload: &Value) -> Result<Value, Status> {
    let paths = kind.scale.ok_or_else(Status::no_such_resource)?;
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta::get(workload, field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let replicas = |path: &str| workload.pointer(path).and_then(Value::as_i64);
    let wanted = match replicas(paths.wanted) {
        None if kind.custom.is_some() => {
            let path = paths.wanted.replace('/', ".");
            return Err(Status::internal(format!(
                "the spec replicas field {path:?} does not exist"
            )));
        }
        wanted => wanted.unwrap_or_default(),
    };
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": { "replicas": wanted },
        "status": { "replicas": replicas(paths.found).unwrap_or_default() },
    });
    let selector = match workload.pointer(paths.selector) {
        Some(Value::String(text)) => text.clone(),
        Some(selector) if !paths.selector.is_empty() => selector::text(selector),
        _ => String::new(),
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    Ok(scale)
}

/// Writes the number of replicas that `edit` leaves in the Scale.
pub(super) fn write(
    registry: &Registry,
    kind: &'static Kind,
    namespace: Option<&str>,
    name: &str,
    options: &WriteOptions,
    edit: impl FnOnce(&mut Value) -> Result<(), Status>,
) -> Result<Value, Status> {
    let subresource = Some(Subresource::Scale);
    let workload = registry.modify(kind, namespace, name, subresource, options, |workload| {
        let mut scale = of(kind, workload)?;
        edit(&mut scale)?;
        check(name, &scale)?;
        // What the Scale says about identity and version must hold for the workload.
        for field in ["uid", "resourceVersion"] {
            meta::set(workload, field, meta::get(&scale, field).cloned());
        }
        if let Some(paths) = kind.scale {
            meta::put_at(workload, paths.wanted, Some(scale["spec"]["replicas"].clone()));
        }
        Ok(())
    })?;
    of(kind, &workload)
}

fn check(name: &str, scale: &Value) -> Result<(), Status> {
    let text = |field: &str| scale[field].as_str().unwrap_or_default();
    if !matches!((text("apiVersion"), text("kind")), ("autoscaling/v1" | "", "Scale" | "")) {
        return Err(Status::bad_request(format!(
            "the object provided is {}, {}, and must be autoscaling/v1, Scale",
            text("apiVersion"),
            text("kind")
        )));
    }
    let given = meta::name(scale);
    if !given.is_empty() && given != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let replicas = &scale["spec"]["replicas"];
    let cause = match replicas.as_i64() {
        Some(0..=0x7fff_ffff) => return Ok(()),
        // Go reads a number that is missing as 0; it is written so that it is not taken for absent.
        None if replicas.is_null() => Cause::required("spec.replicas", ""),
        None => {
            return Err(Status::bad_request(
                "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal into Go \
                 struct field ScaleSpec.spec.replicas of type int32",
            ));
        }
        Some(_) => Cause::invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
    };
    Err(Status::invalid_named("autoscaling", "Scale", name, vec![cause]))
}
