//! The log pipeline of one machine: a shipper that reads the pods' files and a logd that keeps them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use fairlead_cluster::NODE;
use fairlead_logd::{Auth, Claims, DrainOptions, Keys, Logd, LogdOptions, Role, TokenKey, mint};
use fairlead_shipper::{Credentials, Shipper, ShipperOptions, Token};
use fairlead_wire::Logds;
use http::HeaderValue;
use kube::Client;

use super::{
    access::{LOGD_ACCESS, LogdAccess},
    args::UpArgs,
    error::UpError,
    state::State,
};

/// Bytes of memory for the lines of all apps: a laptop's share.
const MEMORY: usize = 64 << 20;
/// Where manifests without a namespace go, and so the apps that are named without one.
const NAMESPACE: &str = "default";

/// Both parts.
pub(crate) struct Logs {
    logd: Logd,
    shipper: Shipper,
    /// For further senders: where to send to, and the file with the token to show.
    sender: (Logds, PathBuf),
}

impl Logs {
    /// Starts both, and tells `fairlead logs` where to ask. `pods` is the folder of the pods' logs;
    /// `drains` is logd's client, where Secrets declare drains.
    ///
    /// # Errors
    /// When a port is taken, or the state folder cannot be written.
    pub(crate) fn start(
        args: &UpArgs,
        state: &State,
        pods: &Path,
        client: Client,
        drains: Client,
    ) -> Result<Self, UpError> {
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // Tokens are worth something to this process alone, so its key need not outlive it.
        let mut secret = [0; 32];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut secret)
            .map_err(|_| UpError::Random)?;
        let key = TokenKey::new("up", &secret).expect("it has 32 bytes");
        let keys = Keys::new(vec![key.clone()]).expect("one key");
        let token = |role| {
            let apps = vec!["*".to_owned()];
            mint(&key, &Claims { role, apps, exp: u64::from(u32::MAX) })
        };
        let logd = Logd::start(LogdOptions {
            http: SocketAddr::new(args.bind, args.logs_port),
            wire: own,
            shards: NonZeroUsize::MIN,
            memory: MEMORY,
            drains: DrainOptions {
                client: Some(drains),
                namespace: Some(NAMESPACE.to_owned()),
                ..DrainOptions::default()
            },
            ..LogdOptions::new(Auth::Tokens(keys))
        })
        .map_err(|error| match error {
            fairlead_logd::StartError::Bind { address, source, .. } => {
                UpError::Port { address, source, flag: "--logs-port" }
            }
            error => UpError::Logd(error),
        })?;
        let ingest = token(Role::Ingest);
        let ingest_file = state.write("ingest-token", &ingest)?;
        let mut ingest = HeaderValue::try_from(format!("Bearer {ingest}"))
            .expect("tokens are of letters, digits, dots and dashes");
        ingest.set_sensitive(true);
        let wire = format!("http://{}", logd.wire_addr());
        let logds: Logds = wire.parse().expect("made of an address");
        let shipper = Shipper::start(
            ShipperOptions {
                pods: pods.to_owned(),
                state: state.path().join("shipper"),
                node: NODE.to_owned(),
                admin: own,
                credentials: Credentials { token: Some(Token::Header(ingest)), tls: None },
                ..ShipperOptions::to(logds.clone())
            },
            Some(client),
        )
        .map_err(UpError::Shipper)?;
        let access = LogdAccess {
            url: format!("http://{}", reachable(logd.http_addr())),
            token: Some(token(Role::Admin)),
            namespace: Some(NAMESPACE.to_owned()),
        };
        let access = serde_json::to_string(&access).expect("strings are JSON");
        state.write(LOGD_ACCESS, &access)?;
        Ok(Self { logd, shipper, sender: (logds, ingest_file) })
    }

    /// For further senders: where to send to, and the file with the token to show.
    pub(crate) fn sender(&self) -> (Logds, PathBuf) {
        self.sender.clone()
    }

    /// Where lines are read.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.logd.http_addr()
    }

    /// Ends both, the shipper first: what it has read is still taken.
    pub(crate) async fn stop(self) {
        self.shipper.shutdown().await;
        self.logd.shutdown(Duration::ZERO).await;
    }
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}
