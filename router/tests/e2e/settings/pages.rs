//! Pages in place of the built-in ones.

use fairlead_cluster::kinds;
use serde_json::json;

use super::{NOT_FOUND, start};
use crate::support::{Backend, within};

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
