//! Settings of the router as a whole, from annotations of its Deployment as on Deis Workflow.

use std::sync::Arc;

use bytes::Bytes;
use fairlead_cluster::{Cluster, ClusterOptions, Selector, kinds};
use fairlead_router::{Router, RouterOptions, SettingsSource};
use fairlead_router_core::{Key, PlatformCertificate, object::Kind};
use http_body_util::Full;
use hyper::{Request, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Connection, Pair, World, eventually, options, within};

const NOT_FOUND: (u16, &str) = (404, "No application answers at this address.\n");
pub(crate) const DENIED: (u16, &str) = (403, "Your address may not use this application.\n");

/// The Deployment of a router, without pods.
const ROUTER: &str = r#"
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: deis-router, namespace: deis}
    spec:
      replicas: 0
      selector: {matchLabels: {app: deis-router}}
      template:
        metadata: {labels: {app: deis-router}}
        spec: {containers: [{name: deis-router, image: router}]}
"#;

/// One application `web` at `web.example`, with a certificate.
const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: web.example
        router.deis.io/certificates: "web.example:web"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{port: $WEB_PORT}]
    endpoints: [{addresses: [$WEB]}]
"#;

/// The app `web`, and a router that reads `settings` from its Deployment.
pub(crate) async fn start(web: &Backend, settings: &[(&str, &str)]) -> World {
    start_with(web, settings, |_| {}).await
}

pub(crate) async fn start_with(
    web: &Backend,
    settings: &[(&str, &str)],
    adjust: impl FnOnce(&mut RouterOptions),
) -> World {
    let world = World::with(|options| {
        let object = Key::new("deis", "deis-router").of(Kind::Deployment);
        options.settings_from = Some(SettingsSource::Object(object));
        adjust(options);
    })
    .await;
    world.write(ROUTER, &[]);
    for (name, value) in settings {
        world.set(name, *value).await;
    }
    world.put(Pair::of("web.example").secret("web-cert"));
    world.apply(APP, &[("WEB", web)]).await;
    world
}

impl World {
    /// Sets a setting as on Deis Workflow, or takes it away.
    pub(crate) async fn set(&self, name: &str, value: impl Into<Value>) {
        let name = format!("router.deis.io/nginx.{name}");
        let patch = json!({"metadata": {"annotations": {name: value.into()}}});
        self.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
        self.settled().await;
    }

    async fn status(&self, url: &str) -> u16 {
        self.get(url).await.status
    }

    /// What is wrong with the router's Deployment.
    pub(crate) async fn findings(&self) -> Value {
        let told = self.admin_json("/diagnostics").await;
        let objects = told["objects"].as_array().unwrap();
        let found = objects.iter().find(|object| object["kind"] == "Deployment");
        found.map_or(Value::Null, |object| object["findings"].clone())
    }
}

/// A backend that notes the header fields of the requests it gets.
pub(crate) async fn noting() -> (Backend, Arc<Mutex<Vec<http::HeaderMap>>>) {
    let seen = Arc::<Mutex<Vec<http::HeaderMap>>>::default();
    let noted = seen.clone();
    let backend = Backend::answering(move |request| {
        noted.lock().push(request.headers().clone());
        Response::new(Full::from("web"))
    })
    .await;
    (backend, seen)
}

/// A field of the last request.
pub(crate) fn last(seen: &Mutex<Vec<http::HeaderMap>>, name: &str) -> Option<String> {
    seen.lock().last().unwrap().get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn row_02_a_dotless_name_is_below_the_platform_domain_or_with_any_suffix() {
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    world.annotate("router.deis.io/domains", "web").await;
    for host in ["web", "web.apps.example", "web.example"] {
        assert_eq!(world.get(&format!("http://{host}/")).await.brief(), NOT_FOUND, "{host}");
    }
    world.set("platformDomain", "apps.example").await;
    assert_eq!(world.get("http://web.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://web.example/").await.brief(), NOT_FOUND);
    world.set("platformDomain", "other.example").await;
    assert_eq!(world.get("http://web.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://web.other.example/").await.brief(), (200, "web"));

    // Only where it is asked for: anybody's name may begin with an app's.
    world.set("platformDomain", Value::Null).await;
    assert_eq!(world.get("http://web.other.example/").await.brief(), NOT_FOUND);
    world.set("matchAnySuffix", "true").await;
    for (host, expected) in [
        ("web.other.example", (200, "web")),
        ("web.a", (200, "web")),
        ("web", NOT_FOUND),
        ("webs.example", NOT_FOUND),
        ("a.web.example", NOT_FOUND),
    ] {
        assert_eq!(world.get(&format!("http://{host}/")).await.brief(), expected, "{host}");
    }
}

#[tokio::test]
async fn regex_domains_are_below_the_platform_domain_where_they_are_allowed() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("platformDomain", "apps.example")]).await;
    world.annotate("router.deis.io/regexDomain", r"store-\d*").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), NOT_FOUND);
    world.set("enableRegexDomains", "true").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://Store-7.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://store-x.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://store-12.example/").await.brief(), NOT_FOUND);
    world.annotate("router.deis.io/regexDomain", "store-(").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn row_11_ssl_enforce_for_the_whole_router() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("ssl.enforce", "true")]).await;
    let answer = world.get("http://web.example/a%20b/c?d=e&f=%2F").await;
    assert_eq!(answer.brief(), (301, ""));
    assert_eq!(answer.header("location"), Some("https://web.example/a%20b/c?d=e&f=%2F"));
    assert_eq!(answer.header("strict-transport-security"), None);
    assert_eq!(world.get("https://web.example/").await.brief(), (200, "web"));
    world.set("ssl.enforce", "false").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn row_12_hsts_is_sent_over_https_only_and_implies_the_redirect() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("ssl.hsts.maxAge", "10886400")]).await;
    const HSTS: &str = "strict-transport-security";
    assert_eq!(world.get("https://web.example/").await.header(HSTS), None, "not enabled");
    world.set("ssl.hsts.enabled", "true").await;
    assert_eq!(world.get("https://web.example/").await.header(HSTS), Some("max-age=10886400"));
    let plain = world.get("http://web.example/a").await;
    assert_eq!((plain.status, plain.header(HSTS)), (301, None));
    assert_eq!(plain.header("location"), Some("https://web.example/a"));
    world.set("ssl.hsts.includeSubDomains", "true").await;
    world.set("ssl.hsts.preload", "true").await;
    assert_eq!(
        world.get("https://web.example/").await.header(HSTS),
        Some("max-age=10886400; includeSubDomains; preload")
    );
    world.set("ssl.hsts.maxAge", Value::Null).await;
    assert_eq!(
        world.get("https://web.example/").await.header(HSTS),
        Some("max-age=15552000; includeSubDomains; preload")
    );
}

#[tokio::test]
async fn row_13_whitelists_of_app_and_router_have_a_truth_table() {
    const HERE: &str = "127.0.0.0/8";
    const ELSEWHERE: &str = "192.0.2.0/24";
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    // The app's list, the router's, how they go together, whether one is required: who gets in.
    for (own, default, mode, enforce, expected) in [
        (None, None, "extend", "false", 200),
        (None, None, "extend", "true", 403),
        (None, None, "override", "true", 403),
        (Some(HERE), None, "extend", "true", 200),
        (Some(HERE), None, "override", "false", 200),
        (Some(ELSEWHERE), None, "extend", "false", 403),
        (None, Some(HERE), "extend", "true", 200),
        (None, Some(HERE), "override", "false", 200),
        (None, Some(ELSEWHERE), "extend", "false", 403),
        (Some(ELSEWHERE), Some(HERE), "extend", "false", 200),
        (Some(ELSEWHERE), Some(HERE), "override", "false", 403),
        (Some(HERE), Some(ELSEWHERE), "extend", "true", 200),
        (Some(HERE), Some(ELSEWHERE), "override", "true", 200),
        // Lists that cannot be read let nobody in.
        (Some("the office"), None, "extend", "false", 403),
        (None, Some("the office"), "extend", "false", 403),
        (Some("the office"), Some(HERE), "override", "false", 403),
    ] {
        world.set("defaultWhitelist", default).await;
        world.set("whitelistMode", mode).await;
        world.set("enforceWhitelists", enforce).await;
        world.annotate("router.deis.io/whitelist", own).await;
        let answer = world.get("http://web.example/").await;
        let expected = if expected == 200 { (200, "web") } else { DENIED };
        assert_eq!(answer.brief(), expected, "{own:?} {default:?} {mode} {enforce}");
    }
}

fn post(host: &str, body: usize, chunked: bool) -> Request<Full<Bytes>> {
    let request = Request::post("/").header("host", host);
    let request = if chunked { request.header("transfer-encoding", "chunked") } else { request };
    request.body(Full::from(vec![b'x'; body])).unwrap()
}

#[tokio::test]
async fn row_15_body_size_gives_413_beyond_and_0_is_no_limit() {
    let web = Backend::answering(|request| {
        let length =
            request.headers().get("content-length").map(|v| v.to_str().unwrap().to_owned());
        Response::new(Full::from(length.unwrap_or_default()))
    })
    .await;
    let world = start(&web, &[]).await;
    let send = async |body, chunked| {
        let mut connection = world.connect().await;
        let Answer { status, body, .. } =
            connection.send(post("web.example", body, chunked)).await.unwrap();
        (status, body)
    };
    const MIB: usize = 1024 * 1024;
    let too_large = || (413, "The body of this request is too large.\n".to_owned());
    assert_eq!(send(MIB, false).await, (200, MIB.to_string()));
    assert_eq!(send(MIB + 1, false).await, too_large());
    world.set("bodySize", "2k").await;
    assert_eq!(send(2048, false).await, (200, "2048".to_owned()));
    assert_eq!(send(2049, false).await, too_large());
    assert_eq!(send(2048, true).await.0, 200);
    assert_eq!(send(2049, true).await, too_large());
    world.set("bodySize", "0").await;
    assert_eq!(send(3 * MIB, false).await, (200, (3 * MIB).to_string()));
    // An app's own limit.
    world.annotate("router.deis.io/bodySize", "1k").await;
    assert_eq!(send(1025, false).await, too_large());
}

#[tokio::test]
async fn row_16_gzip_has_types_a_least_length_a_level_and_vary() {
    let web = Backend::answering(|request| {
        let query = request.uri().query().unwrap_or_default();
        let (length, media) = query.split_once('&').unwrap();
        let words: String = (0..4_000_u64).map(|n| format!("{} ", n * n % 9_973)).collect();
        let body = words[..length.parse().unwrap()].to_owned();
        Response::builder().header("content-type", media).body(Full::from(body)).unwrap()
    })
    .await;
    let world = start(&web, &[]).await;
    let get = async |length: usize, media: &str| {
        let url = format!("http://web.example/?{length}&{media}");
        let answer = world.get_with(&url, &[("accept-encoding", "gzip")]).await;
        let field = |name| answer.header(name).map(ToOwned::to_owned);
        // Of compressed bodies a measure, not the length: the client takes them for text.
        (field("content-encoding"), field("vary"), answer.body.chars().count())
    };
    let gzip = || Some("gzip".to_owned());
    let vary = || Some("Accept-Encoding".to_owned());
    // By default: text from 256 bytes on.
    assert_eq!(get(255, "text/html").await, (None, None, 255));
    let (coding, varies, by_default) = get(10_000, "text/html").await;
    assert_eq!((coding, varies), (gzip(), vary()));
    assert!(by_default < 8_000, "{by_default}");
    assert_eq!(get(300, "application/json").await.0, gzip());
    assert_eq!(get(300, "image/png").await, (None, None, 300));

    world.set("gzip.minLength", "1000").await;
    assert_eq!(get(999, "text/html").await, (None, None, 999));
    assert_eq!(get(1000, "text/html").await.0, gzip());

    world.set("gzip.compLevel", "1").await;
    let least = get(10_000, "text/html").await.2;
    assert!(least > by_default, "{least} at level 1, {by_default} at level 5");

    // As nginx has it: HTML is always among them.
    world.set("gzip.types", "image/png font/opentype").await;
    assert_eq!(get(1000, "image/png").await.0, gzip());
    assert_eq!(get(1000, "text/html").await.0, gzip());
    assert_eq!(get(1000, "application/json").await, (None, None, 1000));

    world.set("gzip.vary", "off").await;
    assert_eq!(get(1000, "text/html").await.1, None);
    world.set("gzip.vary", "on").await;

    world.set("gzip.enabled", "false").await;
    assert_eq!(get(1000, "text/html").await, (None, None, 1000));
    world.annotate("router.fairlead.dev/gzip.enabled", "true").await;
    assert_eq!(get(1000, "text/html").await.0, gzip());
    world.set("gzip.enabled", "true").await;
    world.annotate("router.fairlead.dev/gzip.enabled", "false").await;
    assert_eq!(get(1000, "text/html").await, (None, None, 1000));

    for (name, value) in
        [("compLevel", "10"), ("types", "text"), ("vary", "yes"), ("minLength", "-1")]
    {
        world.set(&format!("gzip.{name}"), value).await;
    }
    let found = world.findings().await;
    let reasons: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "\"10\" is not a whole number from 1 to 9. The default stands",
            "\"-1\" is not a size; write a whole number of bytes, or of KiB, MiB or GiB with k, m or g, such as 10m. The default stands",
            "\"text\" is not a media type; write one such as application/json, or * for anything. The default stands",
            "\"yes\" is none of on, off, true, false. The default stands",
        ]
    );
}

#[tokio::test]
async fn row_17_forwarded_headers_are_believed_from_trusted_peers_only() {
    let (web, seen) = noting().await;
    let world = start(&web, &[]).await;
    let told = [
        ("x-forwarded-for", "203.0.113.7, 192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
    ];
    let fields =
        || ["for", "proto", "port"].map(|n| last(&seen, &format!("x-forwarded-{n}")).unwrap());

    world.get_with("http://web.example/", &told).await;
    assert_eq!(fields(), ["127.0.0.1", "http", "80"]);
    world.get_with("https://web.example/", &[("x-forwarded-proto", "http")]).await;
    assert_eq!(fields(), ["127.0.0.1", "https", "443"]);

    world.set("proxyRealIpCidrs", "127.0.0.0/8,192.0.2.0/24").await;
    world.get_with("http://web.example/", &told).await;
    assert_eq!(fields(), ["203.0.113.7, 192.0.2.1, 127.0.0.1", "https", "444"]);
    // TLS is TLS, whatever anybody says; of a list the last entry counts.
    world.get_with("https://web.example/", &[("x-forwarded-proto", "http")]).await;
    assert_eq!(fields(), ["127.0.0.1", "https", "443"]);
    world.get_with("http://web.example/", &[("x-forwarded-proto", "http, wss")]).await;
    assert_eq!(fields(), ["127.0.0.1", "wss", "80"]);
    // The client is the last one that is not trusted: access lists go by it.
    world.annotate("router.deis.io/whitelist", "203.0.113.7").await;
    assert_eq!(world.get_with("http://web.example/", &told).await.status, 200);
    assert_eq!(world.get("http://web.example/").await.brief(), DENIED);
}

#[tokio::test]
async fn row_19_request_ids_are_new_and_correlation_ids_grow() {
    let (web, seen) = noting().await;
    let world = start(&web, &[]).await;
    let answer = world.get_with("http://web.example/", &[("x-request-id", "mine")]).await;
    assert_eq!(last(&seen, "x-request-id").as_deref(), Some("mine"), "not touched unless set");
    assert_eq!(answer.header("x-request-id"), None);

    world.set("requestIDs", "true").await;
    let mut ids = Vec::new();
    for correlation in [None, Some("a"), Some("a,b")] {
        let mut headers = vec![("x-request-id", "mine")];
        headers.extend(correlation.map(|value| ("x-correlation-id", value)));
        let answer = world.get_with("http://web.example/", &headers).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        let expected = correlation.map_or_else(|| id.clone(), |before| format!("{before},{id}"));
        assert_eq!(answer.header("x-correlation-id"), Some(&*expected));
        assert_eq!(last(&seen, "x-request-id"), Some(id.clone()));
        assert_eq!(last(&seen, "x-correlation-id"), Some(expected));
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each request has its own: {ids:?}");
    // The router's own answers have them too.
    world.annotate("router.deis.io/maintenance", "true").await;
    let answer = world.get("http://web.example/").await;
    assert_eq!((answer.status, answer.header("x-request-id").map(str::len)), (503, Some(32)));
}

#[tokio::test]
async fn row_20_request_start_with_an_opt_out_per_app() {
    let (web, seen) = noting().await;
    let world = start(&web, &[]).await;
    world.get("http://web.example/").await;
    assert_eq!(last(&seen, "x-request-start"), None);
    world.set("requestStartHeader", "true").await;
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let before = now();
    world.get_with("http://web.example/", &[("x-request-start", "t=1.000")]).await;
    let field = last(&seen, "x-request-start").unwrap();
    let (seconds, milliseconds) = field.strip_prefix("t=").unwrap().split_once('.').unwrap();
    assert_eq!(milliseconds.len(), 3, "{field}");
    let start: u128 = format!("{seconds}{milliseconds}").parse().unwrap();
    assert!((before..=now()).contains(&start), "{field}");
    world.annotate("router.deis.io/disableRequestStartHeader", "true").await;
    world.get("http://web.example/").await;
    assert_eq!(last(&seen, "x-request-start"), None);
}

#[tokio::test]
async fn row_26_a_setting_that_cannot_be_read_is_told_and_the_others_live_on() {
    let web = Backend::named("web").await;
    let world =
        start(&web, &[("bodySize", "1MB"), ("ssl.enforce", "yes"), ("requestIDs", "true")]).await;
    let answer = world.get("http://web.example/").await;
    assert_eq!((answer.status, answer.header("x-request-id").map(str::len)), (200, Some(32)));
    let expected = json!([
        {
            "field": "metadata.annotations[router.deis.io/nginx.bodySize]",
            "severity": "warning",
            "reason": "\"1MB\" is not a size; write a whole number of bytes, or of KiB, MiB or GiB with k, m or g, \
                       such as 10m. The default stands",
        },
        {
            "field": "metadata.annotations[router.deis.io/nginx.ssl.enforce]",
            "severity": "warning",
            "reason": "\"yes\" is neither true nor false. The default stands",
        },
    ]);
    assert_eq!(world.findings().await, expected);
    world.set("bodySize", "1m").await;
    world.set("ssl.enforce", Value::Null).await;
    assert_eq!(world.findings().await, Value::Null);
}

#[tokio::test]
async fn row_24_buffering_and_tuning_of_nginx_are_reported_as_void() {
    let web = Backend::named("web").await;
    let settings =
        [("proxyBuffers.enabled", "true"), ("serverNameHashMaxSize", "1024"), ("noSuch", "x")];
    let world = start(&web, &settings).await;
    let finding = |name: &str, reason: &str| {
        json!({
            "field": format!("metadata.annotations[router.deis.io/{name}]"),
            "severity": "warning",
            "reason": reason,
        })
    };
    let streamed = "this annotation does nothing here: responses are always streamed, so there are no buffers to set";
    let expected = json!([
        finding("nginx.noSuch", "this annotation is not known and does nothing"),
        finding("nginx.proxyBuffers.enabled", streamed),
        finding(
            "nginx.serverNameHashMaxSize",
            "this annotation does nothing here: any number of names of any length is looked up alike"
        ),
    ]);
    assert_eq!(world.findings().await, expected);
    world.annotate("router.deis.io/nginx.proxyBuffers.enabled", "true").await;
    let told = world.admin_json("/diagnostics").await;
    let found = told["objects"].as_array().unwrap().iter().find(|o| o["kind"] == "Service");
    assert_eq!(
        found.unwrap()["findings"],
        json!([finding("nginx.proxyBuffers.enabled", streamed)])
    );
}

#[tokio::test]
async fn row_32_referrer_policy_of_router_and_app() {
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    let policy = async || {
        let answer = world.get("http://web.example/").await;
        answer.header("referrer-policy").map(str::to_owned)
    };
    assert_eq!(policy().await, None);
    world.set("referrerPolicy", "no-referrer").await;
    assert_eq!(policy().await.as_deref(), Some("no-referrer"));
    world.annotate("router.deis.io/referrerPolicy", "strict-origin-when-cross-origin").await;
    assert_eq!(policy().await.as_deref(), Some("strict-origin-when-cross-origin"));
    world.annotate("router.deis.io/referrerPolicy", "none").await;
    assert_eq!(policy().await, None);
    world.annotate("router.deis.io/referrerPolicy", "whatever").await;
    assert_eq!(policy().await.as_deref(), Some("no-referrer"), "the router's stands");
}

#[tokio::test]
async fn the_own_prefix_wins_and_flags_hold_where_the_object_says_nothing() {
    let web = Backend::named("web").await;
    let world = start_with(&web, &[("referrerPolicy", "origin")], |options| {
        options.settings.referrer_policy = None;
        options.settings.request_ids = true;
    })
    .await;
    let fields = async || {
        let answer = world.get("http://web.example/").await;
        let policy = answer.header("referrer-policy").map(str::to_owned);
        (policy, answer.header("x-request-id").is_some())
    };
    assert_eq!(fields().await, (Some("origin".to_owned()), true));
    let own = |value: Value| {
        let patch =
            json!({"metadata": {"annotations": {"router.fairlead.dev/referrerPolicy": value}}});
        world.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
    };
    own(json!("same-origin"));
    world.set("requestIDs", "false").await;
    assert_eq!(fields().await, (Some("same-origin".to_owned()), false));
    // Without the object the flags alone hold, and that is told.
    world.delete(&kinds::DEPLOYMENT, "deis", "deis-router");
    world.settled().await;
    assert_eq!(fields().await, (None, true));
    let expected = json!([{
        "field": "metadata.annotations",
        "severity": "warning",
        "reason": "this object, which is to hold the router's settings, does not exist; the flags alone hold",
    }]);
    assert_eq!(world.findings().await, expected);
    assert_eq!(world.status("http://web.example/").await, 200);
}

#[tokio::test]
async fn without_a_name_the_settings_are_those_of_the_workload_that_owns_the_pod() {
    let world = World::start().await;
    world.write(&ROUTER.replace("replicas: 0", "replicas: 1"), &[]);
    let patch = json!({"metadata": {"annotations": {"router.deis.io/nginx.platformDomain": "apps.example"}}});
    world.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
    let web = Backend::named("web").await;
    world.apply(&APP.replace("web.example\n", "web\n"), &[("WEB", &web)]).await;
    let pod = eventually("the pod is there", async || {
        let pods = world.cluster.registry().list(&kinds::POD, Some("deis"), &Selector::default());
        let name =
            pods.items.first().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned());
        name.ok_or(())
    })
    .await;
    let settings_from = Some(SettingsSource::OwnerOf(Key::new("deis", pod)));
    let options = RouterOptions { settings_from, ..options() };
    let router = Router::start(options, world.api.client().await).unwrap();
    within("the router is ready", router.ready()).await;
    let mut connection = Connection::plain(router.addr(fairlead_router::HTTP).unwrap()).await;
    assert_eq!(connection.get("web.apps.example", "/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn settings_that_may_not_be_read_keep_the_router_from_being_ready() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let object = Key::new("deis", "deis-router").of(Kind::Deployment);
    let world = World::on(
        cluster,
        |api| api.refuse("/deployments", 403),
        |options| options.settings_from = Some(SettingsSource::Object(object)),
    )
    .await;
    let expected = "not ready\nDeployment deis/deis-router: forbidden: add to the router's Role in namespace deis: \
        - {apiGroups: [\"apps\"], resources: [deployments], verbs: [get, list, watch]}\n";
    eventually("the watch is refused", async || {
        let answer = world.admin("/readyz").await;
        if answer.brief() == (503, expected) { Ok(()) } else { Err(answer) }
    })
    .await;
    world.api.allow();
    within("the router is ready", world.router.ready()).await;
}

#[tokio::test]
async fn row_06_the_platform_certificate_serves_dotless_names_and_the_default_vhost() {
    let web = Backend::named("web").await;
    let world = start_with(&web, &[("platformDomain", "apps.example")], |options| {
        let secret = Key::new("shop", "platform-cert");
        options.settings.platform_certificate =
            Some(PlatformCertificate { secret, optional: true });
    })
    .await;
    world.annotate("router.deis.io/domains", "web").await;
    world.annotate("router.deis.io/certificates", Value::Null).await;
    let ask = async |sni: &str| {
        let mut connection = world.connect_tls(sni).await;
        let answer = connection.get(sni, "/").await;
        (connection.certificate.clone().unwrap().to_vec(), answer.status)
    };
    // Without it, one that the router has signed itself, and 404.
    let (own, status) = ask("web.apps.example").await;
    assert_eq!(status, 404);
    assert_eq!(ask("unknown.example").await, (own.clone(), 404));

    let platform = Pair::of("*.apps.example");
    world.put(platform.secret("platform-cert"));
    world.settled().await;
    assert_eq!(ask("web.apps.example").await, (platform.certificate.to_vec(), 200));
    assert_eq!(ask("unknown.example").await, (platform.certificate.to_vec(), 404));
    // A full name that it is valid for has it too, unless it has its own.
    world
        .annotate("router.deis.io/domains", "web,full.apps.example,own.apps.example,web.example")
        .await;
    assert_eq!(ask("full.apps.example").await, (platform.certificate.to_vec(), 200));
    assert_eq!(ask("web.example").await, (platform.certificate.to_vec(), 404), "not valid for it");
    let pair = Pair::of("own.apps.example");
    world.put(pair.secret("own-cert"));
    world.annotate("router.deis.io/certificates", "own.apps.example:own").await;
    assert_eq!(ask("own.apps.example").await, (pair.certificate.to_vec(), 200));

    // It is replaced without a restart; a bad one leaves the good one in use.
    let renewed = Pair::of("*.apps.example");
    world.put(renewed.secret("platform-cert"));
    world.settled().await;
    assert_eq!(ask("web.apps.example").await, (renewed.certificate.to_vec(), 200));
    world.put(platform.partial_secret("platform-cert", &["tls.crt"]));
    world.settled().await;
    assert_eq!(ask("web.apps.example").await, (renewed.certificate.to_vec(), 200));
    let told = world.admin_json("/diagnostics").await.to_string();
    assert!(told.contains("platform-cert") && told.contains("data[tls.key]"), "{told}");
    world.delete(&kinds::SECRET, "shop", "platform-cert");
    world.settled().await;
    assert_eq!(ask("web.apps.example").await, (own, 404));
}

/// A Service without label: nobody's but the router's settings name it.
const FALLBACK: &str = r#"
    apiVersion: v1
    kind: Service
    metadata: {name: lost, namespace: deis}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: lost, namespace: deis, labels: {kubernetes.io/service-name: lost}}
    addressType: IPv4
    ports: [{port: $LOST_PORT}]
    endpoints: [{addresses: [$LOST]}]
"#;

#[tokio::test]
async fn row_30_a_catch_all_service_answers_where_no_host_is_found() {
    let (web, lost) = (Backend::named("web").await, Backend::named("lost").await);
    let world = start(&web, &[]).await;
    world.apply(FALLBACK, &[("LOST", &lost)]).await;
    let ask = async |path: &str| {
        let Answer { status, body, .. } = world.get(&format!("http://unknown.example{path}")).await;
        (status, body)
    };
    let text = |status, body: &str| (status, body.to_owned());
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));

    // As on Deis Workflow: an address, when it is enabled.
    world.set("defaultServiceIP", lost.address().to_string()).await;
    world.set("defaultAppName", "lost-and-found").await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));
    world.set("defaultServiceEnabled", "true").await;
    assert_eq!(ask("/a").await, text(200, "lost"));
    assert_eq!(ask("/healthz").await, text(200, "ok\n"));
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    let apps: Vec<_> = world
        .admin_json("/routes")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (route["host"].clone(), route["app"].clone()))
        .collect();
    let expected =
        [(json!("web.example"), json!("shop/web")), (json!("*"), json!("lost-and-found"))];
    assert_eq!(apps, expected);
    world.set("defaultServiceEnabled", "false").await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));

    // By its name: its endpoints are followed.
    world.set("defaultService", "deis/lost").await;
    assert_eq!(ask("/a").await, text(200, "lost"));
    world.delete(&kinds::ENDPOINT_SLICE, "deis", "lost");
    world.settled().await;
    assert_eq!(ask("/a").await, text(503, "This application has no running instance.\n"));
    world.delete(&kinds::SERVICE, "deis", "lost");
    world.settled().await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));
    let told = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([{
        "kind": "Service", "namespace": "deis", "name": "lost",
        "findings": [{
            "field": "spec.ports",
            "severity": "error",
            "reason": "this Service does not exist; it is to be served where no host is found",
        }],
    }]);
    assert_eq!(told, expected);
}

/// An application in a namespace of its own, as each has on Deis Workflow.
const API: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: api
      namespace: api
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: api.example
        router.deis.io/proxyDomain: PROXY_DOMAIN
        router.deis.io/proxyLocations: "/api/, = /status"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: api, namespace: api, labels: {kubernetes.io/service-name: api}}
    addressType: IPv4
    ports: [{port: $API_PORT}]
    endpoints: [{addresses: [$API]}]
"#;

#[tokio::test]
async fn row_31_a_service_is_mounted_at_paths_of_another_ones_host() {
    let web = Backend::named("web").await;
    let api =
        Backend::answering(|request| Response::new(Full::from(format!("api {}", request.uri()))))
            .await;
    let world = start(&web, &[]).await;
    world.apply(&API.replace("PROXY_DOMAIN", "web.example"), &[("API", &api)]).await;
    let ask = async |path: &str| world.get(&format!("http://web.example{path}")).await.body;
    for (path, expected) in [
        ("/", "web"),
        ("/api", "api /api"),
        ("/api/", "api /api/"),
        ("/api/users?a=b", "api /api/users?a=b"),
        ("/apis", "web"),
        ("/status", "api /status"),
        ("/status/more", "web"),
    ] {
        assert_eq!(ask(path).await, expected, "{path}");
    }
    assert_eq!(world.get("http://api.example/").await.body, "api /");

    // The owner's access list holds for all of its host.
    world.annotate("router.deis.io/whitelist", "192.0.2.1").await;
    assert_eq!(world.get("http://web.example/api").await.brief(), DENIED);
    assert_eq!(world.get("http://api.example/").await.status, 200);
    world.annotate("router.deis.io/whitelist", Value::Null).await;
    assert_eq!(ask("/api").await, "api /api");

    // A host that nobody has costs only the mount.
    world.apply(&API.replace("PROXY_DOMAIN", "nobody.example"), &[("API", &api)]).await;
    assert_eq!(ask("/api").await, "web");
    assert_eq!(world.get("http://nobody.example/api").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://api.example/").await.body, "api /");
    let told = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([{
        "kind": "Service", "namespace": "api", "name": "api",
        "findings": [{
            "field": "metadata.annotations[proxyDomain]",
            "severity": "error",
            "reason": "no Service has nobody.example among its domains; until one has, nothing is served there",
        }],
    }]);
    assert_eq!(told, expected);
}

// RFC 3986 §2.2, §3.3, §5.2.4: `/api` is closed to this client, and stays so in every spelling.
#[tokio::test]
async fn a_path_that_endpoints_may_read_in_two_ways_does_not_pass_a_rule_by() {
    let (web, api) = (Backend::named("web").await, Backend::named("api").await);
    let world = start(&web, &[]).await;
    world.apply(&API.replace("PROXY_DOMAIN", "web.example"), &[("API", &api)]).await;
    let closed = json!({"metadata": {"annotations": {"router.deis.io/whitelist": "192.0.2.1"}}});
    world.patch(&kinds::SERVICE, "api", "api", closed);
    world.settled().await;
    const AMBIGUOUS: (u16, &str) = (400, "The path of this request can be read in two ways.\n");
    for (path, expected) in [
        ("/api/users", DENIED),
        // Everybody reads these alike.
        ("/%61pi/users", DENIED),
        ("/x/../api/users", DENIED),
        ("/x/%2e%2e/api/users", DENIED),
        ("/api/../x", (200, "web")),
        // These are `/api` to some and not to others.
        ("//api/users", AMBIGUOUS),
        ("/%2fapi/users", AMBIGUOUS),
        ("/x%2f..%2fapi/users", AMBIGUOUS),
        ("/x/..%2fapi/users", AMBIGUOUS),
        ("/api;a=b/users", AMBIGUOUS),
        ("/api%2fusers", AMBIGUOUS),
        // Two readings, and one rule for both.
        ("/x%2fy", (200, "web")),
        ("/x//y", (200, "web")),
        ("/x;a=b/y", (200, "web")),
    ] {
        let mut connection = world.connect().await;
        let answer = connection.get("web.example", path).await;
        assert_eq!(answer.brief(), expected, "{path}");
    }
}

/// A ConfigMap of pages.
const PAGES: &str = r#"
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: NAME, namespace: NAMESPACE, labels: {router.fairlead.dev/pages: "true"}}
    data: {503.html: "NAME has nobody", maintenance.html: "NAME is being worked on", 404.html: "NAME knows nothing"}
"#;

#[tokio::test]
async fn row_69_error_and_maintenance_pages_are_the_apps_else_the_platforms() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("errorPages", "deis/platform")]).await;
    let pages =
        |namespace: &str, name: &str| PAGES.replace("NAMESPACE", namespace).replace("NAME", name);
    // Until it is there, the built-in ones are shown.
    assert_eq!(world.get("http://nobody.example/").await.brief(), NOT_FOUND);
    world.apply(&pages("deis", "platform"), &[]).await;
    assert_eq!(world.get("http://nobody.example/").await.brief(), (404, "platform knows nothing"));
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    world.annotate("router.deis.io/maintenance", "true").await;
    let answer = world.get("http://web.example/").await;
    assert_eq!(answer.brief(), (503, "platform is being worked on"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));

    world.annotate("router.fairlead.dev/errorPages", "own").await;
    let told = world.admin_json("/diagnostics").await["objects"].to_string();
    let absent = "ConfigMap shop/own does not exist, or has not the label router.fairlead.dev/pages: \\\"true\\\"";
    assert!(told.contains(absent), "{told}");
    world.apply(&pages("shop", "own"), &[]).await;
    assert_eq!(world.get("http://web.example/").await.brief(), (503, "own is being worked on"));

    // One without the label is not read, and may say what it likes.
    let patch = json!({"metadata": {"labels": {"router.fairlead.dev/pages": null}}});
    world.patch(&kinds::CONFIG_MAP, "shop", "own", patch);
    let back =
        async || world.get("http://web.example/").await.body == "platform is being worked on";
    within("the platform's page is back", async {
        while !back().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
