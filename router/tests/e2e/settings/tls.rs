//! Certificates and the way to https.

use fairlead_cluster::kinds;
use fairlead_router_core::{Key, PlatformCertificate};
use serde_json::Value;

use super::{start, start_with};
use crate::support::{Backend, Pair};

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
