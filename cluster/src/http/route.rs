//! What a path names.

use percent_encoding::percent_decode_str;

use crate::kinds::{self, Kind, Served, Subresource};

/// What a path names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Version,
    /// `/healthz`, `/livez` or `/readyz`, and the names of single checks below.
    Health,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(&'static str),
    /// `/api/v1`, `/apis/GROUP/VERSION`
    Resources(&'static str, &'static str),
    /// `/openapi/v3`
    OpenApi,
    /// `/openapi/v3/PATH`
    OpenApiGroup(String),
    Resource(Resource),
    /// `/log` of a pod: its namespace and name.
    Log(String, String),
}

/// A path to objects.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) kind: &'static Kind,
    /// `None`: all namespaces, or a cluster-wide kind.
    pub(super) namespace: Option<String>,
    /// `None`: the collection.
    pub(super) name: Option<String>,
    pub(super) subresource: Option<Subresource>,
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kind, other.kind)
            && self.namespace == other.namespace
            && self.name == other.name
            && self.subresource == other.subresource
    }
}

/// Reads a path; `None` where nothing is served.
pub(super) fn parse(path: &str, served: &Served) -> Option<Target> {
    let decoded: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(|segment| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned()))
        .collect::<Option<_>>()?;
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    if segments.contains(&"") {
        return None;
    }
    match segments.as_slice() {
        ["version"] => Some(Target::Version),
        ["healthz" | "livez" | "readyz"] => Some(Target::Health),
        ["openapi", "v3"] => Some(Target::OpenApi),
        ["openapi", "v3", rest @ ..] => Some(Target::OpenApiGroup(rest.join("/"))),
        ["api"] => Some(Target::CoreVersions),
        ["apis"] => Some(Target::Groups),
        ["api", version] => resources(served, "", version),
        ["api", version, rest @ ..] => resource(served, "", version, rest),
        ["apis", group] => {
            let kind = served.kinds().find(|kind| kind.group == *group)?;
            Some(Target::Group(kind.group))
        }
        ["apis", group, version] => resources(served, group, version),
        ["apis", group, version, rest @ ..] => resource(served, group, version, rest),
        _ => None,
    }
}

fn resources(served: &Served, group: &str, version: &str) -> Option<Target> {
    let kind = served.kinds().find(|kind| kind.group == group && kind.version == version)?;
    Some(Target::Resources(kind.group, kind.version))
}

fn resource(served: &Served, group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..]
            if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) =>
        {
            (Some(*namespace), rest)
        }
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(*name), None),
        [plural, name, subresource] => (plural, Some(*name), Some(*subresource)),
        _ => return None,
    };
    let kind = served.by_path(group, version, plural)?;
    // Objects in namespaces are named together with their namespace.
    let addressed =
        if kind.namespaced { namespace.is_some() || name.is_none() } else { namespace.is_none() };
    let log = subresource == Some("log") && kind.is(&kinds::POD);
    if let (true, Some(namespace), Some(name)) = (log, namespace, name) {
        return Some(Target::Log(namespace.to_owned(), name.to_owned()));
    }
    let subresource = match subresource {
        None => None,
        Some("scale") if kind.scale.is_some() => Some(Subresource::Scale),
        Some("status") if kind.status => Some(Subresource::Status),
        Some("finalize") if kind.is(&kinds::NAMESPACE) => Some(Subresource::Finalize),
        Some(_) => return None,
    };
    addressed.then(|| {
        Target::Resource(Resource {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            subresource,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin(path: &str) -> Option<Target> {
        parse(path, &Served::with([]))
    }

    fn resource(
        kind: &'static Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        subresource: Option<Subresource>,
    ) -> Option<Target> {
        let (namespace, name) = (namespace.map(str::to_owned), name.map(str::to_owned));
        Some(Target::Resource(Resource { kind, namespace, name, subresource }))
    }

    #[test]
    fn paths_name_what_kubernetes_says_they_name() {
        let status = Some(Subresource::Status);
        for (path, expected) in [
            ("/api/v1/pods", resource(&kinds::POD, None, None, None)),
            ("/api/v1/namespaces/a/pods", resource(&kinds::POD, Some("a"), None, None)),
            ("/api/v1/namespaces/a/pods/b", resource(&kinds::POD, Some("a"), Some("b"), None)),
            (
                "/api/v1/namespaces/a/pods/b/status",
                resource(&kinds::POD, Some("a"), Some("b"), status),
            ),
            ("/api/v1/namespaces", resource(&kinds::NAMESPACE, None, None, None)),
            ("/api/v1/namespaces/a", resource(&kinds::NAMESPACE, None, Some("a"), None)),
            ("/api/v1/namespaces/a/status", resource(&kinds::NAMESPACE, None, Some("a"), status)),
            (
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aadmin",
                resource(&kinds::CLUSTER_ROLE, None, Some("system:admin"), None),
            ),
            ("/apis/apps/v1", Some(Target::Resources("apps", "v1"))),
            ("/apis/apps", Some(Target::Group("apps"))),
            ("/api/v1", Some(Target::Resources("", "v1"))),
            ("/readyz", Some(Target::Health)),
            // Not served.
            ("/api/v1/pods/b", None),
            ("/api/v1/namespaces/a/clusterroles", None),
            ("/apis/rbac.authorization.k8s.io/v1/namespaces/a/clusterroles", None),
            ("/api/v1/namespaces/a/configmaps/b/status", None),
            ("/api/v1/namespaces/a/pods/b/log", Some(Target::Log("a".to_owned(), "b".to_owned()))),
            (
                "/apis/apps/v1/namespaces/a/deployments/b/scale",
                resource(&kinds::DEPLOYMENT, Some("a"), Some("b"), Some(Subresource::Scale)),
            ),
            ("/api/v1/namespaces/a/configmaps/b/scale", None),
            ("/api/v1/namespaces/a/configmaps/b/log", None),
            ("/api/v1/namespaces/a/pods/b/exec", None),
            ("/api/v1/namespaces//pods", None),
            ("/api/v2/pods", None),
            ("/apis/apps/v1beta1/deployments", None),
            ("/", None),
            ("/apis//v1", None),
            ("/api/v1/namespaces/a/pods/%ff", None),
        ] {
            assert_eq!(builtin(path), expected, "{path}");
        }
    }
}
