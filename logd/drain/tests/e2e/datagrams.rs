//! Datagrams.

use std::collections::BTreeMap;

use fairlead_drain::{Batch, FailureKind, Verdict};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::support::{PATIENCE, line, number, sink, text};

/// As many as fit into a receiver's buffer.
const LINES: usize = 50;

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 65_536];
    let received = timeout(PATIENCE, socket.recv(&mut bytes)).await.expect("a datagram comes");
    bytes.truncate(received.unwrap());
    bytes
}

#[tokio::test]
async fn each_line_is_a_datagram_that_passes_any_network() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(socket) = UdpSocket::bind(any).await else {
            fairlead_test_support::skip(
                "each_line_is_a_datagram_that_passes_any_network",
                "this machine has no IPv6",
            );
            continue;
        };
        let mut sink = sink(&format!("syslog://{}", socket.local_addr().unwrap()));
        let mut batch = Batch::default();
        let long = "ü".repeat(5_000);
        for number in 0..LINES {
            let text = format!("{}{}", text(number), if number % 2 == 0 { &long } else { "" });
            assert_eq!(sink.encode(&line(text.as_bytes()), &mut batch), None);
        }
        assert_eq!(sink.send(&mut batch).await.unwrap(), [Verdict::Sent; LINES]);
        for expected in 0..LINES {
            let datagram = receive(&socket).await;
            assert!(datagram.len() <= 1_400, "{}", datagram.len());
            let message = String::from_utf8(datagram).expect("cut between characters");
            assert_eq!(number(&message), expected);
            assert!(expected % 2 == 0 || message.ends_with(&text(expected)), "{message}");
        }
    }
}

/// The system of a receiver that is not there says so.
#[tokio::test]
async fn where_nobody_listens_lines_wait() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut sink = sink(&format!("syslog://{address}"));
    drop(socket);
    let mut one = async |number: usize| {
        let mut batch = Batch::default();
        assert_eq!(sink.encode(&line(text(number).as_bytes()), &mut batch), None);
        sink.send(&mut batch).await
    };
    // Nobody has said anything so far.
    assert_eq!(one(0).await.unwrap(), [Verdict::Sent]);
    assert_eq!(one(1).await.unwrap_err().kind, FailureKind::Connect);
    let Ok(socket) = UdpSocket::bind(address).await else { return };
    assert_eq!(one(1).await.unwrap(), [Verdict::Sent]);
    assert_eq!(number(&String::from_utf8(receive(&socket).await).unwrap()), 1);
}

#[tokio::test]
async fn row_40_graylog_takes_messages_over_udp_the_long_ones_in_chunks() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut sink = sink(&format!("gelf://{}", socket.local_addr().unwrap()));
    let texts: Vec<String> =
        [0, 1_000, 2_000, 20_000].map(|length| format!("SEQ=1 {}", "ß".repeat(length))).into();
    let mut batch = Batch::default();
    for text in &texts {
        assert_eq!(sink.encode(&line(text.as_bytes()), &mut batch), None);
    }
    assert_eq!(sink.send(&mut batch).await.unwrap(), [Verdict::Sent; 4]);

    let (mut messages, mut parts) = (Vec::new(), BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new());
    while messages.len() < texts.len() {
        let datagram = receive(&socket).await;
        assert!(datagram.len() <= 1_400);
        if datagram[0] == b'{' {
            messages.push(datagram);
            continue;
        }
        assert_eq!(datagram[..2], [0x1e, 0x0f]);
        let (name, number, count) = (&datagram[2..10], datagram[10], datagram[11]);
        let chunks = parts.entry(name.to_vec()).or_default();
        assert_eq!(chunks.len(), usize::from(number));
        chunks.push(datagram[12..].to_vec());
        if chunks.len() == usize::from(count) {
            messages.push(chunks.concat());
        }
    }
    for (message, text) in messages.iter().zip(&texts) {
        let value: serde_json::Value = serde_json::from_slice(message).unwrap();
        assert_eq!(value["short_message"], *text);
        assert_eq!((&value["version"], &value["host"]), (&"1.1".into(), &"front.shop".into()));
    }
}
