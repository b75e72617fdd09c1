//! Why no lines are shown.

use std::path::PathBuf;

/// Each variant says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    /// The system refused a runtime.
    #[error("the system refused a resource: {0}")]
    System(std::io::Error),
    /// Nothing says where logd is.
    #[error(
        "no `fairlead up` runs with its state in {}; name a logd with --logd, or another folder with --state-dir",
        folder.display()
    )]
    NoLogd {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// There is no home.
    #[error(transparent)]
    State(#[from] crate::up::StateError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What `fairlead up` wrote is not what it writes.
    #[error("{} was not written by this version of fairlead: {source}; start `fairlead up` again", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The URL is none.
    #[error("{0:?} is no URL of a logd, such as http://127.0.0.1:8088")]
    Url(String),
    /// The token cannot be sent.
    #[error("the token holds characters that no token has")]
    Token,
    /// There are no certificates to verify with.
    #[error("this system has no certificates to verify logd's with: {0}; install ca-certificates")]
    Roots(std::io::Error),
    /// Nobody answers.
    #[error("cannot reach logd at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// logd said no.
    #[error("logd refused with {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// In its words.
        reason: String,
    },
    /// The answer ended too soon.
    #[error("the connection to logd broke: {0}")]
    Broken(hyper::Error),
    /// A line is longer than any that logd sends.
    #[error("logd sent a line without end; is it a logd?")]
    LineTooLong,
    /// A line is not what logd sends.
    #[error("logd sent a line that is not one of a log: {0}; is it of another version?")]
    Malformed(serde_json::Error),
    /// Nobody reads.
    #[error("cannot write: {0}")]
    Output(std::io::Error),
}

impl LogsError {
    /// Whether it may be gone when asked again.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken(_) => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}
