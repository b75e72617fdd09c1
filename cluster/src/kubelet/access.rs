//! How a pod reaches the API: a kubeconfig with a token of its own.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::controllers::object::Fields;
use crate::http::Tokens;
use crate::meta;

/// Gives out credentials.
#[derive(Clone)]
pub(crate) struct Access {
    /// Where tokens come from.
    pub(crate) tokens: Tokens,
    /// Makes a kubeconfig that holds a token.
    pub(crate) kubeconfig: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// The credentials of one pod. They are worthless once it is dropped.
pub(super) struct Credentials {
    tokens: Tokens,
    token: String,
    path: PathBuf,
}

impl Access {
    /// Writes `kubeconfig` into the pod's directory, for its user
    /// `system:serviceaccount:NAMESPACE:ACCOUNT`. `None` where the pod's spec does not want it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn grant(&self, pod: &Value, directory: &Path) -> io::Result<Option<Credentials>> {
        if pod["spec"]["automountServiceAccountToken"] == false {
            return Ok(None);
        }
        let account = match pod.text("/spec/serviceAccountName") {
            "" => "default",
            name => name,
        };
        let namespace = meta::namespace(pod).unwrap_or_default();
        let token = self.tokens.mint(&format!("system:serviceaccount:{namespace}:{account}"));
        let path = directory.join("kubeconfig");
        let credentials = Credentials { tokens: self.tokens.clone(), token, path };
        super::volumes::private_directory(directory)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&credentials.path)?;
        file.write_all((self.kubeconfig)(&credentials.token).as_bytes())?;
        Ok(Some(credentials))
    }
}

impl Credentials {
    /// The kubeconfig.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.tokens.revoke(&self.token);
    }
}
