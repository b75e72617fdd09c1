//! Settings that concern all hosts.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use rustls::CipherSuite;

use crate::{
    compression::Compression,
    object::Key,
    policy::{AccessDefaults, Rate, ReferrerPolicy, StrictTransport},
    stream::StreamSpec,
};

/// Router-wide settings; one immutable value beside the table. Flags make the first one,
/// and [`crate::dialect::router`] what an object says on top of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A dot-less name `web` is served at `web.<platform_domain>`.
    pub platform_domain: Option<Box<str>>,
    /// Without a platform domain, a dot-less name `web` is served at `web.` and anything.
    pub match_any_suffix: bool,
    /// Apps may name hosts by regular expressions.
    pub regex_domains: bool,
    /// Peers whose `X-Forwarded-*` headers are believed. Empty: none.
    pub trusted: Vec<IpNet>,
    /// Those peers tell who their clients are by the PROXY protocol.
    pub proxy_protocol: bool,
    /// The port under which clients reach the router by http.
    pub public_http_port: u16,
    /// The port under which clients reach the router by https; https redirects name it, left out of the URL when 443.
    pub public_https_port: u16,
    /// Every app sends its clients to https.
    pub enforce_https: bool,
    /// `Strict-Transport-Security` on what is served over TLS; then https is enforced as well.
    pub strict_transport: StrictTransport,
    /// Which clients may use an app, beside the app's own list.
    pub access: AccessDefaults,
    /// The largest request body, in bytes, where an app sets none. `None`: no limit. Deis's default: 1 MiB.
    pub body_size: Option<u64>,
    /// The largest head of a request, in bytes, where an app sets none. `None`: [`crate::strict::MAX_HEAD`].
    pub head_size: Option<u32>,
    /// How fast a client may ask, where an app does not say. `None`: as it likes.
    pub rate: Option<Rate>,
    /// How much of it at once. `None`: as much as the rate names.
    pub rate_burst: Option<u32>,
    /// Requests of one client to one app that may be under way. `None`: any number.
    pub concurrency: Option<u32>,
    /// How responses are compressed.
    pub compression: Arc<Compression>,
    /// Requests and responses get `X-Request-Id` and `X-Correlation-Id`.
    pub request_ids: bool,
    /// Requests get `X-Request-Start`.
    pub request_start: bool,
    /// `Referrer-Policy` of responses where an app sets none.
    pub referrer_policy: Option<ReferrerPolicy>,
    /// What is served where no host is found.
    pub default_service: DefaultService,
    /// The ConfigMap with pages where an app has none.
    pub error_pages: Option<Key>,
    /// The Secret with the platform certificate. No object sets it.
    pub platform_certificate: Option<PlatformCertificate>,
    /// Ports that lead to Services byte by byte. No object sets them.
    pub streams: Vec<StreamSpec>,
    /// Limit for connecting to an endpoint where an app sets none. Deis's default: 30 s.
    pub connect_timeout: Duration,
    /// Limit between two reads or writes upstream where an app sets none. Deis's default: 1300 s.
    pub tcp_timeout: Duration,
    /// How long a client's connection may be idle between requests. Deis's default: 1300 s.
    pub idle_timeout: Duration,
    /// What is offered in TLS handshakes.
    pub tls: TlsSettings,
    /// Number of data-plane workers; sizes the per-worker counters.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            platform_domain: None,
            match_any_suffix: false,
            regex_domains: false,
            trusted: Vec::new(),
            proxy_protocol: false,
            public_http_port: 80,
            public_https_port: 443,
            enforce_https: false,
            strict_transport: StrictTransport::default(),
            access: AccessDefaults::default(),
            body_size: Some(1024 * 1024),
            head_size: None,
            rate: None,
            rate_burst: None,
            concurrency: None,
            compression: Arc::default(),
            request_ids: false,
            request_start: false,
            referrer_policy: None,
            default_service: DefaultService::default(),
            error_pages: None,
            platform_certificate: None,
            streams: Vec::new(),
            connect_timeout: Duration::from_secs(30),
            tcp_timeout: Duration::from_secs(1300),
            idle_timeout: Duration::from_secs(1300),
            tls: TlsSettings::default(),
            workers: 1,
        }
    }
}

/// What is offered in TLS handshakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// HTTP/2.
    pub http2: bool,
    /// TLS 1.2 and TLS 1.3.
    pub versions: (bool, bool),
    /// Cipher suites of TLS 1.2, the best first. `None`: all that are safe, in the client's order.
    pub suites: Option<Vec<CipherSuite>>,
    /// Sessions resume by tickets.
    pub tickets: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { http2: true, versions: (true, true), suites: None, tickets: true }
    }
}

/// The Secret with the certificate of the platform's own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformCertificate {
    /// Its name.
    pub secret: Key,
    /// That it does not exist is no fault.
    pub optional: bool,
}

/// What is served where no host is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultService {
    /// A Service by its name.
    pub service: Option<Key>,
    /// Whether the address below is to be served.
    pub enabled: bool,
    /// An address, such as the cluster IP of a Service.
    pub address: Option<SocketAddr>,
    /// The app's name in metrics and logs; else that of the Service, or the address.
    pub app: Option<Box<str>>,
}

/// Where requests without a host go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultTarget<'a> {
    /// To the endpoints of this Service.
    Service(&'a Key),
    /// To this address.
    Address(&'a SocketAddr),
}

impl DefaultService {
    /// The Service; else the address, where that is enabled.
    pub fn target(&self) -> Option<DefaultTarget<'_>> {
        let address = self.address.as_ref().filter(|_| self.enabled);
        let service = self.service.as_ref().map(DefaultTarget::Service);
        service.or_else(|| address.map(DefaultTarget::Address))
    }
}

impl Settings {
    /// Whether `peer` may tell us about the client with `X-Forwarded-*`.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|net| net.contains(&peer))
    }
}
