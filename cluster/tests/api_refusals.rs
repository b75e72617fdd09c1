//! Kinds that are stored and validated only: a good object of each is taken, and a bad one is refused
//! with the reason and the field that Kubernetes names.

mod client;

use client::Api;
use serde_json::{Value, json};

const ROOT: &str = "/apis";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const NETWORKING: &str = "networking.k8s.io/v1";

const INVALID: &str = "FieldValueInvalid";
const REQUIRED: &str = "FieldValueRequired";
const NOT_SUPPORTED: &str = "FieldValueNotSupported";
const FORBIDDEN: &str = "FieldValueForbidden";

/// What makes a good object a bad one, as a merge patch, and the causes of the refusal.
type Bad<'a> = (Value, &'a [(&'a str, &'a str)]);

/// Creates the object and, with each change, is refused.
async fn check(
    api: &Api,
    namespaced: bool,
    version: &str,
    plural: &str,
    good: Value,
    bad: &[Bad<'_>],
) {
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("{ROOT}/{version}") };
    let path = match namespaced {
        true => format!("{root}/namespaces/app/{plural}"),
        false => format!("{root}/{plural}"),
    };
    for (change, expected) in bad {
        let mut object = good.clone();
        json_patch::merge(&mut object, change);
        let answer = api.post(&path, &object.to_string()).await;
        assert_eq!(answer.code, 422, "{plural}: {change}: {}", answer.text);
        let status = answer.json();
        assert_eq!(status["reason"], "Invalid");
        assert_eq!(status["details"]["kind"], good["kind"]);
        assert_eq!(status["details"]["name"], object["metadata"]["name"]);
        let causes = status["details"]["causes"].as_array().expect("causes").iter();
        let text =
            |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
        let causes: Vec<_> =
            causes.map(|cause| (text(cause, "reason"), text(cause, "field"))).collect();
        let causes: Vec<_> = causes.iter().map(|(r, f)| (r.as_str(), f.as_str())).collect();
        assert_eq!(causes, *expected, "{plural}: {change}: {}", status["message"]);
    }
    let answer = api.post(&path, &good.to_string()).await;
    assert_eq!(answer.code, 201, "{plural}: {}", answer.text);
}

#[tokio::test]
async fn roles_and_bindings() {
    let api = Api::with_namespace("app").await;
    let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
    let empty: Bad<'_> = (
        json!({"rules": [{}]}),
        &[
            (REQUIRED, "rules[0].verbs"),
            (REQUIRED, "rules[0].apiGroups"),
            (REQUIRED, "rules[0].resources"),
        ],
    );
    let role = |kind: &str| json!({"apiVersion": RBAC, "kind": kind, "metadata": {"name": "r"}, "rules": [rule]});
    let urls = json!({"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]});
    let bad: [Bad<'_>; 2] =
        [empty.clone(), (urls.clone(), &[(INVALID, "rules[0].nonResourceURLs")])];
    check(&api, true, RBAC, "roles", role("Role"), &bad).await;
    let aggregated: Bad<'_> =
        (json!({"aggregationRule": {}}), &[(REQUIRED, "aggregationRule.clusterRoleSelectors")]);
    let mut good = role("ClusterRole");
    check(&api, false, RBAC, "clusterroles", good.clone(), &[empty, aggregated]).await;
    json_patch::merge(&mut good, &urls);
    good["metadata"]["name"] = "urls".into();
    check(&api, false, RBAC, "clusterroles", good, &[]).await;

    let binding = |kind: &str, role: &str| {
        json!({
            "apiVersion": RBAC, "kind": kind, "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "app"}],
        })
    };
    let common: [Bad<'_>; 4] = [
        (json!({"roleRef": {"kind": "Rolle"}}), &[(NOT_SUPPORTED, "roleRef.kind")]),
        (json!({"roleRef": {"name": ""}}), &[(REQUIRED, "roleRef.name")]),
        (json!({"roleRef": {"apiGroup": "other"}}), &[(NOT_SUPPORTED, "roleRef.apiGroup")]),
        (
            json!({"subjects": [{"kind": "Robot", "name": "r2", "apiGroup": "rbac.authorization.k8s.io"}]}),
            &[(NOT_SUPPORTED, "subjects[0].kind")],
        ),
    ];
    check(&api, true, RBAC, "rolebindings", binding("RoleBinding", "Role"), &common).await;
    let mut bad = common.to_vec();
    bad.push((json!({"roleRef": {"kind": "Role"}}), &[(NOT_SUPPORTED, "roleRef.kind")]));
    bad.push((
        json!({"subjects": [{"kind": "ServiceAccount", "name": "default"}]}),
        &[(REQUIRED, "subjects[0].namespace")],
    ));
    let good = binding("ClusterRoleBinding", "ClusterRole");
    check(&api, false, RBAC, "clusterrolebindings", good, &bad).await;

    let path = format!("{ROOT}/{RBAC}/clusterrolebindings/b");
    let refused = api.merge(&path, r#"{"roleRef": {"name": "other"}}"#).await;
    let cause = &refused.json()["details"]["causes"][0];
    assert_eq!((refused.code, &cause["field"]), (422, &json!("roleRef")), "{cause}");
}

#[tokio::test]
async fn budgets_scalers_and_quotas() {
    let api = Api::with_namespace("app").await;
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}},
    });
    let bad: [Bad<'_>; 5] = [
        (json!({"spec": {"maxUnavailable": 1}}), &[(INVALID, "spec")]),
        (json!({"spec": {"minAvailable": -1}}), &[(INVALID, "spec.minAvailable")]),
        (json!({"spec": {"minAvailable": "101%"}}), &[(INVALID, "spec.minAvailable")]),
        (json!({"spec": {"minAvailable": "half"}}), &[(INVALID, "spec.minAvailable")]),
        (
            json!({"spec": {"unhealthyPodEvictionPolicy": "Never"}}),
            &[(NOT_SUPPORTED, "spec.unhealthyPodEvictionPolicy")],
        ),
    ];
    check(&api, true, "policy/v1", "poddisruptionbudgets", budget, &bad).await;

    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "s"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 5,
        },
    });
    let bad: [Bad<'_>; 4] = [
        (json!({"spec": {"maxReplicas": 0}}), &[(INVALID, "spec.maxReplicas")]),
        (json!({"spec": {"maxReplicas": 1}}), &[(INVALID, "spec.maxReplicas")]),
        (json!({"spec": {"minReplicas": -1}}), &[(INVALID, "spec.minReplicas")]),
        (
            json!({"spec": {"scaleTargetRef": {"kind": "", "name": ""}}}),
            &[(REQUIRED, "spec.scaleTargetRef.kind"), (REQUIRED, "spec.scaleTargetRef.name")],
        ),
    ];
    check(&api, true, "autoscaling/v2", "horizontalpodautoscalers", scaler, &bad).await;

    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {"hard": {"pods": "10", "requests.cpu": "4", "count/ingresses.networking.k8s.io": "5"}},
    });
    let bad: [Bad<'_>; 2] = [
        (json!({"spec": {"hard": {"bananas": "1"}}}), &[(INVALID, "spec.hard[bananas]")]),
        (json!({"spec": {"hard": {"pods": "-1"}}}), &[(INVALID, "spec.hard[pods]")]),
    ];
    check(&api, true, "v1", "resourcequotas", quota, &bad).await;
}

#[tokio::test]
async fn ingresses_policies_and_accounts() {
    let api = Api::with_namespace("app").await;
    let class = json!({
        "apiVersion": NETWORKING, "kind": "IngressClass", "metadata": {"name": "edge"},
        "spec": {
            "controller": "example.org/edge",
            "parameters": {"kind": "Settings", "name": "s", "scope": "Cluster"},
        },
    });
    let bad: [Bad<'_>; 4] = [
        (json!({"spec": {"controller": ""}}), &[(REQUIRED, "spec.controller")]),
        (json!({"spec": {"controller": "edge"}}), &[(INVALID, "spec.controller")]),
        (json!({"spec": {"parameters": {"name": ""}}}), &[(REQUIRED, "spec.parameters.name")]),
        (
            json!({"spec": {"parameters": {"scope": "Zone"}}}),
            &[(NOT_SUPPORTED, "spec.parameters.scope")],
        ),
    ];
    check(&api, false, NETWORKING, "ingressclasses", class, &bad).await;

    let rule = |host: &str, path: &str, kind: &str, port: Value| {
        let backend = json!({"service": {"name": "web", "port": port}});
        let path = json!({"path": path, "pathType": kind, "backend": backend});
        json!({"spec": {"rules": [{"host": host, "http": {"paths": [path]}}]}})
    };
    let mut ingress =
        json!({"apiVersion": NETWORKING, "kind": "Ingress", "metadata": {"name": "i"}});
    json_patch::merge(&mut ingress, &rule("a.example", "/", "Prefix", json!({"number": 80})));
    let path = "spec.rules[0].http.paths[0]";
    let bad: [Bad<'_>; 6] = [
        (
            rule("A.example", "/", "Prefix", json!({"number": 80})),
            &[(INVALID, "spec.rules[0].host")],
        ),
        (
            rule("10.0.0.1", "/", "Prefix", json!({"number": 80})),
            &[(INVALID, "spec.rules[0].host")],
        ),
        (rule("", "x", "Exact", json!({"number": 80})), &[(INVALID, &format!("{path}.path"))]),
        (
            rule("", "/", "Glob", json!({"number": 80})),
            &[(NOT_SUPPORTED, &format!("{path}.pathType"))],
        ),
        (
            rule("", "/", "Prefix", json!({"number": 65536})),
            &[(INVALID, &format!("{path}.backend.service.port.number"))],
        ),
        (json!({"spec": {"rules": null}}), &[(INVALID, "spec")]),
    ];
    check(&api, true, NETWORKING, "ingresses", ingress, &bad).await;

    let policy = json!({
        "apiVersion": NETWORKING, "kind": "NetworkPolicy", "metadata": {"name": "p"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"podSelector": {}}],
                "ports": [{"port": 80, "endPort": 90}, {"port": "http", "protocol": "UDP"}],
            }],
        },
    });
    let ports = |port: Value| json!({"spec": {"ingress": [{"ports": [port]}]}});
    let from = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
    let port = "spec.ingress[0].ports[0]";
    let bad: [Bad<'_>; 7] = [
        (ports(json!({"port": 0})), &[(INVALID, &format!("{port}.port"))]),
        (ports(json!({"port": 9, "endPort": 8})), &[(INVALID, &format!("{port}.endPort"))]),
        (
            ports(json!({"port": 9, "protocol": "ICMP"})),
            &[(NOT_SUPPORTED, &format!("{port}.protocol"))],
        ),
        (from(json!({})), &[(REQUIRED, "spec.ingress[0].from[0]")]),
        (
            from(json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}})),
            &[(FORBIDDEN, "spec.ingress[0].from[0]")],
        ),
        (
            from(json!({"ipBlock": {"cidr": "10.0.0.0/33"}})),
            &[(INVALID, "spec.ingress[0].from[0].ipBlock.cidr")],
        ),
        (json!({"spec": {"policyTypes": ["Sideways"]}}), &[(NOT_SUPPORTED, "spec.policyTypes[0]")]),
    ];
    check(&api, true, NETWORKING, "networkpolicies", policy, &bad).await;

    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    let bad: [Bad<'_>; 1] =
        [(json!({"metadata": {"name": "Robot_1"}}), &[(INVALID, "metadata.name")])];
    check(&api, true, "v1", "serviceaccounts", account, &bad).await;
}
