//! How a logd is set up.

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::Duration,
};

use fairlead_wire::message;
use rustls::ServerConfig;

use crate::{auth::Auth, drain::DrainOptions, peers::Peers, syslog::SyslogOptions};

/// How a logd is set up; [`crate::Flags`] has the same for the command line.
#[derive(Debug)]
pub struct LogdOptions {
    /// Where logs are read. Port 0 lets the system choose. `[::]:8088`
    pub http: SocketAddr,
    /// Where senders connect. `[::]:8089`
    pub wire: SocketAddr,
    /// TLS for senders, as [`fairlead_wire::tls::server_config`] makes it: a sender with a
    /// certificate that it trusts needs no token. None
    pub wire_tls: Option<Arc<ServerConfig>>,
    /// Who is let in.
    pub auth: Auth,
    /// The logds of a Service, among which the apps are divided. This logd has all
    pub peers: Option<Peers>,
    /// Threads that write logs. One per core that the process may use.
    pub shards: NonZeroUsize,
    /// Bytes of memory for the logs of all apps. 256 MiB
    pub memory: usize,
    /// What an app may hold where its pods do not say.
    pub limits: AppLimits,
    /// Messages of what is not a container. Off
    pub syslog: SyslogOptions,
    /// Where lines are sent on to. Nowhere
    pub drains: DrainOptions,
}

/// How much an app may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppLimits {
    /// Bytes of payload. 16 MiB
    pub bytes: u64,
    /// Lines. Not limited
    pub lines: u64,
    /// Age of lines since they came; of those that an earlier logd had, by event time. 7 days
    pub age: Duration,
}

impl Default for AppLimits {
    fn default() -> Self {
        let age = Duration::from_secs(7 * 24 * 3_600);
        Self { bytes: 16 << 20, lines: u64::MAX, age }
    }
}

impl AppLimits {
    /// These, but for what pods say.
    pub(crate) fn with(self, said: message::Limits) -> Self {
        let or = |said: u64, own: u64| if said == 0 { own } else { said };
        Self {
            bytes: or(said.bytes, self.bytes),
            lines: or(said.lines, self.lines),
            age: if said.age == 0 { self.age } else { Duration::from_secs(said.age) },
        }
    }
}

impl LogdOptions {
    /// The defaults.
    #[must_use]
    pub fn new(auth: Auth) -> Self {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Self {
            http: any(8088),
            wire: any(8089),
            wire_tls: None,
            auth,
            peers: None,
            shards: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory: 256 << 20,
            limits: AppLimits::default(),
            syslog: SyslogOptions::default(),
            drains: DrainOptions::default(),
        }
    }
}
