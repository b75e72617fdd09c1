//! Health and metrics.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Logd, Manner, Node, WEB, get, metric, until_metric};

#[tokio::test]
async fn it_is_ready_while_there_is_a_connection() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let address = shipper.admin_addr();
    until_metric(address, "fairlead_shipper_connections", |count| count == 1).await;
    assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
    drop(logd);
    until_metric(address, "fairlead_shipper_connections", |count| count == 0).await;
    let (status, body) = get(address, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("no connection to a logd"), "{body}");
    assert_eq!(get(address, "/healthz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn the_ledger_adds_up() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut options = node.options(&logd);
    options.rate = Some(1);
    options.excluded_namespaces = vec!["own".to_owned()];
    node.container("own_x_1", "web").write(&["12345"; 3]);
    let mut web = node.container(WEB, "web");
    web.write(&["12345"; 11]);
    node.container("shop_long_2", "web").raw("stdout", "F", &[b'x'; 100_000]);
    let shipper = fairlead_shipper::Shipper::start(options, None).unwrap();
    let address = shipper.admin_addr();
    let records = |fate: &str| format!("fairlead_shipper_records_total{{fate=\"{fate}\"}}");
    let bytes = |fate: &str| format!("fairlead_shipper_bytes_total{{fate=\"{fate}\"}}");
    until_metric(address, &records("read"), |count| count == 15).await;
    let mut found = Vec::new();
    for fate in ["read", "sent", "excluded", "rate_limited"] {
        found.push((metric(address, &records(fate)).await, metric(address, &bytes(fate)).await));
    }
    let oversize = metric(address, &bytes("oversize")).await;
    assert_eq!(found, [(15, 100_070), (11, 50 + 65_536), (3, 15), (1, 5)]);
    assert_eq!(oversize, 100_000 - 65_536);
}

/// More of them than there are connections at a time. Those that came last are not closed.
#[tokio::test]
async fn it_is_healthy_though_strangers_connect_and_say_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let address = shipper.admin_addr();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(get(address, "/healthz").await, (200, "ok\n".to_owned()));
    let mut answer = [0; 15];
    let late = &mut silent[50];
    late.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    late.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}
