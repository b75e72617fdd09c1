//! Which requests go to which backend.

use crate::support::{Backend, Client, Router, Setup, backend::OK, tls, web};

#[tokio::test]
async fn a_request_goes_to_the_endpoint_of_its_host_with_its_target_as_it_came() {
    let (one, two) = (Backend::answering(OK).await, Backend::answering(OK).await);
    let mut router = Router::start(Setup::default());
    router.app("web", &[], &[one.addr]);
    router.app("blog", &[("router.deis.io/domains", "blog.example,*.blog.example")], &[two.addr]);
    for (host, target) in
        [("web.example", &one), ("x.y.blog.example:8080", &two), ("BLOG.example.", &two)]
    {
        let request = format!("GET /a//b%2Fc?d=%20&e HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(
            router.ask(&request).await,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
        );
        let got = target.requests().pop().unwrap();
        let start = format!("GET /a//b%2Fc?d=%20&e HTTP/1.1\r\nHost: {host}\r\n");
        assert!(got.starts_with(&start), "{got}");
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_is_passed_on_in_origin_form() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let request = "GET http://web.example/a?b HTTP/1.1\r\nHost: web.example\r\n\r\n";
    assert!(router.ask(request).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let got = backend.requests().pop().unwrap();
    assert!(got.starts_with("GET /a?b HTTP/1.1\r\nHost: web.example\r\n"), "{got}");
}

#[tokio::test]
async fn a_change_of_the_table_is_seen_by_the_next_request_of_an_open_connection() {
    let (one, two) = (Backend::answering(OK).await, Backend::answering(OK).await);
    let mut router = web(&[&one]);
    let mut client = router.connect().await;
    let get = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
    assert_eq!(client.ask(get).await.status(), 200);
    router.endpoints("web", &[two.addr]);
    assert_eq!(client.ask(get).await.status(), 200);
    router.app("web", &[("router.deis.io/maintenance", "true")], &[two.addr]);
    assert_eq!(client.ask(get).await.status(), 503);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[tokio::test]
async fn over_tls_only_hosts_with_a_certificate_are_served() {
    let backend = Backend::answering(OK).await;
    let mut router = Router::start(Setup::default());
    router.certificate("web");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    router.app("other", &[], &[backend.addr]);
    let mut served = Client::new(tls::connect(&router, "web.example", "http/1.1").await);
    let answer = served.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
    assert_eq!(answer.status(), 200);
    let mut refused = Client::new(tls::connect(&router, "other.example", "http/1.1").await);
    let answer = refused.ask("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
    assert_eq!(
        answer.text(),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Connection: keep-alive\r\n\r\nNo application answers at this address.\n"
    );
    let answer = router.ask("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
