//! Objects as they are kept: with their JSON, made once for all who ask.

use std::sync::{Arc, OnceLock};

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

/// An object. Clones share it and its JSON.
#[derive(Debug, Clone)]
pub(crate) struct Stored(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    object: Arc<Value>,
    fields: OnceLock<Box<str>>,
}

impl Stored {
    pub(crate) fn new(object: Arc<Value>) -> Self {
        Self(Arc::new(Kept { object, fields: OnceLock::new() }))
    }

    pub(crate) fn object(&self) -> &Arc<Value> {
        &self.0.object
    }

    /// The object's fields as JSON, without braces, `kind` and `apiVersion`: lists leave these out,
    /// and versions differ in them only.
    pub(crate) fn fields(&self) -> &str {
        self.0.fields.get_or_init(|| {
            let text = serde_json::to_string(&Fields(&self.0.object))
                .expect("values with text keys, written to memory");
            text[1..text.len() - 1].into()
        })
    }
}

struct Fields<'a>(&'a Value);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| !matches!(name.as_str(), "kind" | "apiVersion"));
        serializer.collect_map(fields)
    }
}
