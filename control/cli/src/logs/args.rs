//! The flags of `fairlead logs`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Shows the log lines of an application.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogsArgs {
    /// The application. A name alone is looked for in the namespace of the running `fairlead up`,
    /// else in the namespace of the same name.
    #[arg(short, long, env = "FAIRLEAD_APP", value_name = "[NAMESPACE/]NAME")]
    pub(crate) app: String,
    /// Go on with new lines as they come, also over lost connections and restarts.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Lines to begin with, at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: u32,
    /// Only lines of this process type, such as `web`, `worker` or `router`.
    #[arg(short, long)]
    pub(crate) process: Option<String>,
    /// Only lines of this pod.
    #[arg(long)]
    pub(crate) pod: Option<String>,
    /// Only lines from then on: an age such as `10m` or `2h`, or a time as in RFC 3339.
    #[arg(long, value_name = "AGE|TIME")]
    pub(crate) since: Option<String>,
    /// Only lines in which this regular expression is found.
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Only lines in which it is not found.
    #[arg(long, requires = "grep")]
    pub(crate) invert: bool,
    /// How a line is written.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) logd: LogdArgs,
}

/// Which logd is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogdArgs {
    /// URL of logd [default: the running `fairlead up`].
    #[arg(long, env = "FAIRLEAD_LOGD", value_name = "URL")]
    pub(crate) logd: Option<String>,
    /// File with the token to show to logd.
    #[arg(long, env = "FAIRLEAD_TOKEN_FILE", value_name = "FILE", requires = "logd")]
    pub(crate) token_file: Option<PathBuf>,
    /// Folder of the running `fairlead up` [default: $XDG_STATE_HOME/fairlead].
    #[arg(long, env = "FAIRLEAD_STATE_DIR", value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// `TIME APP[PROCESS.RELEASE.POD]: MESSAGE`, in colours on a terminal.
    Text,
    /// As logd tells it, a JSON object a line.
    Json,
}
