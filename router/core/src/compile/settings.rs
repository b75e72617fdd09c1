//! A change of the router's settings.

use std::{collections::BTreeMap, sync::Arc};

use super::{Compiler, findings::Source};
use crate::{
    diagnostic::{Diagnostic, Severity},
    dialect::router,
    object::ObjectRef,
};

impl Compiler {
    /// Takes the settings that `annotations` of `object` make; `None` when it is gone.
    pub(super) fn apply_settings(
        &mut self,
        object: &ObjectRef,
        annotations: Option<BTreeMap<Box<str>, Box<str>>>,
    ) {
        let (settings, findings) = match annotations {
            Some(annotations) => {
                // Before the first table nobody is served.
                let in_force = (self.table.generation > 0).then_some(&*self.table.settings);
                router::read(object, &annotations, &self.flags, in_force)
            }
            None => ((*self.flags).clone(), vec![no_settings(object)]),
        };
        self.findings.set(Source::Object(object.clone()), findings);
        if settings == *self.table.settings {
            return;
        }
        let claims: Vec<_> = self.claims.values().cloned().collect();
        claims.iter().for_each(|claim| self.unindex(claim));
        self.table.settings = Arc::new(settings);
        claims.iter().for_each(|claim| self.index(claim));
        self.refresh_default();
        self.refresh_pages();
        self.touch_all();
        self.resettled = true;
    }
}

/// The object with the settings is not there.
fn no_settings(object: &ObjectRef) -> Diagnostic {
    Diagnostic {
        object: object.clone(),
        field: "metadata.annotations".into(),
        severity: Severity::Warning,
        reason: "this object, which is to hold the router's settings, does not exist; the flags alone hold"
            .into(),
    }
}
