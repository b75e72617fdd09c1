//! The rows.

use super::events::EVENTS_V1;
use super::{Generation, Kind, NameRule, ScalePaths};
use crate::{defaults, tables, validate};

/// What most rows share; a row states only what differs.
pub(crate) const PLAIN: Kind = Kind {
    about: "",
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    stored: true,
    status: false,
    scale: None,
    generation: None,
    name_rule: NameRule::Subdomain,
    selectable: &[],
    returns_deleted: false,
    definition: "",
    alias: None,
    custom: None,
    table: &tables::PLAIN,
    defaults: defaults::nothing,
    initialize: defaults::nothing,
    allocate: defaults::no_allocation,
    validate: validate::anything,
    terminate: None,
};

const WORKLOAD: ScalePaths =
    ScalePaths { wanted: "/spec/replicas", found: "/status/replicas", selector: "/spec/selector" };

macro_rules! kinds {
    ($($(#[doc = $about:literal])* $name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        $(
            $(#[doc = $about])*
            pub static $name: Kind = Kind { about: concat!($($about),*), $($field: $value,)* ..PLAIN };
        )*
        /// Every kind that is served, ordered by group and plural name.
        pub static KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    /// Stored and validated only.
    CONFIG_MAP {
        kind: "ConfigMap", plural: "configmaps", singular: "configmap", short_names: &["cm"],
        definition: "io.k8s.api.core.v1.ConfigMap",
        table: &tables::CONFIG_MAP,
        validate: validate::config_map,
    }
    /// What happened to an object; the newest 1,000 are kept.
    EVENT {
        kind: "Event", plural: "events", singular: "event", short_names: &["ev"],
        selectable: &[
            "involvedObject.apiVersion", "involvedObject.fieldPath", "involvedObject.kind",
            "involvedObject.name", "involvedObject.namespace", "involvedObject.resourceVersion",
            "involvedObject.uid", "reason", "reportingComponent", "source", "type",
        ],
        definition: "io.k8s.api.core.v1.Event",
        table: &tables::EVENT,
        defaults: defaults::event,
    }
    /// Deleting one deletes what is in it first.
    NAMESPACE {
        kind: "Namespace", plural: "namespaces", singular: "namespace", short_names: &["ns"],
        namespaced: false, status: true, name_rule: NameRule::Label,
        selectable: &["name", "status.phase"],
        definition: "io.k8s.api.core.v1.Namespace",
        table: &tables::NAMESPACE,
        defaults: defaults::namespace, initialize: defaults::new_namespace,
        allocate: defaults::namespace_finalizers, terminate: Some(defaults::emptying_namespace),
    }
    /// Its containers are run as local processes.
    POD {
        kind: "Pod", plural: "pods", singular: "pod", short_names: &["po"], categories: &["all"],
        status: true, generation: Some(Generation::PodSpec), returns_deleted: true,
        selectable: &[
            "spec.host", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName",
            "spec.serviceAccountName", "status.nominatedNodeName", "status.phase", "status.podIP",
        ],
        definition: "io.k8s.api.core.v1.Pod",
        table: &tables::POD,
        defaults: defaults::pod, initialize: defaults::new_pod, validate: validate::pod,
    }
    /// Stored and validated only.
    RESOURCE_QUOTA {
        kind: "ResourceQuota", plural: "resourcequotas", singular: "resourcequota",
        short_names: &["quota"], status: true, returns_deleted: true,
        definition: "io.k8s.api.core.v1.ResourceQuota",
        table: &tables::RESOURCE_QUOTA,
        initialize: defaults::new_with_status, validate: validate::resource_quota,
    }
    /// Stored and validated only.
    SECRET {
        kind: "Secret", plural: "secrets", singular: "secret",
        selectable: &["type"],
        definition: "io.k8s.api.core.v1.Secret",
        table: &tables::SECRET,
        defaults: defaults::secret, validate: validate::secret,
    }
    /// Stored and validated only.
    SERVICE_ACCOUNT {
        kind: "ServiceAccount", plural: "serviceaccounts", singular: "serviceaccount",
        short_names: &["sa"], returns_deleted: true,
        definition: "io.k8s.api.core.v1.ServiceAccount",
        table: &tables::SERVICE_ACCOUNT,
    }
    /// Gets EndpointSlices of the pods that its selector selects.
    SERVICE {
        kind: "Service", plural: "services", singular: "service", short_names: &["svc"],
        categories: &["all"], status: true, name_rule: NameRule::Label1035, returns_deleted: true,
        selectable: &["spec.clusterIP", "spec.type"],
        definition: "io.k8s.api.core.v1.Service",
        table: &tables::SERVICE,
        defaults: defaults::service, initialize: defaults::new_load_balanced,
        allocate: defaults::cluster_ip, validate: validate::service,
    }
    /// Makes a kind. Deleting one deletes its objects first.
    CUSTOM_RESOURCE_DEFINITION {
        group: "apiextensions.k8s.io", kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions", singular: "customresourcedefinition",
        short_names: &["crd", "crds"], categories: &["api-extensions"], namespaced: false,
        status: true, generation: Some(Generation::Spec), returns_deleted: true,
        definition: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        defaults: defaults::definition, initialize: defaults::new_definition,
        allocate: defaults::stored_versions, validate: validate::definition,
        terminate: Some(defaults::emptying_definition),
    }
    /// A pod template that a DaemonSet or StatefulSet had.
    CONTROLLER_REVISION {
        group: "apps", kind: "ControllerRevision", plural: "controllerrevisions",
        singular: "controllerrevision", definition: "io.k8s.api.apps.v1.ControllerRevision",
        validate: validate::controller_revision,
    }
    /// Keeps one pod, for there is one node.
    DAEMON_SET {
        group: "apps", kind: "DaemonSet", plural: "daemonsets", singular: "daemonset",
        short_names: &["ds"], categories: &["all"], status: true,
        generation: Some(Generation::Spec),
        definition: "io.k8s.api.apps.v1.DaemonSet",
        table: &tables::DAEMON_SET,
        defaults: defaults::daemon_set, initialize: defaults::new_daemon_set,
        validate: validate::daemon_set,
    }
    /// Rolls out a new ReplicaSet for a new template, and back.
    DEPLOYMENT {
        group: "apps", kind: "Deployment", plural: "deployments", singular: "deployment",
        short_names: &["deploy"], categories: &["all"], status: true, scale: Some(&WORKLOAD),
        generation: Some(Generation::Spec),
        definition: "io.k8s.api.apps.v1.Deployment",
        table: &tables::DEPLOYMENT,
        defaults: defaults::deployment, initialize: defaults::new_with_status,
        validate: validate::deployment,
    }
    /// Keeps a number of pods.
    REPLICA_SET {
        group: "apps", kind: "ReplicaSet", plural: "replicasets", singular: "replicaset",
        short_names: &["rs"], categories: &["all"], status: true, scale: Some(&WORKLOAD),
        generation: Some(Generation::Spec), selectable: &["status.replicas"],
        definition: "io.k8s.api.apps.v1.ReplicaSet",
        table: &tables::REPLICA_SET,
        defaults: defaults::replica_set, initialize: defaults::new_replica_set,
        validate: validate::replica_set,
    }
    /// Keeps pods with names of their own, started and replaced in order.
    STATEFUL_SET {
        group: "apps", kind: "StatefulSet", plural: "statefulsets", singular: "statefulset",
        short_names: &["sts"], categories: &["all"], status: true, scale: Some(&WORKLOAD),
        generation: Some(Generation::Spec),
        definition: "io.k8s.api.apps.v1.StatefulSet",
        table: &tables::STATEFUL_SET,
        defaults: defaults::stateful_set, initialize: defaults::new_stateful_set,
        validate: validate::stateful_set,
    }
    /// Whether the caller may do something: it always may.
    SELF_SUBJECT_ACCESS_REVIEW {
        group: "authorization.k8s.io", kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews", singular: "selfsubjectaccessreview",
        namespaced: false, stored: false, status: true,
        definition: "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    }
    /// Stored and validated only.
    HORIZONTAL_POD_AUTOSCALER {
        group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler",
        plural: "horizontalpodautoscalers", singular: "horizontalpodautoscaler",
        short_names: &["hpa"], categories: &["all"], status: true,
        definition: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
        table: &tables::HORIZONTAL_POD_AUTOSCALER,
        defaults: defaults::horizontal_pod_autoscaler, initialize: defaults::new_with_status,
        validate: validate::horizontal_pod_autoscaler,
    }
    /// Runs pods until enough of them have succeeded.
    JOB {
        group: "batch", kind: "Job", plural: "jobs", singular: "job", categories: &["all"],
        status: true, generation: Some(Generation::Spec), selectable: &["status.successful"],
        definition: "io.k8s.api.batch.v1.Job",
        table: &tables::JOB,
        defaults: defaults::job, initialize: defaults::new_job, validate: validate::job,
    }
    /// Who leads, and until when: clients write it, nothing acts on it.
    LEASE {
        group: "coordination.k8s.io", kind: "Lease", plural: "leases", singular: "lease",
        definition: "io.k8s.api.coordination.v1.Lease",
        table: &tables::LEASE,
        validate: validate::lease,
    }
    /// The addresses behind a Service, or of an owner of your own.
    ENDPOINT_SLICE {
        group: "discovery.k8s.io", kind: "EndpointSlice", plural: "endpointslices",
        singular: "endpointslice", generation: Some(Generation::Content),
        definition: "io.k8s.api.discovery.v1.EndpointSlice",
        table: &tables::ENDPOINT_SLICE,
        defaults: defaults::endpoint_slice, validate: validate::endpoint_slice,
    }
    /// The core events under their second name. Nothing is kept under this one.
    EVENT_V1 {
        group: "events.k8s.io", kind: "Event", plural: "events", singular: "event",
        short_names: &["ev"], alias: Some(&EVENTS_V1),
        selectable: &[
            "reason", "regarding.apiVersion", "regarding.fieldPath", "regarding.kind",
            "regarding.name", "regarding.namespace", "regarding.resourceVersion", "regarding.uid",
            "reportingController", "type",
        ],
        definition: "io.k8s.api.events.v1.Event",
        table: &tables::EVENT,
    }
    /// Stored and validated only.
    INGRESS_CLASS {
        group: "networking.k8s.io", kind: "IngressClass", plural: "ingressclasses",
        singular: "ingressclass", namespaced: false, generation: Some(Generation::Spec),
        definition: "io.k8s.api.networking.v1.IngressClass",
        table: &tables::INGRESS_CLASS,
        defaults: defaults::ingress_class, validate: validate::ingress_class,
    }
    /// Stored and validated only.
    INGRESS {
        group: "networking.k8s.io", kind: "Ingress", plural: "ingresses", singular: "ingress",
        short_names: &["ing"], status: true, generation: Some(Generation::Spec),
        definition: "io.k8s.api.networking.v1.Ingress",
        table: &tables::INGRESS,
        initialize: defaults::new_load_balanced, validate: validate::ingress,
    }
    /// Stored and validated only.
    NETWORK_POLICY {
        group: "networking.k8s.io", kind: "NetworkPolicy", plural: "networkpolicies",
        singular: "networkpolicy", short_names: &["netpol"], generation: Some(Generation::Spec),
        definition: "io.k8s.api.networking.v1.NetworkPolicy",
        table: &tables::NETWORK_POLICY,
        defaults: defaults::network_policy, validate: validate::network_policy,
    }
    /// Stored and validated only.
    POD_DISRUPTION_BUDGET {
        group: "policy", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget", short_names: &["pdb"], status: true,
        generation: Some(Generation::Spec),
        definition: "io.k8s.api.policy.v1.PodDisruptionBudget",
        table: &tables::POD_DISRUPTION_BUDGET,
        initialize: defaults::new_disruption_budget,
        validate: validate::disruption_budget,
    }
    /// Stored and validated only.
    CLUSTER_ROLE_BINDING {
        group: "rbac.authorization.k8s.io", kind: "ClusterRoleBinding",
        plural: "clusterrolebindings", singular: "clusterrolebinding", namespaced: false,
        name_rule: NameRule::PathSegment,
        definition: "io.k8s.api.rbac.v1.ClusterRoleBinding",
        table: &tables::BINDING,
        defaults: defaults::role_binding, validate: validate::cluster_role_binding,
    }
    /// Stored and validated only.
    CLUSTER_ROLE {
        group: "rbac.authorization.k8s.io", kind: "ClusterRole", plural: "clusterroles",
        singular: "clusterrole", namespaced: false, name_rule: NameRule::PathSegment,
        definition: "io.k8s.api.rbac.v1.ClusterRole",
        validate: validate::cluster_role,
    }
    /// Stored and validated only.
    ROLE_BINDING {
        group: "rbac.authorization.k8s.io", kind: "RoleBinding", plural: "rolebindings",
        singular: "rolebinding", name_rule: NameRule::PathSegment,
        definition: "io.k8s.api.rbac.v1.RoleBinding",
        table: &tables::BINDING,
        defaults: defaults::role_binding, validate: validate::role_binding,
    }
    /// Stored and validated only.
    ROLE {
        group: "rbac.authorization.k8s.io", kind: "Role", plural: "roles", singular: "role",
        name_rule: NameRule::PathSegment,
        definition: "io.k8s.api.rbac.v1.Role",
        validate: validate::role,
    }
}
