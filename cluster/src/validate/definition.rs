//! CustomResourceDefinition: names, versions, and that every schema is structural.

use serde_json::{Map, Value};

use super::{Causes, elements, names};
use crate::custom::names::is_true;
use crate::custom::{JsonPath, Structural, check, fill, pattern, prune};
use crate::meta;
use crate::status::Cause;

pub(crate) fn definition(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    group(object, causes);
    causes.one_of("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]);
    let plural = spec["names"]["plural"].as_str().unwrap_or_default();
    let full = format!("{plural}.{}", spec["group"].as_str().unwrap_or_default());
    if meta::name(object) != full {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.add(Cause::invalid("metadata.name", &meta::name(object).into(), why));
    }
    all_names(&spec["names"], causes);
    versions(&spec["versions"], causes);
    if spec["conversion"]["strategy"] != "None" {
        // Not in the contract: it would call a server.
        let given = spec["conversion"]["strategy"].as_str().unwrap_or_default();
        causes.add(Cause::not_supported("spec.conversion.strategy", given, &["None"]));
    }
    if let Some(old) = old {
        if is_true(&old["status"], "Established") {
            causes.immutable("spec.scope", object, Some(old));
            causes.immutable("spec.names.kind", object, Some(old));
        }
        causes.immutable("spec.group", object, Some(old));
        causes.immutable("spec.names.plural", object, Some(old));
        stored(object, causes);
    }
}

fn group(object: &Value, causes: &mut Causes) {
    let group = object["spec"]["group"].as_str().unwrap_or_default();
    if !causes.required("spec.group", &object["spec"]["group"]) {
        return;
    }
    causes.check("spec.group", group, names::subdomain);
    if !group.contains('.') {
        let why = "should be a domain with at least one dot";
        causes.add(Cause::invalid("spec.group", &group.into(), why));
    }
    let protected = ["k8s.io", "kubernetes.io"].into_iter().any(|domain| {
        group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    const APPROVED: &str = "api-approved.kubernetes.io";
    if protected && meta::annotation(object, APPROVED).is_none() {
        causes.add(Cause::required(
            format!("metadata.annotations[{APPROVED}]"),
            &format!(
                "protected groups must have approval annotation {APPROVED:?}, see https://github.com/kubernetes/enhancements/pull/1111"
            ),
        ));
    }
}

fn all_names(given: &Value, causes: &mut Causes) {
    const MIXED: &str = "may have mixed case, but should otherwise match: ";
    for field in ["plural", "singular", "kind", "listKind"] {
        let path = format!("spec.names.{field}");
        if !causes.required(&path, &given[field]) {
            continue;
        }
        let name = given[field].as_str().unwrap_or_default();
        if field.to_lowercase().ends_with("kind") {
            for problem in names::label_1035(&name.to_lowercase()) {
                causes.add(Cause::invalid(&path, &name.into(), &format!("{MIXED}{problem}")));
            }
        } else {
            causes.check(&path, name, names::label_1035);
        }
    }
    for field in ["shortNames", "categories"] {
        for (path, name) in elements(&format!("spec.names.{field}"), &given[field]) {
            causes.check(&path, name.as_str().unwrap_or_default(), names::label_1035);
        }
    }
    if !given["kind"].is_null() && given["kind"] == given["listKind"] {
        let why = "kind and listKind may not be the same";
        causes.add(Cause::invalid("spec.names.listKind", &given["listKind"], why));
    }
}

fn versions(versions: &Value, causes: &mut Causes) {
    let mut seen = Vec::new();
    let mut storage = 0;
    for (path, version) in elements("spec.versions", versions) {
        let name = version["name"].as_str().unwrap_or_default();
        causes.check(&format!("{path}.name"), name, names::label_1035);
        if seen.contains(&name) {
            let why = "must contain unique version names";
            causes.add(Cause::invalid("spec.versions", &name.into(), why));
        }
        seen.push(name);
        storage += usize::from(version["storage"] == true);
        let schema = &version["schema"]["openAPIV3Schema"];
        let schema_path = format!("{path}.schema.openAPIV3Schema");
        if schema.is_object() {
            root(schema, &schema_path, causes);
        } else {
            causes.add(Cause::required(schema_path, "schemas are required"));
        }
        columns(&version["additionalPrinterColumns"], &path, causes);
        scale(&version["subresources"]["scale"], &path, causes);
    }
    if storage != 1 {
        let why = "must have exactly one version marked as storage version";
        let shown: Value = seen.into();
        causes.add(Cause::invalid("spec.versions", &shown, why));
    }
}

fn columns(columns: &Value, version: &str, causes: &mut Causes) {
    let list = format!("{version}.additionalPrinterColumns");
    for (path, column) in elements(&list, columns) {
        causes.required(&format!("{path}.name"), &column["name"]);
        let types = ["boolean", "date", "integer", "number", "string"];
        causes.one_of(&format!("{path}.type"), &column["type"], &types);
        let field = format!("{path}.jsonPath");
        if causes.required(&field, &column["jsonPath"])
            && let Err(why) = JsonPath::parse(column["jsonPath"].as_str().unwrap_or_default())
        {
            causes.add(Cause::invalid(field, &column["jsonPath"], &why));
        }
    }
}

fn scale(scale: &Value, version: &str, causes: &mut Causes) {
    if scale.is_null() {
        return;
    }
    for (field, roots) in [
        ("specReplicasPath", &[".spec."][..]),
        ("statusReplicasPath", &[".status."]),
        ("labelSelectorPath", &[".spec.", ".status."]),
    ] {
        let path = format!("{version}.subresources.scale.{field}");
        let given = scale[field].as_str().unwrap_or_default();
        let needed = field != "labelSelectorPath" || !given.is_empty();
        if !needed || !causes.required(&path, &scale[field]) {
            continue;
        }
        let simple = !given.contains(['[', ']', '\'', '"', '*', '\\']) && !given.contains("..");
        if !simple || !roots.iter().any(|root| given.starts_with(root)) {
            let why = match roots {
                [root] => format!("should be a json path under {}", root.trim_end_matches('.')),
                _ => "should be a json path under either .spec or .status".to_owned(),
            };
            causes.add(Cause::invalid(path, &given.into(), &why));
        }
    }
}

/// A version that objects may be kept as cannot be taken away.
fn stored(object: &Value, causes: &mut Causes) {
    let versions = object["spec"]["versions"].as_array().into_iter().flatten();
    let known: Vec<&Value> = versions.map(|version| &version["name"]).collect();
    for (path, version) in elements("status.storedVersions", &object["status"]["storedVersions"]) {
        if !known.contains(&version) {
            let why = "missing from spec.versions; v1 was previously a storage version, and must remain in \
                       spec.versions until a storage migration ensures no data remains persisted in v1 and \
                       removes v1 from status.storedVersions";
            let why = why.replace("v1", version.as_str().unwrap_or_default());
            causes.add(Cause::invalid(path, version, &why));
        }
    }
}

/// Where a schema stands below another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Field,
    Item,
    /// In `allOf`, `anyOf`, `oneOf` or `not`: rules about values only.
    Rule,
}

fn root(schema: &Value, path: &str, causes: &mut Causes) {
    let before = causes.0.len();
    structural(schema, path, Place::Root, causes);
    for (field, _) in
        schema["properties"]["metadata"]["properties"].as_object().into_iter().flatten()
    {
        if !matches!(field.as_str(), "name" | "generateName") {
            causes.add(Cause::forbidden(
                format!("{path}.properties[metadata]"),
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            ));
        }
    }
    // Only now it can be relied on.
    if causes.0.len() == before {
        defaults(schema, path, causes);
    }
}

fn structural(schema: &Value, path: &str, place: Place, causes: &mut Causes) {
    let Some(fields) = schema.as_object() else { return };
    of_type(fields, path, place, causes);
    refused(fields, path, place, causes);
    lists(schema, path, causes);
    if let Some(given) = schema["pattern"].as_str()
        && let Err(why) = pattern::compile(given)
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        causes.add(Cause::invalid(format!("{path}.pattern"), &given.into(), &why));
    }
    let below = if place == Place::Rule { Place::Rule } else { Place::Field };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        structural(property, &format!("{path}.properties[{name}]"), below, causes);
    }
    structural(
        &schema["additionalProperties"],
        &format!("{path}.additionalProperties"),
        below,
        causes,
    );
    let below = if place == Place::Rule { Place::Rule } else { Place::Item };
    structural(&schema["items"], &format!("{path}.items"), below, causes);
    for field in ["allOf", "anyOf", "oneOf"] {
        if is_int_or_string(schema, field) {
            continue;
        }
        for (path, rule) in elements(&format!("{path}.{field}"), &schema[field]) {
            structural(rule, &path, Place::Rule, causes);
        }
    }
    structural(&schema["not"], &format!("{path}.not"), Place::Rule, causes);
}

/// The one place where rules may name types: generators write it beside the extension.
fn is_int_or_string(schema: &Value, field: &str) -> bool {
    schema["x-kubernetes-int-or-string"] == true
        && field == "anyOf"
        && schema[field] == serde_json::json!([{ "type": "integer" }, { "type": "string" }])
}

fn of_type(fields: &Map<String, Value>, path: &str, place: Place, causes: &mut Causes) {
    const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
    let flag = |name: &str| fields.get(name) == Some(&Value::Bool(true));
    let path = format!("{path}.type");
    let ty = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    let free = flag("x-kubernetes-int-or-string") || flag("x-kubernetes-preserve-unknown-fields");
    match (place, ty) {
        (Place::Rule, "") => {}
        (Place::Rule, _) => causes.add(Cause::forbidden(path, "must be empty to be structural")),
        (_, given) if flag("x-kubernetes-int-or-string") && !given.is_empty() => {
            let why = "must be empty if x-kubernetes-int-or-string is true";
            causes.add(Cause::invalid(path, &given.into(), why));
        }
        (Place::Root, "") => causes.add(Cause::required(path, "must not be empty at the root")),
        (Place::Root, "object") => {}
        (Place::Root, given) => {
            causes.add(Cause::invalid(path, &given.into(), "must be object at the root"));
        }
        (_, "") if free => {}
        (Place::Field, "") => {
            causes.add(Cause::required(path, "must not be empty for specified object fields"));
        }
        (Place::Item, "") => {
            causes.add(Cause::required(path, "must not be empty for specified array items"));
        }
        (_, given) if TYPES.contains(&given) => {}
        (_, given) => causes.add(Cause::not_supported(path, given, &TYPES)),
    }
}

/// What a structural schema may not say.
fn refused(fields: &Map<String, Value>, path: &str, place: Place, causes: &mut Causes) {
    const NEVER: [&str; 8] = [
        "$ref",
        "definitions",
        "dependencies",
        "patternProperties",
        "additionalItems",
        "id",
        "$schema",
        "uniqueItems",
    ];
    const NOT_IN_RULES: [&str; 8] = [
        "default",
        "additionalProperties",
        "nullable",
        "title",
        "description",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-list-type",
    ];
    let set = |name: &&str| {
        fields.get(*name).is_some_and(|value| !value.is_null() && *value != Value::Bool(false))
    };
    for name in NEVER.iter().filter(|name| set(name)) {
        causes.add(Cause::forbidden(format!("{path}.{name}"), &format!("{name} is not supported")));
    }
    for name in NOT_IN_RULES.iter().filter(|name| place == Place::Rule && set(name)) {
        causes
            .add(Cause::forbidden(format!("{path}.{name}"), "must be undefined to be structural"));
    }
    let properties = fields.get("properties").and_then(Value::as_object);
    let any = properties.is_some_and(|properties| !properties.is_empty());
    let additional = fields.get("additionalProperties");
    if any && additional.is_some_and(|additional| *additional != Value::Bool(true)) {
        let why = "additionalProperties and properties are mutual exclusive";
        causes.add(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
}

fn lists(schema: &Value, path: &str, causes: &mut Causes) {
    if schema["type"] == "array" && !schema["items"].is_object() {
        causes.add(Cause::required(format!("{path}.items"), "must be specified"));
    }
    let ty = &schema["x-kubernetes-list-type"];
    causes.one_of_or_none(&format!("{path}.x-kubernetes-list-type"), ty, &["atomic", "map", "set"]);
    let keys = &schema["x-kubernetes-list-map-keys"];
    if *ty != "map" {
        return;
    }
    if keys.as_array().is_none_or(Vec::is_empty) {
        let why = "must not be empty if x-kubernetes-list-type is map";
        causes.add(Cause::required(format!("{path}.x-kubernetes-list-map-keys"), why));
    }
    for (path, key) in elements(&format!("{path}.x-kubernetes-list-map-keys"), keys) {
        let name = key.as_str().unwrap_or_default();
        if schema["items"]["properties"][name].is_null() {
            let why = "entries must all be names of item properties";
            causes.add(Cause::invalid(path, key, why));
        }
    }
}

/// Defaults must be what they would be once they were filled in.
fn defaults(schema: &Value, path: &str, causes: &mut Causes) {
    if !schema.is_object() {
        return;
    }
    if let Some(default) = schema.get("default") {
        let (path, of) = (format!("{path}.default"), Structural::of(schema));
        let mut filled = default.clone();
        let unknown = if filled.is_object() { prune(&of, &mut filled) } else { Vec::new() };
        if !unknown.is_empty() {
            let why = format!("must not have unknown fields: {}", unknown.join(", "));
            causes.add(Cause::invalid(&path, default, &why));
        }
        fill(&of, &mut filled);
        for mut cause in check(&of, &filled, None) {
            cause.field = match cause.field.as_str() {
                "" => path.clone(),
                field => format!("{path}.{field}"),
            };
            causes.add(cause);
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        defaults(property, &format!("{path}.properties[{name}]"), causes);
    }
    for field in ["additionalProperties", "items"] {
        defaults(&schema[field], &format!("{path}.{field}"), causes);
    }
}
