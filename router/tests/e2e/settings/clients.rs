//! Who a client is, and who is let in.

use super::{DENIED, last, noting, start};
use crate::support::Backend;

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
