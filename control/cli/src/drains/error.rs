//! Why nothing is shown or declared.

use std::path::PathBuf;

use fairlead_drain::target::TargetError;

use crate::logs::LogsError;

/// Each variant says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrainsError {
    /// logd is not asked, or does not answer.
    #[error(transparent)]
    Logd(#[from] LogsError),
    /// What logd answers is not about drains.
    #[error("logd's answer is not about drains: {0}; is it of another version?")]
    Malformed(#[from] serde_json::Error),
    /// The URL of a drain cannot be used.
    #[error("{0}")]
    Url(#[from] TargetError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no cluster.
    #[error("no cluster to declare drains in: {0}; name one with --kubeconfig")]
    Cluster(String),
    /// The cluster refuses.
    #[error("Secret {secret}: {source}")]
    Secret {
        /// `NAMESPACE/NAME`.
        secret: String,
        /// What it says.
        source: Box<kube::Error>,
    },
    /// There is a Secret of that name that is something else.
    #[error("Secret {0} is no drain: it has no label fairlead.dev/drain=true; choose another name")]
    NoDrain(String),
    /// There is none.
    #[error("there is no drain {0}")]
    Unknown(String),
    /// A line did not arrive.
    #[error("the line has not arrived where {0} leads")]
    Test(String),
}
