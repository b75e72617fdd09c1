//! The flags of `fairlead drains`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::logs::LogdArgs;

/// Shows and declares drains: where log lines are sent on to.
#[derive(Args, Clone, Debug)]
pub(crate) struct DrainsArgs {
    #[command(subcommand)]
    pub(crate) command: DrainsCommand,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum DrainsCommand {
    /// Shows the drains of a logd and how they are doing.
    List(ListArgs),
    /// Declares a drain, or changes one, by a Secret.
    Add(Box<AddArgs>),
    /// Deletes a drain's Secret.
    Remove(RemoveArgs),
    /// Sends a line to where a drain leads, and shows the whole exchange.
    Test(TestArgs),
}

/// Flags of `list`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// As logd tells it: JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) logd: LogdArgs,
}

/// Flags of `add`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AddArgs {
    /// The drain, and its Secret. A name alone is in the namespace `default`.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    pub(crate) drain: String,
    /// Where lines are sent to, such as syslog+tls://logs.example.com:6514; `-` reads it from
    /// standard input, where no list of processes shows it.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// For this application alone.
    #[arg(short, long, value_name = "[NAMESPACE/]NAME")]
    pub(crate) app: Option<String>,
    /// Only these lines, as in `process=web,stream=stderr,contains=error`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// File with what the receiver knows the sender by.
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// File with the certificates, PEM, that sign the receiver's one.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the certificate, PEM, that the receiver is shown.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// File with its key, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Flags of `remove`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RemoveArgs {
    /// The drain. A name alone is in the namespace `default`.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    pub(crate) drain: String,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Flags of `test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// The drain. A name alone is in the namespace `default`.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    pub(crate) drain: String,
    #[command(flatten)]
    pub(crate) logd: LogdArgs,
}

/// Which cluster Secrets are in.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClusterArgs {
    /// The cluster [default: the running `fairlead up`, else as kubectl].
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Folder of the running `fairlead up` [default: $XDG_STATE_HOME/fairlead].
    #[arg(long, env = "FAIRLEAD_STATE_DIR", value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
}
