//! No connection waits for ever: head, first byte, idle, write and tunnel deadlines, and the bound on a head's size.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{Connection, Limits};
use support::{
    GET, OK, answer, connect, keep_alive, plain, reaches, read_exactly, read_head, read_to_end,
    within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::sync::{Notify, mpsc};

const TIMED_OUT: &str =
    "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sends a byte every 10 ms until the server closes, and returns what it said.
async fn drip(client: tokio::net::TcpStream) -> String {
    let (mut read, mut write) = client.into_split();
    let drip = async move {
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(millis(10)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        said = read_to_end(&mut read) => said,
        () = drip => unreachable!(),
    }
}

#[tokio::test]
async fn a_head_that_drips_is_answered_408_at_the_total_deadline() {
    let (failed, mut failures) = mpsc::channel(1);
    let limits = Limits { head: millis(200), ..Limits::default() };
    let (workers, addr) = plain(limits, move |mut connection, _| {
        let failed = failed.clone();
        async move {
            let error = read_head(&mut connection.stream).await.unwrap_err();
            failed.send(error.kind()).await.unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    assert_eq!(drip(client).await, TIMED_OUT);
    assert_eq!(within(failures.recv()).await, Some(ErrorKind::TimedOut));
    assert_eq!(workers.counters().timeouts.head.get(), 1);
}

#[tokio::test]
async fn a_further_request_has_a_head_deadline_of_its_own() {
    let limits = Limits { head: millis(200), ..Limits::default() };
    let (workers, addr) = plain(limits, keep_alive);
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    client.write_all(b"GET /2").await.unwrap();
    assert_eq!(drip(client).await, TIMED_OUT);
    assert_eq!(workers.counters().timeouts.head.get(), 1);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed_without_a_word() {
    let limits = Limits { first_byte: millis(50), ..Limits::default() };
    let (workers, addr) = plain(limits, keep_alive);
    assert_eq!(read_to_end(&mut connect(addr).await).await, "");
    assert_eq!(workers.counters().timeouts.first_byte.get(), 1);
    reaches(&workers.counters().open, 0).await;
}

#[tokio::test]
async fn requests_follow_one_another_until_the_idle_limit_closes_without_a_word() {
    let limits = Limits { idle: millis(300), ..Limits::default() };
    let (workers, addr) = plain(limits, keep_alive);
    let mut client = connect(addr).await;
    for _ in 0..3 {
        client.write_all(GET.as_bytes()).await.unwrap();
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(workers.counters().timeouts.idle.get(), 1);
}

#[tokio::test]
async fn nothing_can_be_written_once_a_limit_has_closed_the_stream() {
    let (wrote, mut writes) = mpsc::channel(1);
    let limits = Limits { idle: millis(50), ..Limits::default() };
    let (_workers, addr) = plain(limits, move |mut connection: Connection, _| {
        let wrote = wrote.clone();
        async move {
            let stream = &mut connection.stream;
            read_head(stream).await.unwrap();
            stream.phase().busy();
            stream.phase().awaiting_head();
            assert_eq!(read_head(stream).await.unwrap(), None);
            let write = stream.write_all(b"late").await.unwrap_err();
            wrote
                .send((
                    write.kind(),
                    stream.flush().await.is_err(),
                    stream.shutdown().await.is_ok(),
                ))
                .await
                .unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(within(writes.recv()).await, Some((ErrorKind::BrokenPipe, true, true)));
}

#[tokio::test]
async fn no_deadline_on_reads_while_the_engine_is_busy() {
    let limits = Limits { head: millis(50), idle: millis(50), ..Limits::default() };
    let (workers, addr) = plain(limits, |mut connection: Connection, _| async move {
        read_head(&mut connection.stream).await.unwrap();
        connection.stream.phase().busy();
        let mut body = [0; 4];
        connection.stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"body");
        answer(&mut connection.stream, OK).await;
    });
    let mut patient = connect(addr).await;
    patient.write_all(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n").await.unwrap();
    // Its deadline begins later and has passed by the time it is answered.
    let mut late = connect(addr).await;
    late.write_all(b"GET").await.unwrap();
    assert_eq!(read_to_end(&mut late).await, TIMED_OUT);
    patient.write_all(b"body").await.unwrap();
    assert_eq!(read_to_end(&mut patient).await, OK);
    assert_eq!(workers.counters().timeouts.head.get(), 1);
}

#[tokio::test]
async fn a_head_above_its_bound_is_answered_431_though_more_is_on_the_way() {
    let (failed, mut failures) = mpsc::channel(1);
    let limits = Limits { head_bytes: 1024, ..Limits::default() };
    let (workers, addr) = plain(limits, move |mut connection, _| {
        let failed = failed.clone();
        async move {
            let error = read_head(&mut connection.stream).await.unwrap_err();
            failed.send(error.kind()).await.unwrap();
        }
    });
    // A small send buffer: the client is done writing only if the server goes on reading.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let mut client = within(socket.connect(addr)).await.unwrap();
    within(client.write_all(&[b'a'; 200_000])).await.unwrap();
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.expect("the end, not a reset");
    assert_eq!(answer, TOO_LARGE);
    drop(client);
    assert_eq!(within(failures.recv()).await, Some(ErrorKind::InvalidData));
    assert_eq!(workers.counters().heads_too_large.get(), 1);
}

#[tokio::test]
async fn each_head_of_a_connection_has_the_whole_bound_and_a_body_does_not_count() {
    let limits = Limits { head_bytes: 64, ..Limits::default() };
    let (_workers, addr) = plain(limits, |mut connection: Connection, _| async move {
        let phase = connection.stream.phase();
        for _ in 0..3 {
            phase.awaiting_head();
            let mut read = Vec::new();
            // In small pieces, each of which counts.
            while !read.ends_with(b"\r\n\r\n") {
                read.push(connection.stream.read_u8().await.unwrap());
            }
            phase.busy();
            connection.stream.read_exact(&mut [0; 200]).await.unwrap();
            answer(&mut connection.stream, OK).await;
        }
    });
    let mut client = connect(addr).await;
    for _ in 0..3 {
        let head = "POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 200\r\n\r\n";
        assert!(head.len() > 32 && head.len() <= 64);
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&[b'b'; 200]).await.unwrap();
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (failed, mut failures) = mpsc::channel(1);
    let limits = Limits { write: millis(200), ..Limits::default() };
    let (workers, addr) = plain(limits, move |mut connection: Connection, _| {
        let failed = failed.clone();
        async move {
            read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().busy();
            let error = loop {
                if let Err(error) = connection.stream.write_all(&[b'x'; 40_000]).await {
                    break error;
                }
            };
            let again = connection.stream.write(b"x").await.unwrap_err();
            failed.send((error.kind(), again.kind())).await.unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(within(failures.recv()).await, Some((ErrorKind::TimedOut, ErrorKind::TimedOut)));
    assert_eq!(workers.counters().timeouts.write.get(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_while_the_engine_only_reads() {
    let (failed, mut failures) = mpsc::channel(1);
    let limits = Limits { write: millis(200), ..Limits::default() };
    let (workers, addr) = plain(limits, move |mut connection: Connection, _| {
        let failed = failed.clone();
        async move {
            read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().busy();
            // Until what is written stays in the buffer of the stream.
            while tokio::time::timeout(millis(20), connection.stream.write_all(&[b'x'; 10_000]))
                .await
                .is_ok()
            {}
            let error = connection.stream.read_u8().await.unwrap_err();
            failed.send(error.kind()).await.unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(within(failures.recv()).await, Some(ErrorKind::TimedOut));
    assert_eq!(workers.counters().timeouts.write.get(), 1);
}

#[tokio::test]
async fn a_tunnel_lives_while_bytes_move_towards_the_server_and_ends_after() {
    let (failed, mut failures) = mpsc::channel(1);
    let (workers, addr) = plain(Limits::default(), move |mut connection: Connection, _| {
        let failed = failed.clone();
        async move {
            read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().tunnel(millis(600));
            let mut moved = 0;
            let error = loop {
                match connection.stream.read_u8().await {
                    Ok(_) => moved += 1,
                    Err(error) => break error,
                }
            };
            failed.send((error.kind(), moved)).await.unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(millis(100)).await;
        client.write_all(b"x").await.unwrap();
    }
    assert_eq!(within(failures.recv()).await, Some((ErrorKind::TimedOut, 12)));
    assert_eq!(workers.counters().timeouts.tunnel.get(), 1);
}

#[tokio::test]
async fn a_tunnel_lives_while_bytes_move_towards_the_client_and_ends_after() {
    let (workers, addr) = plain(Limits::default(), |mut connection: Connection, _| async move {
        read_head(&mut connection.stream).await.unwrap();
        connection.stream.phase().tunnel(millis(600));
        for _ in 0..12 {
            let read = tokio::time::timeout(millis(100), connection.stream.read_u8()).await;
            assert!(read.is_err(), "{read:?}");
            connection.stream.write_all(b"x").await.unwrap();
        }
        assert_eq!(connection.stream.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "x".repeat(12));
    assert_eq!(workers.counters().timeouts.tunnel.get(), 1);
}

#[tokio::test]
async fn a_part_of_a_response_leaves_while_the_engine_waits_for_more() {
    let more = Arc::new(Notify::new());
    let next = Arc::clone(&more);
    let (_workers, addr) = plain(Limits::default(), move |mut connection: Connection, _| {
        let next = Arc::clone(&next);
        async move {
            read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().busy();
            for part in ["part 1", "part 2", "part 3"] {
                connection.stream.write_all(part.as_bytes()).await.unwrap();
                tokio::select! {
                    read = connection.stream.read_u8() => panic!("{read:?}"),
                    () = next.notified() => {}
                }
            }
        }
    });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    for part in ["part 1", "part 2", "part 3"] {
        assert_eq!(read_exactly(&mut client, 6).await, part);
        more.notify_one();
    }
    assert_eq!(read_to_end(&mut client).await, "");
}
