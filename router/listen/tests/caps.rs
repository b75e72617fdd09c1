//! Caps on open connections, and what happens when the process runs out of file descriptors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::process::Command;

use fairlead_router_listen::Limits;
use support::{GET, OK, connect, keep_alive, plain, reaches, read_exactly, read_to_end, within};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

async fn ask(client: &mut TcpStream) {
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(read_exactly(client, OK.len()).await, OK);
}

#[tokio::test]
async fn connections_above_the_total_are_closed_at_once_and_a_free_place_is_given_again() {
    let (workers, addr) = plain(Limits { max_connections: 2, ..Limits::default() }, keep_alive);
    let counters = workers.counters();
    let (mut a, mut b) = (connect(addr).await, connect(addr).await);
    ask(&mut a).await;
    ask(&mut b).await;
    assert_eq!(read_to_end(&mut connect(addr).await).await, "");
    assert_eq!(
        (counters.refused_total.get(), counters.accepted.get(), counters.open.get()),
        (1, 3, 2)
    );
    drop(a);
    reaches(&counters.open, 1).await;
    ask(&mut connect(addr).await).await;
    ask(&mut b).await;
}

#[tokio::test]
async fn a_client_above_its_cap_is_closed_at_once_and_others_are_served() {
    let (workers, addr) =
        plain(Limits { max_connections_per_client: 1, ..Limits::default() }, keep_alive);
    let mut first = connect(addr).await;
    ask(&mut first).await;
    assert_eq!(read_to_end(&mut connect(addr).await).await, "");
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    ask(&mut within(other.connect(addr)).await.unwrap()).await;
    ask(&mut first).await;
    assert_eq!(workers.counters().refused_client.get(), 1);
}

#[tokio::test]
async fn a_connection_that_has_sent_nothing_counts() {
    let (workers, addr) = plain(Limits { max_connections: 1, ..Limits::default() }, keep_alive);
    let silent = connect(addr).await;
    reaches(&workers.counters().open, 1).await;
    assert_eq!(read_to_end(&mut connect(addr).await).await, "");
    drop(silent);
    reaches(&workers.counters().open, 0).await;
}

const LIMITED: &str = "FAIRLEAD_TEST_FEW_FILE_DESCRIPTORS";

/// Runs itself again in a process that may open 64 files.
#[test]
fn accepting_goes_on_after_the_process_ran_out_of_file_descriptors() {
    if std::env::var_os(LIMITED).is_some() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(run_out());
        return;
    }
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("accepting_goes_on_after_the_process_ran_out_of_file_descriptors")
        .env(LIMITED, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

async fn run_out() {
    let (workers, addr) = plain(Limits::default(), keep_alive);
    let mut open = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        open.push(file);
    }
    // One for the client's end: none is left for the server's.
    open.pop();
    let mut client = connect(addr).await;
    let counters = workers.counters();
    while counters.accept_errors.get() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(counters.accepted.get(), 0);
    drop(open);
    ask(&mut client).await;
}
