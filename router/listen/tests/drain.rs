//! Draining: idle connections close, busy ones finish, and the deadline cuts the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{Connection, Drain, Limits, ListenError, Protocol};
use support::{
    GET, OK, answer, connect, idle_at_drain, keep_alive, plain, read_exactly, read_head,
    read_to_end, spec, within,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn idle_connections_close_and_listeners_are_gone() {
    let (workers, addr) = plain(Limits::default(), keep_alive);
    let mut used = connect(addr).await;
    used.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_exactly(&mut used, OK.len()).await, OK);
    let mut unused = connect(addr).await;
    support::reaches(&workers.counters().open, 2).await;

    assert_eq!(within(workers.drain(LONG)).await, 0);
    assert_eq!(read_to_end(&mut used).await, "");
    assert_eq!(read_to_end(&mut unused).await, "");
    assert!(TcpStream::connect(addr).await.is_err());
    assert_eq!(workers.counters().open.get(), 0);

    assert_eq!(within(workers.drain(LONG)).await, 0);
    let late = workers.add_listener(spec("late", Protocol::Http)).await.unwrap_err();
    assert!(matches!(late, ListenError::Stopped));
    assert_eq!(workers.addr("main"), None);
}

#[tokio::test]
async fn a_busy_connection_finishes_and_sees_that_its_worker_drains() {
    let go_on = Arc::new(Notify::new());
    let (begun, mut began) = mpsc::channel(1);
    let may_end = Arc::clone(&go_on);
    let (workers, addr) =
        plain(Limits::default(), move |mut connection: Connection, drain: Drain| {
            let (may_end, begun) = (Arc::clone(&may_end), begun.clone());
            async move {
                read_head(&mut connection.stream).await.unwrap();
                connection.stream.phase().busy();
                assert!(!drain.draining());
                let mut watch = drain.watch();
                begun.send(()).await.unwrap();
                watch.changed().await.unwrap();
                assert!(*watch.borrow() && drain.draining());
                begun.send(()).await.unwrap();
                may_end.notified().await;
                answer(&mut connection.stream, OK).await;
            }
        });
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    within(began.recv()).await.unwrap();
    let drained = workers.drain(LONG);
    let finished = async {
        within(began.recv()).await.unwrap();
        go_on.notify_one();
        read_to_end(&mut client).await
    };
    let (cut, answered) = within(async { tokio::join!(drained, finished) }).await;
    assert_eq!((cut, answered.as_str()), (0, OK));
}

#[tokio::test]
async fn a_request_of_which_half_has_come_is_answered() {
    let (signalled, mut signals) = mpsc::channel(1);
    let (begun, mut began) = mpsc::channel(1);
    let (workers, addr) =
        plain(Limits::default(), move |mut connection: Connection, drain: Drain| {
            let (signalled, begun) = (signalled.clone(), begun.clone());
            async move {
                let phase = connection.stream.phase();
                let watch = async {
                    while phase.is_idle() {
                        tokio::task::yield_now().await;
                    }
                    begun.send(()).await.unwrap();
                    drain.signalled().await;
                    signalled.send(()).await.unwrap();
                    idle_at_drain(&phase, &drain).await;
                };
                tokio::select! {
                    head = read_head(&mut connection.stream) => { head.unwrap().unwrap(); }
                    () = watch => return,
                }
                phase.busy();
                answer(&mut connection.stream, OK).await;
            }
        });
    let mut client = connect(addr).await;
    client.write_all(&GET.as_bytes()[..10]).await.unwrap();
    within(began.recv()).await.unwrap();
    let drained = workers.drain(LONG);
    let finished = async {
        within(signals.recv()).await.unwrap();
        client.write_all(&GET.as_bytes()[10..]).await.unwrap();
        read_to_end(&mut client).await
    };
    let (cut, answered) = within(async { tokio::join!(drained, finished) }).await;
    assert_eq!((cut, answered.as_str()), (0, OK));
}

#[tokio::test]
async fn the_deadline_cuts_what_is_left_and_counts_it() {
    let (begun, mut began) = mpsc::channel(3);
    let (workers, addr) = plain(Limits::default(), move |mut connection: Connection, _| {
        let begun = begun.clone();
        async move {
            read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().busy();
            begun.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = connect(addr).await;
        client.write_all(GET.as_bytes()).await.unwrap();
        within(began.recv()).await.unwrap();
        clients.push(client);
    }
    assert_eq!(within(workers.drain(Duration::from_millis(50))).await, 3);
    assert_eq!(workers.counters().open.get(), 0, "nothing is left when drain returns");
    for client in &mut clients {
        assert_eq!(read_to_end(client).await, "");
    }
}

#[tokio::test]
async fn a_client_that_has_just_connected_may_still_ask() {
    let (signalled, mut signals) = mpsc::channel(2);
    let (workers, addr) =
        plain(Limits::default(), move |mut connection: Connection, drain: Drain| {
            let signalled = signalled.clone();
            async move {
                read_head(&mut connection.stream).await.unwrap();
                connection.stream.phase().busy();
                drain.signalled().await;
                signalled.send(()).await.unwrap();
                answer(&mut connection.stream, OK).await;
            }
        });
    let mut busy = connect(addr).await;
    busy.write_all(GET.as_bytes()).await.unwrap();
    let mut silent = connect(addr).await;
    support::reaches(&workers.counters().open, 2).await;
    let asked = async {
        within(signals.recv()).await.unwrap();
        assert_eq!(read_to_end(&mut busy).await, OK);
        silent.write_all(GET.as_bytes()).await.unwrap();
        read_to_end(&mut silent).await
    };
    let (cut, answered) = within(async { tokio::join!(workers.drain(LONG), asked) }).await;
    assert_eq!((cut, answered.as_str()), (0, OK));
}

#[tokio::test]
async fn requests_that_the_worker_has_not_yet_seen_when_draining_begins_are_answered() {
    let (workers, addr, blocked) = support::blocked_worker().await;
    let mut queued = connect(addr).await;
    queued.write_all(GET.as_bytes()).await.unwrap();
    let mut drained = std::pin::pin!(workers.drain(LONG));
    assert!(support::poll_once(drained.as_mut()).await.is_none(), "the worker is blocked");
    drop(blocked);
    assert_eq!(within(drained).await, 0);
    assert_eq!(read_to_end(&mut queued).await, OK);
}

#[tokio::test]
async fn dropping_the_workers_ends_them_at_once() {
    let (workers, addr) = plain(Limits::default(), keep_alive);
    let mut client = connect(addr).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    drop(workers);
    assert_eq!(read_to_end(&mut client).await, "");
}
