//! Doing what a reconcile function decided.

use std::collections::HashMap;

use serde_json::Value;
use tokio::time::Instant;

use super::action::{Action, Outcome};
use super::object::Fields;
use super::queue::Key;
use super::{Failure, Shell, USER};
use crate::events::Happening;
use crate::kinds::{Kind, Subresource};
use crate::meta;
use crate::registry::{DeleteOptions, Preconditions, WriteOptions};
use crate::status::Status;

impl Shell {
    /// Carries the actions out in order. The first that fails ends the pass, which is tried again
    /// after a while, or as soon as something changes.
    pub(super) fn execute(&mut self, key: Key, outcome: Outcome) {
        if let Some(wait) = outcome.again {
            self.queue.push_at(key.clone(), Instant::now() + wait);
        }
        let mut written = HashMap::new();
        for action in outcome.actions {
            let creating = matches!(action, Action::Create(..));
            let Err(status) = self.act(action, &mut written) else { continue };
            tracing::debug!(?key, %status, "pass ended early");
            if creating {
                self.tell_failure(&key, &status);
            }
            let failure = Failure { creating, message: status.message };
            self.queue.failed(key, failure, Instant::now());
            return;
        }
        self.queue.succeeded(key);
    }

    /// `written`: uid → resourceVersion that this pass gave the object, so that a pass can write an
    /// object and then its status.
    fn act(&self, action: Action, written: &mut HashMap<String, Value>) -> Result<(), Status> {
        let options = WriteOptions::by(USER);
        match action {
            Action::Create(kind, object) => {
                let namespace = meta::namespace(&object).map(str::to_owned);
                let made = self.registry.create(kind, namespace.as_deref(), object, &options)?;
                self.tell_owner(kind, &made);
            }
            Action::Update(kind, object) => self.update(kind, None, object, &options, written)?,
            Action::UpdateStatus(kind, object) => {
                self.update(kind, Some(Subresource::Status), object, &options, written)?;
            }
            Action::Delete(kind, object) => {
                let delete = DeleteOptions {
                    preconditions: Preconditions {
                        uid: Some(meta::uid(&object).to_owned()),
                        ..Preconditions::default()
                    },
                    ..DeleteOptions::default()
                };
                let namespace = meta::namespace(&object);
                match self.registry.delete(kind, namespace, meta::name(&object), &delete, &options)
                {
                    Ok(_) => self.tell_deletion(kind, &object),
                    Err(status) if status.code == 404 => {}
                    Err(status) => return Err(status),
                }
            }
            Action::Event { about, kind, warning, reason, message } => {
                let happening = Happening { warning, reason, message: &message };
                self.recorder.record(kind, &about, &happening);
            }
        }
        Ok(())
    }

    fn update(
        &self,
        kind: &'static Kind,
        subresource: Option<Subresource>,
        mut object: Value,
        options: &WriteOptions,
        written: &mut HashMap<String, Value>,
    ) -> Result<(), Status> {
        if let Some(version) = written.get(meta::uid(&object)) {
            meta::set(&mut object, "resourceVersion", Some(version.clone()));
        }
        let (namespace, name) = (meta::namespace(&object).map(str::to_owned), meta::name(&object));
        let name = name.to_owned();
        let now = self.registry.update(
            kind,
            namespace.as_deref(),
            &name,
            subresource,
            object,
            options,
        )?;
        let version = meta::resource_version(&now).into();
        written.insert(meta::uid(&now).to_owned(), version);
        Ok(())
    }

    /// Pods made and deleted are told on what controls them: `kubectl describe` shows them there.
    fn tell_owner(&self, kind: &Kind, made: &Value) {
        if kind.kind == "Pod" {
            let message = format!("Created pod: {}", meta::name(made));
            self.tell(made, "SuccessfulCreate", &message);
        }
    }

    fn tell_deletion(&self, kind: &Kind, gone: &Value) {
        if kind.kind == "Pod" {
            let message = format!("Deleted pod: {}", meta::name(gone));
            self.tell(gone, "SuccessfulDelete", &message);
        }
    }

    fn tell(&self, pod: &Value, reason: &'static str, message: &str) {
        let Some(owner) = meta::controller(pod) else { return };
        let kind = Kind::of(owner.text("/apiVersion"), owner.text("/kind"));
        let found = kind.and_then(|kind| {
            let name = owner.text("/name");
            Some((kind, self.registry.get(kind, meta::namespace(pod), name).ok()?))
        });
        if let Some((kind, owner)) = found {
            let happening = Happening { warning: false, reason, message };
            self.recorder.record(kind, &owner, &happening);
        }
    }

    fn tell_failure(&self, key: &Key, status: &Status) {
        let kind = key.controller.kind();
        let Ok(about) = self.registry.get(kind, Some(&key.namespace), &key.name) else { return };
        let message = format!("Error creating: {status}");
        let happening = Happening { warning: true, reason: "FailedCreate", message: &message };
        self.recorder.record(kind, &about, &happening);
    }
}
