//! Where the router does less than it should, because Pingora's public interface does not reach
//! there. What it does today is pinned, so that a change is seen.

use std::time::Duration;

use crate::support::{Backend, backend::OK, web};

/// Tests of what a standard asks to refuse, and nobody does.
pub(super) const PASSED: [&str; 2] = ["a_control_in_a_query", "a_space_in_a_target"];

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";

/// What Pingora's parser refuses is answered by Pingora, and leaves no record.
#[tokio::test]
async fn a_head_that_is_none_gets_pingoras_answer_and_no_record() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nbad\r\n\r\n").await;
    let answer = client.head().await.unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 400 Bad Request\r\nServer: Pingora\r\nContent-Length: 0\r\n\
         Cache-Control: private, no-store\r\nConnection: close\r\n\r\n"
    );
    router.ask(GET).await;
    let records = router.records(1).await;
    assert_eq!(records.iter().map(|record| record.status).collect::<Vec<_>>(), [200]);
}

/// A request that is cut at the deadline of draining is counted, but leaves no record.
#[tokio::test]
async fn a_request_cut_by_draining_leaves_no_record() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send(GET).await;
    crate::support::eventually("asked", || backend.requests().len() == 1).await;
    assert_eq!(router.drain(Duration::from_millis(100)).await, 1);
    assert_eq!(client.rest().await, "");
    assert_eq!(router.records(0).await, []);
    assert_eq!(router.counts("web", 0).await.in_flight, 0);
}
