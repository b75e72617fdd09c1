//! The locks, tried raw: what is refused before a request is looked at.

mod client;

use client::{Answer, Api, raw};
use serde_json::{Value, json};

async fn code(api: &Api, request: &str) -> u16 {
    send(api, request).await.code
}

/// What refuses says so as Kubernetes does.
fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

async fn send(api: &Api, request: &str) -> Answer {
    let addr = api.server.addr();
    let request = request
        .replace("ADDR", &addr.to_string())
        .replace("PORT", &addr.port().to_string())
        .replace("TOKEN", &api.token)
        .replace('\n', "\r\n");
    raw(addr, request.as_bytes()).await
}

#[tokio::test]
async fn every_path_needs_a_token_that_was_given_out() {
    let api = Api::start().await;
    for path in ["/healthz", "/readyz", "/version", "/api", "/apis", "/api/v1/pods", "/nothing"] {
        let bare = format!("GET {path} HTTP/1.1\nHost: ADDR\nConnection: close\n\n");
        let answer = send(&api, &bare).await;
        let expected = refusal(401, "Unauthorized", "Unauthorized");
        assert_eq!((answer.code, answer.json()), (401, expected), "{path} without a token");
        for wrong in ["Bearer x", "Basic TOKEN", "Bearer", "TOKEN", "Bearer TOKENx", "Bearer "] {
            let request = format!(
                "GET {path} HTTP/1.1\nHost: ADDR\nAuthorization: {wrong}\nConnection: close\n\n"
            );
            let answer = send(&api, &request).await;
            let expected = refusal(401, "Unauthorized", "Unauthorized");
            assert_eq!((answer.code, answer.json()), (401, expected), "{path} with {wrong}");
        }
    }
    let good =
        "GET /healthz HTTP/1.1\nHost: ADDR\nAuthorization: Bearer TOKEN\nConnection: close\n\n";
    assert_eq!(code(&api, good).await, 200);
}

#[tokio::test]
async fn a_revoked_token_is_worthless() {
    let api = Api::start().await;
    let request =
        "GET /readyz HTTP/1.1\nHost: ADDR\nAuthorization: Bearer TOKEN\nConnection: close\n\n";
    assert_eq!(code(&api, request).await, 200);
    api.tokens.revoke(&api.token);
    assert_eq!(code(&api, request).await, 401);
}

#[tokio::test]
async fn a_host_that_is_not_the_bound_address_or_localhost_is_refused() {
    let api = Api::start().await;
    let addr = api.server.addr();
    let message = format!("Host must be {addr} or localhost:{}", addr.port());
    let refused_host = refusal(403, "Forbidden", &message);
    for (host, expected) in [
        ("Host: ADDR\n", 200),
        ("Host: localhost:PORT\n", 200),
        ("Host: localhost\n", 403),
        ("Host: 127.0.0.1\n", 403),
        ("Host: evil.example:PORT\n", 403),
        ("Host: localhost.evil.example:PORT\n", 403),
        ("Host: 127.0.0.2:PORT\n", 403),
        ("Host: \n", 403),
        ("", 403),
        ("Host: ADDR\nHost: evil.example\n", 403),
    ] {
        let request = format!(
            "GET /readyz HTTP/1.1\n{host}Authorization: Bearer TOKEN\nConnection: close\n\n"
        );
        let answer = send(&api, &request).await;
        assert_eq!(answer.code, expected, "{host:?}");
        if expected == 403 {
            assert_eq!(answer.json(), refused_host, "{host:?}");
        }
    }
    let absolute = "GET http://evil.example/readyz HTTP/1.1\nHost: ADDR\n\
                    Authorization: Bearer TOKEN\nConnection: close\n\n";
    let answer = send(&api, absolute).await;
    assert_eq!((answer.code, answer.json()), (403, refused_host));
}

#[tokio::test]
async fn any_origin_is_refused() {
    let api = Api::start().await;
    for origin in ["http://evil.example", "null", "http://ADDR"] {
        let request = format!(
            "GET /readyz HTTP/1.1\nHost: ADDR\nOrigin: {origin}\n\
             Authorization: Bearer TOKEN\nConnection: close\n\n"
        );
        let answer = send(&api, &request).await;
        let expected = refusal(403, "Forbidden", "requests with an Origin header are refused");
        assert_eq!((answer.code, answer.json()), (403, expected), "{origin}");
    }
}

#[tokio::test]
async fn a_write_in_a_media_type_that_forms_can_send_is_refused() {
    let api = Api::with_namespace("smp").await;
    let body = r#"{"metadata": {"name": "a"}}"#;
    let path = "/api/v1/namespaces/smp/configmaps";
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/merge-patch+json",
    ] {
        let header = format!("Content-Type: {media_type}");
        let answer = api.send("POST", path, &[&header], body).await;
        assert_eq!(
            (answer.code, answer.json()["reason"].as_str()),
            (415, Some("UnsupportedMediaType")),
            "{media_type}"
        );
        let answer = api.send("PUT", &format!("{path}/a"), &[&header], body).await;
        assert_eq!(answer.code, 415, "{media_type}");
    }
    for media_type in ["application/json", "application/yaml", "text/plain"] {
        let header = format!("Content-Type: {media_type}");
        let answer = api.send("PATCH", &format!("{path}/a"), &[&header], body).await;
        assert_eq!(answer.code, 415, "{media_type}");
    }
    let answer = api.send("DELETE", path, &["Content-Type: text/plain"], "{}").await;
    assert_eq!(answer.code, 415);
}

#[tokio::test]
async fn heads_and_bodies_are_bounded() {
    let api = Api::with_namespace("smp").await;
    let long = format!("X-Long: {}", "x".repeat(128 * 1024));
    assert_eq!(api.send("GET", "/readyz", &[&long], "").await.code, 431);
    let body = format!(
        r#"{{"metadata": {{"name": "a"}}, "data": {{"k": "{}"}}}}"#,
        "x".repeat(3 * 1024 * 1024)
    );
    let answer = api.post("/api/v1/namespaces/smp/configmaps", &body).await;
    assert_eq!(
        (answer.code, answer.json()["reason"].as_str()),
        (413, Some("RequestEntityTooLarge"))
    );
    assert_eq!(answer.json()["message"], "Request entity too large: limit is 3145728",);
}

#[tokio::test]
async fn what_each_user_did_is_recorded() {
    let api = Api::with_namespace("smp").await;
    let router = api.tokens.mint("router");
    let api = Api { token: router, ..api };
    api.get("/api/v1/services").await;
    api.get("/api/v1/services").await;
    api.get("/api/v1/namespaces/smp/secrets/a").await;
    api.merge("/apis/networking.k8s.io/v1/namespaces/smp/ingresses/a/status", "{}").await;
    let recorded: Vec<String> = api
        .tokens
        .accesses("router")
        .into_iter()
        .map(|(access, count)| {
            format!("{} {}/{} {count}", access.verb, access.group, access.resource)
        })
        .collect();
    assert_eq!(
        recorded,
        ["get /secrets 1", "list /services 2", "patch networking.k8s.io/ingresses/status 1"]
    );
    assert!(api.tokens.accesses("nobody").is_empty());
}
