//! Development certificates for Secrets that manifests name but nobody provides.

use std::collections::{BTreeMap, BTreeSet};

use fairlead_router_core::dialect::PREFIXES;
use serde_json::{Value, json};

use super::manifests::{Document, ObjectId};
use crate::demo_cert::demo_certificate;

/// The label of a Secret made here; a manifest that provides the Secret takes it over.
pub(crate) const LABEL: &str = "fairlead.dev/development-certificate";

/// A Secret that has to be there, and the hosts that use it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    /// Namespace of Service and Secret.
    pub(crate) namespace: String,
    /// Name of the Secret.
    pub(crate) name: String,
    /// The hosts that the certificate is for.
    pub(crate) hosts: BTreeSet<String>,
}

/// The Secrets that the Services of `documents` name in `certificates` and that
/// no document provides.
pub(crate) fn missing<'a>(documents: impl Iterator<Item = &'a Document> + Clone) -> Vec<Wanted> {
    let provided: BTreeSet<_> = documents
        .clone()
        .filter(|document| document.id.kind == "Secret")
        .map(|document| (document.id.namespace.clone(), document.id.name.clone()))
        .collect();
    let mut wanted: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for service in documents.filter(|document| document.id.kind == "Service") {
        for entry in certificates(&service.object).split(',') {
            if let Some((host, name)) = entry.trim().rsplit_once(':') {
                let secret = (service.id.namespace.clone(), format!("{name}-cert"));
                if !provided.contains(&secret) {
                    wanted.entry(secret).or_default().insert(host.to_owned());
                }
            }
        }
    }
    wanted.into_iter().map(|((namespace, name), hosts)| Wanted { namespace, name, hosts }).collect()
}

fn certificates(service: &Value) -> &str {
    let annotations = service.pointer("/metadata/annotations");
    let find = |prefix| annotations?.get(format!("{prefix}certificates"))?.as_str();
    PREFIXES.iter().find_map(find).unwrap_or_default()
}

impl Wanted {
    /// Which Secret it is.
    pub(crate) fn id(&self) -> ObjectId {
        ObjectId {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The Secret with a new self-signed certificate.
    ///
    /// # Errors
    /// When a host cannot stand in a certificate.
    pub(crate) fn issue(&self) -> Result<Document, rcgen::Error> {
        let (certificate, key) = demo_certificate(self.hosts.iter().cloned().collect())?;
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": self.namespace, "name": self.name, "labels": {LABEL: "true"}},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": key},
        });
        Ok(Document { id: self.id(), object })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::manifests::parse, *};

    const SERVICES: &str = r#"
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    router.deis.io/certificates: "web.example:web, *.web.example:web, other.example:other"
---
apiVersion: v1
kind: Secret
metadata: {name: other-cert}
"#;

    #[test]
    fn a_certificate_is_made_for_what_is_named_and_not_provided() {
        let documents = parse(SERVICES).unwrap();
        let wanted = missing(documents.iter());
        let hosts = ["*.web.example", "web.example"].map(str::to_owned).into();
        assert_eq!(
            wanted,
            [Wanted { namespace: "default".into(), name: "web-cert".into(), hosts }]
        );
        let document = wanted[0].issue().unwrap();
        assert_eq!(document.id.to_string(), "Secret default/web-cert");
        assert_eq!(document.object["metadata"]["labels"][LABEL], "true");
    }
}
