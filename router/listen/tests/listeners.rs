//! Listeners come and go while connections live on; every worker has its own everything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{
    Connection, Limits, ListenError, ListenerSpec, Protocol, WorkerId, start,
};
use parking_lot::Mutex;
use support::{
    GET, OK, answer, connect, handler, keep_alive, listening, plain, read_exactly, read_head,
    read_to_end, spec, within,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn ask(client: &mut TcpStream) {
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_exactly(client, OK.len()).await, OK);
}

#[tokio::test]
async fn a_listener_comes_and_goes_and_its_connections_live_on() {
    let (workers, first) = plain(Limits::default(), keep_alive);
    let second = within(workers.add_listener(spec("second", Protocol::Http))).await.unwrap();
    assert_eq!(workers.addr("second"), Some(second));
    let (mut a, mut b) = (connect(first).await, connect(second).await);
    ask(&mut a).await;
    ask(&mut b).await;

    within(workers.remove_listener("second")).await.unwrap();
    assert_eq!(workers.addr("second"), None);
    assert!(TcpStream::connect(second).await.is_err());
    ask(&mut a).await;
    ask(&mut b).await;

    let again = ListenerSpec { addr: second, ..spec("second", Protocol::Http) };
    assert_eq!(within(workers.add_listener(again)).await.unwrap(), second);
    ask(&mut connect(second).await).await;
    ask(&mut b).await;
}

#[tokio::test]
async fn connections_that_the_kernel_has_queued_at_removal_are_served() {
    let (workers, addr, blocked) = support::blocked_worker().await;
    let mut queued = Vec::new();
    for _ in 0..20 {
        let mut client = connect(addr).await;
        client.write_all(GET.as_bytes()).await.unwrap();
        queued.push(client);
    }
    let mut removed = std::pin::pin!(workers.remove_listener("main"));
    assert!(support::poll_once(removed.as_mut()).await.is_none(), "the worker is blocked");
    drop(blocked);
    within(removed).await.unwrap();
    for client in &mut queued {
        assert_eq!(read_to_end(client).await, OK);
    }
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn names_are_unique_and_must_exist_to_be_removed() {
    let (workers, _) = plain(Limits::default(), keep_alive);
    let error = workers.add_listener(spec("main", Protocol::Http)).await.unwrap_err();
    assert_eq!(error.to_string(), "listener main: the name is in use; remove that listener first");
    let error = workers.remove_listener("other").await.unwrap_err();
    assert_eq!(error.to_string(), "listener other: no listener has this name");
    let twice = vec![spec("a", Protocol::Http), spec("a", Protocol::Http)];
    let handler = handler(keep_alive);
    let error = start(1, twice, Limits::default(), move |_| Arc::clone(&handler)).unwrap_err();
    assert!(matches!(error, ListenError::Duplicate(name) if &*name == "a"));
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_listener_address_and_reason() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let public = ListenerSpec { addr, ..spec("https", Protocol::Http) };
    let handler = handler(keep_alive);
    let error = start(2, vec![public.clone()], Limits::default(), move |_| Arc::clone(&handler))
        .unwrap_err();
    assert!(error.address_in_use());
    assert_eq!(
        error.to_string(),
        format!("listener https: cannot listen on {addr}: Address already in use (os error 98)")
    );

    let (workers, ours) = plain(Limits::default(), keep_alive);
    assert!(workers.add_listener(public).await.unwrap_err().address_in_use());
    // Our own sockets would share the port with us: that is refused all the same.
    let shared = ListenerSpec { addr: ours, ..spec("second", Protocol::Http) };
    assert!(workers.add_listener(shared).await.unwrap_err().address_in_use());
}

#[tokio::test]
async fn each_worker_makes_its_own_service_on_its_own_thread_and_gets_connections() {
    let made = Arc::new(Mutex::new(BTreeSet::new()));
    let served = Arc::new(Mutex::new(BTreeSet::new()));
    let (making, serving) = (Arc::clone(&made), Arc::clone(&served));
    let workers =
        start(2, vec![spec("main", Protocol::Http)], Limits::default(), move |id: WorkerId| {
            making.lock().insert((id, std::thread::current().name().unwrap().to_owned()));
            let serving = Arc::clone(&serving);
            handler(move |connection, drain| {
                serving.lock().insert(std::thread::current().name().unwrap().to_owned());
                keep_alive(connection, drain)
            })
        })
        .unwrap();
    let names = ["router-0", "router-1"].map(str::to_owned);
    let expected: BTreeSet<_> = [WorkerId(0), WorkerId(1)].into_iter().zip(names.clone()).collect();
    assert_eq!(*made.lock(), expected);
    // The kernel picks a worker by the client's port: 64 in a row on one of the two happens once in 10^19 runs.
    let addr = workers.addr("main").unwrap();
    for _ in 0..64 {
        ask(&mut connect(addr).await).await;
    }
    assert_eq!(*served.lock(), BTreeSet::from(names));
}

#[tokio::test]
async fn an_ipv4_client_of_a_dual_stack_socket_is_shown_as_ipv4() {
    let (sender, mut infos) = tokio::sync::mpsc::channel(1);
    let both = ListenerSpec { addr: "[::]:0".parse().unwrap(), ..spec("both", Protocol::Http) };
    let handler = handler(move |connection: Connection, _| {
        let sender = sender.clone();
        async move { sender.send(connection.info).await.unwrap() }
    });
    let workers = match start(1, vec![both], Limits::default(), move |_| Arc::clone(&handler)) {
        Ok(workers) => workers,
        // A machine without IPv6 has nothing to show here.
        Err(ListenError::Bind { source, .. }) if source.raw_os_error() == Some(97) => return,
        Err(error) => panic!("{error}"),
    };
    let port = workers.addr("both").unwrap().port();
    let mut client = connect(([127, 0, 0, 1], port).into()).await;
    client.write_all(b"G").await.unwrap();
    let info = within(infos.recv()).await.unwrap();
    assert_eq!(info.peer, client.local_addr().unwrap());
    assert_eq!(info.local, client.peer_addr().unwrap());
}

#[tokio::test]
async fn a_connection_that_panics_costs_only_itself() {
    let (workers, addr) =
        plain(Limits::default(), |mut connection: Connection, drain| async move {
            let head = read_head(&mut connection.stream).await.unwrap().unwrap();
            assert!(!head.contains("panic"), "as the test asks");
            answer(&mut connection.stream, OK).await;
            keep_alive(connection, drain).await;
        });
    let mut well = connect(addr).await;
    ask(&mut well).await;
    let mut ill = connect(addr).await;
    ill.write_all(b"GET /panic HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut ill).await, "");
    ask(&mut well).await;
    support::reaches(&workers.counters().open, 1).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_have_no_limits_here() {
    const ALL: usize = 16 << 20;
    let short = Duration::from_millis(100);
    let limits =
        Limits { first_byte: short, idle: short, head: short, write: short, ..Limits::default() };
    let (_workers, addr) = listening(Protocol::Tcp, limits, |connection, _| async move {
        assert!(!connection.http2 && connection.info.tls.is_none());
        let mut stream = connection.stream;
        let _ = stream.write_all(&vec![b'x'; ALL]).await;
        let _ = stream.shutdown().await;
    });
    let mut client = connect(addr).await;
    // Says nothing and takes nothing for longer than each of them.
    tokio::time::sleep(5 * short).await;
    assert_eq!(read_to_end(&mut client).await.len(), ALL);
}
