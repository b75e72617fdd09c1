//! From the text of a manifest file to the objects in it.

use std::{fmt, path::PathBuf};

use fairlead_cluster::Kind;
use serde_json::Value;

/// Which object a document describes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectId {
    /// `apiVersion` of the object.
    pub(crate) api_version: String,
    /// Its kind.
    pub(crate) kind: String,
    /// Its namespace; empty for a cluster-wide kind.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// One object as a manifest wants it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// Which object.
    pub(crate) id: ObjectId,
    /// The whole object; `metadata.namespace` is filled in.
    pub(crate) object: Value,
}

/// A manifest that cannot be used. Its file's last good content stays in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than 4 MiB.
    #[error("{}: larger than 4 MiB; split it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Neither YAML nor JSON.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// Not an object of a known kind with a name.
    #[error("{}: document {number}: {reason}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
        /// What is missing.
        reason: String,
    },
}

/// Why one document is not an object; becomes [`ManifestError::Document`].
type Reason = String;

/// The objects in `text`, in order. Empty documents are skipped, a `List` is unpacked.
///
/// # Errors
/// The number of the document, counted from 1 (0: the whole text), and what is wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<Document>, (usize, Reason)> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| (0, error.to_string()))?;
    let mut found = Vec::new();
    for (i, document) in documents.into_iter().enumerate() {
        for object in unpack(document) {
            found.push(document_of(object).map_err(|reason| (i + 1, reason))?);
        }
    }
    Ok(found)
}

fn unpack(document: Value) -> Vec<Value> {
    match document {
        Value::Null => Vec::new(),
        Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
            match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        object => vec![object],
    }
}

fn document_of(mut object: Value) -> Result<Document, Reason> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let api_version = text("/apiVersion").ok_or("apiVersion is missing")?;
    let kind = text("/kind").ok_or("kind is missing")?;
    let name = text("/metadata/name").ok_or("metadata.name is missing")?;
    let known = Kind::of(&api_version, &kind).ok_or_else(|| {
        format!("{api_version} {kind} is not a kind that the embedded cluster knows")
    })?;
    let namespace = match (known.namespaced, text("/metadata/namespace")) {
        (true, Some(namespace)) => namespace,
        (true, None) => {
            object["metadata"]["namespace"] = "default".into();
            "default".to_owned()
        }
        (false, _) => String::new(),
    };
    Ok(Document { id: ObjectId { api_version, kind, namespace, name }, object })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        parse(text).unwrap().into_iter().map(|document| document.id.to_string()).collect()
    }

    #[test]
    fn documents_are_read_in_order_with_the_default_namespace() {
        let text = "# a comment\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n---\n\
                    {\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"shop\"}}\n---\n\
                    apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: s, namespace: shop}\n";
        assert_eq!(ids(text), ["Service default/web", "Namespace shop", "Secret shop/s"]);
        assert_eq!(parse(text).unwrap()[0].object["metadata"]["namespace"], "default");
        assert!(ids("").is_empty());
    }

    #[test]
    fn what_is_missing_is_named_with_its_document() {
        let error = |text| parse(text).unwrap_err();
        assert_eq!(error("kind: Service"), (1, "apiVersion is missing".to_owned()));
        assert_eq!(
            error(
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\n"
            ),
            (2, "metadata.name is missing".to_owned())
        );
        assert!(
            error("apiVersion: v1\nkind: Unicorn\nmetadata: {name: a}")
                .1
                .starts_with("v1 Unicorn is not a kind")
        );
        assert_eq!(error("a: [").0, 0);
    }
}
