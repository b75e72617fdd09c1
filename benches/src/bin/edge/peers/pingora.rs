//! The least that a proxy on Pingora can be: what Fairlead's own work is measured against.

use std::{net::SocketAddr, path::Path, process::Command};

use async_trait::async_trait;
use pingora_core::{
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

use super::Place;
use crate::{
    BenchError,
    process::{Process, ProcessError},
};

pub(super) fn start(program: &Path, place: Place<'_>) -> Result<Process, ProcessError> {
    let mut command = Command::new(program);
    command.arg("bare-pingora").arg(place.listen.to_string()).arg(place.upstream.to_string());
    Process::start("bare Pingora", &mut command, place.cores)
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

/// Serves until it is killed.
pub(crate) fn serve(listen: SocketAddr, upstream: SocketAddr) -> Result<(), BenchError> {
    let conf = ServerConf {
        threads: 1,
        // With one thread there is nobody to steal from; looking for work costs.
        work_stealing: false,
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}
