//! What the tests of running pods run: the supervisor, a cluster to be killed, a small server.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fairlead_cluster::{Cluster, ClusterOptions, WriteOptions, kinds};
use serde_json::json;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("supervise") => Ok(fairlead_cluster::supervise(std::io::stdin().lock())?),
        Some("serve") => serve(&arguments.next().unwrap_or_default()),
        Some("cluster") => run_cluster(),
        other => Err(format!("supervise, serve or cluster is needed, not {other:?}").into()),
    }
}

/// Answers on `$HOST:$PORT`: `/` with the pod's name and a text; `/health` with 200 until somebody
/// asks for `/sicken`; `/say/WORD` prints a line; `/exit` ends the program with status 3.
fn serve(text: &str) -> Result {
    let address = format!("{}:{}", std::env::var("HOST")?, std::env::var("PORT")?);
    let listener = TcpListener::bind(&address)?;
    println!("serving {text} on {address}");
    let healthy = Arc::new(AtomicBool::new(true));
    let body = format!("{} {text}", std::env::var("HOSTNAME")?);
    for stream in listener.incoming() {
        let (healthy, body) = (healthy.clone(), body.clone());
        // A client that goes away in the middle is no reason to end.
        std::thread::spawn(move || drop(answer(stream, &healthy, &body)));
    }
    Ok(())
}

fn answer(stream: std::io::Result<TcpStream>, healthy: &AtomicBool, body: &str) -> Result {
    let mut stream = stream?;
    let mut head = BufReader::new(stream.try_clone()?).lines();
    let line = head.next().ok_or("no request")??;
    while head.next().ok_or("no end of the head")??.trim() != "" {}
    let path = line.split(' ').nth(1).ok_or("no path")?;
    let mut status = "200 OK";
    match path {
        "/health" if !healthy.load(Ordering::SeqCst) => status = "500 Sick",
        "/sicken" => healthy.store(false, Ordering::SeqCst),
        "/exit" => std::process::exit(3),
        _ => {
            if let Some(word) = path.strip_prefix("/say/") {
                println!("asked to say {word}");
            }
        }
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    Ok(())
}

/// A cluster with a Deployment of two pods whose processes have children; runs until killed.
fn run_cluster() -> Result {
    let mut options = ClusterOptions::default();
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    options.supervisor = vec![own, "supervise".to_owned()];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let cluster = Cluster::start(options).await?;
        let script = "sleep 1000 & echo $$$$ $!; wait";
        let deployment = json!({
            "metadata": {"name": "sleepers"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "sleepers"}},
                "template": {
                    "metadata": {"labels": {"app": "sleepers"}},
                    "spec": {"containers": [{
                        "name": "sleep", "image": "none", "command": ["sh", "-c", script],
                    }]},
                },
            },
        });
        let writer = WriteOptions::by("test");
        cluster.registry().create(&kinds::DEPLOYMENT, Some("default"), deployment, &writer)?;
        println!("{}", cluster.state().display());
        std::future::pending::<()>().await;
        Ok(())
    })
}
