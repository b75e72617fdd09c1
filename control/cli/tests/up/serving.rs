//! What is served, and how edits of the manifests arrive.

use std::fs;

use crate::{
    client::{api, certificate, http, https},
    process::{Up, until},
};

#[test]
fn the_example_answers_over_http_and_https_and_edits_are_served() {
    let mut up = Up::example();
    let http_port = up.port("http", "hello.localhost");
    let https_port = up.port("https", "secure.localhost");
    let kubeconfig = up.state().join("kubeconfig");

    let body = until("the first answer", || match http(http_port, "hello.localhost", "/")? {
        (200, body) => Some(body),
        _ => None,
    });
    assert!(body.contains("Hello"), "{body}");
    let first = certificate(&kubeconfig, "secure-cert");
    until("an answer over TLS", || {
        https(https_port, "secure.localhost", "/", &first).filter(|(status, _)| *status == 200)
    });
    assert_eq!(http(http_port, "unknown.localhost", "/").unwrap().0, 404);

    // A further host.
    let manifest = up.manifest("hello.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    let edited = text.replace("hello.localhost", "hello.localhost,second.localhost");
    assert_ne!(text, edited);
    fs::write(&manifest, edited).unwrap();
    until("the second host", || {
        http(http_port, "second.localhost", "/").filter(|(status, _)| *status == 200)
    });

    // Gone again, with everything that the file held.
    fs::remove_file(&manifest).unwrap();
    until("the end of the host", || {
        http(http_port, "hello.localhost", "/").filter(|(status, _)| *status == 404)
    });
    fs::write(&manifest, text).unwrap();
    until("its return", || {
        http(http_port, "hello.localhost", "/").filter(|(status, _)| *status == 200)
    });

    // A certificate of one's own in place of the one that was made.
    let own = rcgen::generate_simple_self_signed(["secure.localhost".to_owned()]).unwrap();
    let secret = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "secure-cert"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": own.cert.pem(), "tls.key": own.signing_key.serialize_pem()},
    });
    fs::write(up.manifest("certificate.json"), secret.to_string()).unwrap();
    until("the new certificate", || {
        https(https_port, "secure.localhost", "/", &own.cert.pem())
            .filter(|(status, _)| *status == 200)
    });
    assert!(
        https(https_port, "secure.localhost", "/", &first).is_none(),
        "the old one is no longer shown"
    );
}

#[test]
fn a_broken_manifest_is_told_and_the_rest_goes_on() {
    let mut up = Up::example();
    let port = up.port("http", "hello.localhost");
    fs::write(up.manifest("broken.yaml"), "kind: [").unwrap();
    up.line("an error", |line| {
        (line.contains("error: ") && line.contains("broken.yaml")).then_some(())
    });
    until("an answer", || http(port, "hello.localhost", "/").filter(|(status, _)| *status == 200));
}

#[test]
fn python_scaled_to_three_answers_from_each_pod() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("manifests")).unwrap();
    fs::write(
        dir.path().join("manifests/files.yaml"),
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: files}
spec:
  replicas: 3
  selector: {matchLabels: {app: files}}
  template:
    metadata: {labels: {app: files}}
    spec:
      containers:
      - name: web
        image: python
        command: [python3, -m, http.server, $(PORT)]
        ports: [{containerPort: 8000}]
        readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata:
  name: files
  labels: {router.deis.io/routable: "true"}
  annotations: {router.deis.io/domains: files.localhost}
spec:
  selector: {app: files}
  ports: [{port: 80, targetPort: 8000}]
"#,
    )
    .unwrap();
    let mut up = Up::start(dir, &[]);
    let port = up.port("http", "files.localhost");
    up.ready(3);
    let slices = api(
        &up.state().join("kubeconfig"),
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dfiles",
    );
    let mut addresses = Vec::new();
    for slice in slices["items"].as_array().unwrap() {
        for endpoint in slice["endpoints"].as_array().unwrap() {
            assert_eq!(endpoint["conditions"]["ready"], true);
            addresses.push((endpoint["addresses"][0].clone(), slice["ports"][0]["port"].clone()));
        }
    }
    assert_eq!(addresses.len(), 3, "{addresses:?}");
    for (address, port) in &addresses {
        let address = format!("{}:{port}", address.as_str().unwrap());
        let answer = std::net::TcpStream::connect(&address).map(|stream| {
            use std::io::{Read, Write};
            let mut stream = stream;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        assert!(
            answer.as_ref().is_ok_and(|text| text.starts_with("HTTP/1.0 200 OK\r\n")),
            "{address}: {answer:?}"
        );
    }
    for _ in 0..30 {
        assert_eq!(http(port, "files.localhost", "/").unwrap().0, 200);
    }
}

#[test]
fn the_router_alone_serves_endpoints_from_the_manifests() {
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let backend_port = backend.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in backend.incoming() {
            use std::io::{Read, Write};
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nalone",
            );
        }
    });
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("manifests")).unwrap();
    let manifest = format!(
        r#"
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {{router.deis.io/routable: "true"}}
  annotations: {{router.deis.io/domains: web.localhost}}
spec:
  ports: [{{port: 80}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  labels: {{kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{{port: {backend_port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
"#
    );
    fs::write(dir.path().join("manifests/web.yaml"), manifest).unwrap();
    let mut up = Up::start(dir, &["--only", "router"]);
    let port = up.port("http", "web.localhost");
    let answer = until("an answer", || {
        http(port, "web.localhost", "/").filter(|(status, _)| *status == 200)
    });
    assert_eq!(answer, (200, "alone".to_owned()));
}
