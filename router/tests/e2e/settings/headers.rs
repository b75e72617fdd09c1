//! Header fields that the router adds.

use super::{last, noting, start};
use crate::support::Backend;

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
