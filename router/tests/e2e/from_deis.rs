//! Deis Workflow's objects as its charts and its controller left them, taken over without an edit.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Parser as _;
use fairlead_cluster::{Cluster, ClusterOptions};
use fairlead_router::{Flags, RouterOptions};
use hyper::Request;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Backend, Pair, World, eventually, within};

/// The Deployment of the router with every setting of Deis Workflow and Hephy, most at their defaults.
const ROUTER: &str = r#"
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: deis-router
      namespace: deis
      labels: {heritage: deis}
      annotations:
        component.deis.io/version: v2.13.3
        router.deis.io/nginx.workerProcesses: auto
        router.deis.io/nginx.maxWorkerConnections: "768"
        router.deis.io/nginx.trafficStatusZoneSize: 1m
        router.deis.io/nginx.defaultTimeout: 1300s
        router.deis.io/nginx.serverNameHashMaxSize: "512"
        router.deis.io/nginx.serverNameHashBucketSize: "64"
        router.deis.io/nginx.gzip.enabled: "true"
        router.deis.io/nginx.gzip.compLevel: "5"
        router.deis.io/nginx.gzip.disable: msie6
        router.deis.io/nginx.gzip.httpVersion: "1.1"
        router.deis.io/nginx.gzip.minLength: "256"
        router.deis.io/nginx.gzip.proxied: any
        router.deis.io/nginx.gzip.types: application/atom+xml application/javascript application/json font/opentype text/css text/plain
        router.deis.io/nginx.gzip.vary: "on"
        router.deis.io/nginx.bodySize: 2m
        router.deis.io/nginx.proxyRealIpCidrs: 10.0.0.0/8
        router.deis.io/nginx.errorLogLevel: error
        router.deis.io/nginx.platformDomain: apps.example.com
        router.deis.io/nginx.useProxyProtocol: "false"
        router.deis.io/nginx.disableServerTokens: "true"
        router.deis.io/nginx.enforceWhitelists: "true"
        router.deis.io/nginx.defaultWhitelist: 127.0.0.0/8
        router.deis.io/nginx.whitelistMode: extend
        router.deis.io/nginx.defaultServiceEnabled: "false"
        router.deis.io/nginx.defaultServiceIP: 10.0.0.80
        router.deis.io/nginx.defaultAppName: none-of-ours
        router.deis.io/nginx.requestIDs: "true"
        router.deis.io/nginx.http2Enabled: "true"
        router.deis.io/nginx.logFormat: "[$time_iso8601] - $app_name"
        router.deis.io/nginx.ssl.enforce: "false"
        router.deis.io/nginx.ssl.protocols: TLSv1 TLSv1.1 TLSv1.2
        router.deis.io/nginx.ssl.ciphers: ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
        router.deis.io/nginx.ssl.sessionCache: "off"
        router.deis.io/nginx.ssl.sessionTimeout: 10m
        router.deis.io/nginx.ssl.useSessionTickets: "true"
        router.deis.io/nginx.ssl.bufferSize: 4k
        router.deis.io/nginx.ssl.hsts.enabled: "false"
        router.deis.io/nginx.ssl.hsts.maxAge: "15552000"
        router.deis.io/nginx.ssl.hsts.includeSubDomains: "false"
        router.deis.io/nginx.ssl.hsts.preload: "false"
        router.deis.io/nginx.ssl.earlyDataMethods: GET|HEAD|OPTIONS
        router.deis.io/nginx.proxyBuffers.enabled: "false"
        router.deis.io/nginx.proxyBuffers.number: "8"
        router.deis.io/nginx.proxyBuffers.size: 4k
        router.deis.io/nginx.proxyBuffers.busySize: 8k
        router.deis.io/nginx.requestStartHeader: "true"
        router.deis.io/nginx.largeHeaderBuffersCount: "4"
        router.deis.io/nginx.largeHeaderBuffersSize: 32k
        router.deis.io/nginx.enableRegexDomains: "true"
        router.deis.io/nginx.loadModsecurityModule: "false"
        router.deis.io/nginx.referrerPolicy: same-origin
    spec:
      replicas: 1
      strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
      selector: {matchLabels: {app: deis-router}}
      template:
        metadata: {labels: {app: deis-router}}
        spec:
          serviceAccountName: deis-router
          containers:
          - name: deis-router
            image: quay.io/deis/router:v2.13.3
            env: [{name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]
            ports:
            - {containerPort: 8080, hostPort: 80}
            - {containerPort: 6443, hostPort: 443}
            - {containerPort: 2222, hostPort: 2222}
            - {containerPort: 9090, hostPort: 9090}
            livenessProbe: {httpGet: {path: /healthz, port: 9090}, initialDelaySeconds: 10}
            readinessProbe: {httpGet: {path: /healthz, port: 9090}, initialDelaySeconds: 1}
"#;

/// The platform's own Services.
const PLATFORM: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: deis-controller
      namespace: deis
      labels: {heritage: deis, router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: deis
        router.deis.io/connectTimeout: "10"
        router.deis.io/tcpTimeout: "1200"
    spec: {ports: [{name: http, port: 80, targetPort: 8000}], selector: {app: deis-controller}}
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: deis-builder
      namespace: deis
      labels: {heritage: deis}
      annotations:
        router.deis.io/nginx.connectTimeout: "10"
        router.deis.io/nginx.tcpTimeout: "1200"
    spec:
      ports: [{name: ssh, port: 2222, targetPort: 2223}, {name: healthz, port: 8092, targetPort: 8092}]
      selector: {app: deis-builder}
"#;

/// An application, with every annotation of Deis Workflow and Hephy that its Service may have.
const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: shop
      namespace: shop
      labels: {app: shop, heritage: deis, router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: shop,www.example.org
        router.deis.io/certificates: www.example.org:www-example-org
        router.deis.io/whitelist: 127.0.0.1,192.0.2.0/24
        router.deis.io/connectTimeout: 30s
        router.deis.io/tcpTimeout: 1300s
        router.deis.io/maintenance: "False"
        router.deis.io/ssl.enforce: "True"
        router.deis.io/nginx.proxyBuffers.enabled: "true"
        router.deis.io/disableRequestStartHeader: "false"
        router.deis.io/referrerPolicy: none
        router.deis.io/regexDomain: 'store-\d*'
    spec:
      type: ClusterIP
      ports: [{name: http, port: 80, protocol: TCP, targetPort: 5000}]
      selector: {app: shop, heritage: deis, type: web}
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: search
      namespace: search
      labels: {app: search, heritage: deis, router.deis.io/routable: "true"}
      annotations:
        router.deis.io/proxyDomain: shop
        router.deis.io/proxyLocations: /search,/find
    spec: {ports: [{name: http, port: 80, targetPort: 5000}], selector: {app: search}}
"#;

/// What Kubernetes makes of a Service and its pod.
const SLICE: &str = r#"
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: $NAME, namespace: $SPACE, labels: {kubernetes.io/service-name: $NAME}}
    addressType: IPv4
    ports: [{name: $NAMED, port: $POD_PORT}]
    endpoints: [{addresses: [$POD], conditions: {ready: true}}]
"#;

/// As on the command line, with nothing but where Deis's settings are.
fn options() -> RouterOptions {
    let any = ["--http=127.0.0.1:0", "--https=127.0.0.1:0", "--admin=127.0.0.1:0"];
    let settings = "--settings=deployment/deis/deis-router";
    let flags = ["fairlead-router", settings, "--access-log=off", "--shutdown-delay=0s"];
    let flags = Flags::parse_from(flags.into_iter().chain(any));
    let mut options = flags.options();
    for stream in &mut options.settings.streams {
        stream.address = "127.0.0.1:0".parse().unwrap();
    }
    options
}

async fn taken_over(backends: [(&str, &str, &str, &Backend); 4]) -> World {
    // Nothing is to run what it says: the router is here.
    let mut cluster = ClusterOptions::default();
    cluster.act = false;
    let cluster = Cluster::start(cluster).await.unwrap();
    let world = World::on(cluster, |_| {}, |default| *default = options()).await;
    world.write(ROUTER, &[]);
    within("the router is ready", world.router.ready()).await;
    let mut platform = Pair::of("*.apps.example.com").secret("deis-router-platform-cert");
    platform["metadata"]["namespace"] = "deis".into();
    world.put(platform);
    world.put(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "deis-router-dhparam", "namespace": "deis"},
        "data": {"dhparam": BASE64_STANDARD.encode("of no use")},
    }));
    world.put(Pair::of("www.example.org").secret("www-example-org-cert"));
    for (namespace, name, port, pod) in backends {
        let slice = SLICE.replace("$NAMED", port).replace("$NAME", name);
        world.write(&slice.replace("$SPACE", namespace), &[("POD", pod)]);
    }
    for manifest in [PLATFORM, APP] {
        world.write(manifest, &[]);
    }
    world.settled().await;
    world
}

#[tokio::test]
async fn a_router_deployment_and_services_of_deis_are_taken_over_without_an_edit() {
    let (controller, shop) = (Backend::named("controller").await, Backend::named("shop").await);
    let (search, builder) = (Backend::named("search").await, Backend::counting().await);
    let world = taken_over([
        ("deis", "deis-controller", "http", &controller),
        ("deis", "deis-builder", "ssh", &builder),
        ("shop", "shop", "http", &shop),
        ("search", "search", "http", &search),
    ])
    .await;

    // Names without a dot, below the platform domain; its certificate.
    let answer = world.get("http://deis.apps.example.com/v2/").await;
    assert_eq!(answer.brief(), (200, "controller"));
    assert!(answer.header("x-request-id").is_some() && answer.header("x-correlation-id").is_some());
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert_eq!(world.get("https://deis.apps.example.com/v2/").await.brief(), (200, "controller"));
    let redirect = world.get("http://shop.apps.example.com/cart?a=b").await;
    assert_eq!(redirect.status, 301);
    assert_eq!(redirect.header("location"), Some("https://shop.apps.example.com/cart?a=b"));
    for host in ["shop.apps.example.com", "store-7.apps.example.com", "www.example.org"] {
        let answer = world.get(&format!("https://{host}/")).await;
        assert_eq!((answer.brief(), answer.header("referrer-policy")), ((200, "shop"), None));
    }
    assert_eq!(world.get("https://shop.apps.example.com/search/a").await.brief(), (200, "search"));
    assert_eq!(world.get("http://other.apps.example.com/").await.status, 404);
    assert_eq!(world.get("https://other.apps.example.com/").await.status, 404);
    // Of its own size, and not nginx's.
    let post = |size: usize| {
        let request = Request::post("/").header("host", "deis.apps.example.com");
        request.body(bytes::Bytes::from(vec![b'x'; size]).into()).unwrap()
    };
    for (size, status) in [(2 << 20, 200), ((2 << 20) + 1, 413)] {
        let answer = world.connect().await.send(post(size)).await.unwrap();
        assert_eq!(answer.status, status, "{size}");
    }
    // git push.
    let builder = "tcp deis/deis-builder:2222";
    let open = async || world.router.addr(builder).ok_or("not yet");
    let address = eventually("the builder's port is open", open).await;
    let mut git = within("a connection", TcpStream::connect(address)).await.unwrap();
    git.write_all(b"SSH-2.0-git\r\n").await.unwrap();
    git.shutdown().await.unwrap();
    let mut answer = String::new();
    within("the answer", git.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "13 bytes\n");

    let found = world.admin_json("/diagnostics").await;
    assert_eq!(shown(&found), EXPECTED.trim_start());
}

/// A line for each finding.
fn shown(diagnostics: &Value) -> String {
    let mut lines = String::new();
    for object in diagnostics["objects"].as_array().unwrap() {
        for finding in object["findings"].as_array().unwrap() {
            let field = finding["field"].as_str().unwrap();
            let field = field.trim_start_matches("metadata.annotations[").trim_end_matches(']');
            let (name, reason) = (object["name"].as_str().unwrap(), finding["reason"].as_str());
            lines += &format!("{name} {field}: {}\n", reason.unwrap());
        }
    }
    lines
}

/// Everything that does nothing here, or not all that it says.
const EXPECTED: &str = "
shop router.deis.io/nginx.proxyBuffers.enabled: this annotation does nothing here: responses are always streamed, so there are no buffers to set
deis-router router.deis.io/nginx.disableServerTokens: this annotation does nothing here: responses never name the router
deis-router router.deis.io/nginx.errorLogLevel: this annotation does nothing here: choose what is told with --log
deis-router router.deis.io/nginx.gzip.disable: this annotation does nothing here: every client gets the coding that it asks for in Accept-Encoding, or none
deis-router router.deis.io/nginx.gzip.httpVersion: this annotation does nothing here: every client gets the coding that it asks for in Accept-Encoding, or none
deis-router router.deis.io/nginx.gzip.proxied: this annotation does nothing here: every client gets the coding that it asks for in Accept-Encoding, or none
deis-router router.deis.io/nginx.largeHeaderBuffersCount: this annotation does nothing here: the head of a request may have 64 KiB, and a single field all of them
deis-router router.deis.io/nginx.largeHeaderBuffersSize: this annotation does nothing here: the head of a request may have 64 KiB, and a single field all of them
deis-router router.deis.io/nginx.loadModsecurityModule: this annotation does nothing here: there is no web application firewall; put one in front
deis-router router.deis.io/nginx.logFormat: this annotation does nothing here: choose a format with --access-log; deis is Deis's default one
deis-router router.deis.io/nginx.maxWorkerConnections: this annotation does nothing here: set the limit with --max-connections
deis-router router.deis.io/nginx.proxyBuffers.busySize: this annotation does nothing here: responses are always streamed, so there are no buffers to set
deis-router router.deis.io/nginx.proxyBuffers.enabled: this annotation does nothing here: responses are always streamed, so there are no buffers to set
deis-router router.deis.io/nginx.proxyBuffers.number: this annotation does nothing here: responses are always streamed, so there are no buffers to set
deis-router router.deis.io/nginx.proxyBuffers.size: this annotation does nothing here: responses are always streamed, so there are no buffers to set
deis-router router.deis.io/nginx.serverNameHashBucketSize: this annotation does nothing here: any number of names of any length is looked up alike
deis-router router.deis.io/nginx.serverNameHashMaxSize: this annotation does nothing here: any number of names of any length is looked up alike
deis-router router.deis.io/nginx.ssl.bufferSize: this annotation does nothing here: TLS records are sized by what there is to send
deis-router router.deis.io/nginx.ssl.earlyDataMethods: this annotation does nothing here: early data of TLS 1.3 is never accepted
deis-router router.deis.io/nginx.ssl.protocols: \"TLSv1\", \"TLSv1.1\" not offered: older versions of TLS are not safe
deis-router router.deis.io/nginx.ssl.sessionCache: this annotation does nothing here: TLS sessions are resumed by tickets alone; nothing is stored
deis-router router.deis.io/nginx.ssl.sessionTimeout: this annotation does nothing here: TLS sessions are resumed by tickets alone; nothing is stored
deis-router router.deis.io/nginx.trafficStatusZoneSize: this annotation does nothing here: metrics need no zone of memory
deis-router router.deis.io/nginx.workerProcesses: this annotation does nothing here: set the number of threads with --workers
";
