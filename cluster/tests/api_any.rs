//! Whatever is sent, the API answers, and what it stores stays well-formed.

use fairlead_cluster::kinds::{self, KINDS, Kind};
use fairlead_cluster::{Edit, Patch, Registry, Selector, Subresource, WriteOptions, patch};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Names that mean something somewhere, so that random objects reach deep.
const NAMES: [&str; 40] = [
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "managedFields",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generateName",
    "spec",
    "status",
    "template",
    "containers",
    "env",
    "ports",
    "port",
    "protocol",
    "selector",
    "matchLabels",
    "matchExpressions",
    "rules",
    "http",
    "paths",
    "backend",
    "endpoints",
    "addresses",
    "conditions",
    "type",
    "data",
    "stringData",
    "strategy",
    "rollingUpdate",
    "replicas",
    "volumes",
    "$patch",
    "$retainKeys",
    "$setElementOrder/ports",
    "$deleteFromPrimitiveList/finalizers",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![Just("a"), Just(""), Just("TCP"), Just("delete"), Just("replace"), Just("25%")]
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let name = prop_oneof![8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,5}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_kind() -> impl Strategy<Value = &'static Kind> {
    prop::sample::select(KINDS).prop_filter("kept", |kind| is_kept(kind))
}

/// Not a second name, and not answered and forgotten.
fn is_kept(kind: &'static Kind) -> bool {
    kind.stored && std::ptr::eq(kind, kind.kept_as())
}

/// A registry with one object of every kind that needs no more than a name.
fn registry() -> (Registry, WriteOptions) {
    let (registry, options) = (Registry::new(), WriteOptions::by("tester"));
    registry
        .create(&kinds::NAMESPACE, None, json!({"metadata": {"name": "a"}}), &options)
        .expect("created");
    for kind in KINDS.iter().filter(|kind| is_kept(kind)) {
        let _ = registry.create(kind, Some("a"), json!({"metadata": {"name": "a"}}), &options);
    }
    let pod =
        json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    registry.create(&kinds::POD, Some("a"), pod, &options).expect("created");
    let service = json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}});
    registry.create(&kinds::SERVICE, Some("a"), service, &options).expect("created");
    (registry, options)
}

/// Every stored object says what it is and where it is.
fn check(registry: &Registry) {
    for kind in KINDS {
        for object in registry.list(kind, None, &Selector::everything()).items {
            let text =
                |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(
                (text("/kind"), text("/apiVersion")),
                (kind.kind, kind.api_version().as_str())
            );
            let found =
                registry.get(kind, Some(text("/metadata/namespace")), text("/metadata/name"));
            assert_eq!(found.as_ref(), Ok(&object), "found under its own name");
            assert!(
                !text("/metadata/uid").is_empty() && !text("/metadata/resourceVersion").is_empty()
            );
        }
    }
}

/// A schema, mostly structural.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "pattern": "^[\\w]*$", "default": "a"})),
        Just(json!({"type": "string", "nullable": true, "enum": ["a", "TCP"]})),
        Just(json!({"type": "integer", "minimum": 0, "multipleOf": 5})),
        Just(json!({"x-kubernetes-int-or-string": true})),
        Just(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
        Just(json!({"type": "object", "x-kubernetes-embedded-resource": true})),
        any_json(),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
        prop_oneof![
            (prop::collection::btree_map(name, inner.clone(), 0..4), any::<bool>()).prop_map(
                |(properties, preserve)| json!({
                    "type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": preserve,
                })
            ),
            inner.clone().prop_map(|items| json!({"type": "array", "items": items, "maxItems": 3})),
            inner.clone().prop_map(|values| json!({"type": "object", "additionalProperties": values})),
            inner.prop_map(|item| json!({
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "data": item}},
            })),
        ]
    })
}

proptest! {
    #[test]
    fn any_definition_is_served_or_refused(schema in any_schema(), spec in any_json(), change in any_json()) {
        let (registry, options) = registry();
        let definition = json!({
            "metadata": {"name": "foos.ex.io"},
            "spec": {
                "group": "ex.io", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}},
                }],
            },
        });
        let _ = registry.create(&kinds::CUSTOM_RESOURCE_DEFINITION, None, definition, &options);
        let Some(kind) = registry.served().of("ex.io/v1", "Foo") else { return Ok(()) };
        let object = json!({"metadata": {"name": "a"}, "spec": spec});
        if let Ok(created) = registry.create(kind, Some("a"), object, &options) {
            let again = Value::clone(&created);
            let same = registry.update(kind, Some("a"), "a", None, again, &options);
            prop_assert_eq!(same, Ok(created), "what is stored is as it is to be");
        }
        let config = json!({"metadata": {"name": "a"}, "spec": change});
        for _ in 0..2 {
            let config = Patch::Apply { config: config.clone(), force: true };
            let _ = registry.patch(kind, Some("a"), "a", None, config, &options);
        }
        check(&registry);
    }

    #[test]
    fn any_object_can_be_created_or_is_refused(kind in any_kind(), mut object in any_json(), named in any::<bool>()) {
        let (registry, options) = registry();
        if named && object.is_object() {
            object["metadata"] = json!({"name": "b"});
        }
        if let Err(refused) = registry.create(kind, Some("a"), object, &options) {
            prop_assert!((400..500).contains(&refused.code), "{refused:?}");
        }
        check(&registry);
    }

    #[test]
    fn any_change_is_carried_out_or_refused(kind in any_kind(), change in any_json(), how in 0..5, status in any::<bool>()) {
        let (registry, options) = registry();
        let subresource = (status && kind.status).then_some(Subresource::Status);
        let name = "a";
        let result = match how {
            0 => registry.update(kind, Some("a"), name, subresource, change, &options).map(drop),
            1 => registry.patch(kind, Some("a"), name, subresource, Patch::Edit(Edit::Merge(change)), &options).map(drop),
            2 => registry.patch(kind, Some("a"), name, subresource, Patch::Edit(Edit::Strategic(change)), &options).map(drop),
            3 => {
                let config = Patch::Apply { config: change, force: true };
                let first = registry.patch(kind, Some("a"), name, subresource, config, &options).map(drop);
                // Gives up what it has just applied.
                let config = Patch::Apply { config: json!({"metadata": {"name": name}}), force: false };
                first.and_then(|()| registry.patch(kind, Some("a"), name, subresource, config, &options).map(drop))
            }
            _ => patch::json::parse(json!([{"op": "add", "path": "/spec", "value": change}])).and_then(|operations| {
                registry.patch(kind, Some("a"), name, subresource, Patch::Edit(Edit::Json(operations)), &options).map(drop)
            }),
        };
        if let Err(refused) = result {
            prop_assert!((400..500).contains(&refused.code), "{refused:?}");
        }
        check(&registry);
    }

    #[test]
    fn applying_the_same_again_changes_nothing(kind in any_kind(), config in any_json()) {
        let (registry, options) = registry();
        let apply = || registry.patch(kind, Some("a"), "b", None, Patch::Apply { config: config.clone(), force: true }, &options);
        if let Ok(first) = apply() {
            let again = apply().expect("applied before");
            prop_assert_eq!(first.object, again.object);
        }
    }

    #[test]
    fn any_selector_selects_or_is_refused(kind in any_kind(), labels in ".{0,20}", fields in ".{0,20}") {
        if let Ok(selector) = Selector::parse(kind, &labels, &fields) {
            let (registry, _) = registry();
            registry.list(kind, None, &selector);
        }
    }
}
