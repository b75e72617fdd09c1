//! The least that a proxy on Pingora can be: what Fairlead's own work is measured against.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use async_trait::async_trait;
use clap::Args;
use pingora_core::{
    listeners::tls::TlsSettings,
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

use super::Place;
use crate::BenchError;

/// What the bare proxies are told.
#[derive(Args, Debug)]
pub(crate) struct BareArgs {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) upstream: SocketAddr,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl BareArgs {
    /// The command that runs the proxy `role` of this program.
    pub(super) fn command(program: &Path, role: &str, place: Place<'_>) -> Command {
        let mut command = Command::new(program);
        command.arg(role);
        command.args([place.http, place.https, place.upstream].map(|address| address.to_string()));
        command.args([&place.certificate.chain, &place.certificate.key]);
        command
    }
}

/// The name of its role.
pub(crate) const ROLE: &str = "bare-pingora";

/// This program in that role.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    Ok(BareArgs::command(program, ROLE, place))
}

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        (): &mut Self::CTX,
    ) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// Serves until it is told to end.
pub(crate) fn serve(args: BareArgs) -> Result<(), BenchError> {
    let conf = ServerConf {
        threads: 1,
        // With one thread there is nobody to steal from; looking for work costs.
        work_stealing: false,
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let BareArgs { http, https, upstream, chain, key } = args;
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    service.add_tcp(&http.to_string());
    let (chain, key) = (chain.to_string_lossy(), key.to_string_lossy());
    let mut tls = TlsSettings::intermediate(&chain, &key).map_err(io::Error::other)?;
    tls.enable_h2();
    service.add_tls_with_settings(&https.to_string(), None, tls);
    server.add_service(service);
    server.run_forever()
}
