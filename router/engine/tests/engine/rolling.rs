//! A deploy under load: no request fails, none is made twice that must not be.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::support::{Backend, Client, Router, Setup, Shared, backend::OK};

/// What the instances of a deploy have in common.
#[derive(Default)]
struct Deploy {
    /// How often each request was executed, by its path.
    executed: Shared<HashMap<String, usize>>,
}

impl Deploy {
    /// An instance as common servers are: it closes a connection that has been idle for a second,
    /// and once `stop` is true each connection that is idle; a request that has come is answered.
    async fn instance(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Backend {
        let deploy = self.clone();
        Backend::start(move |mut conn, _| {
            let (deploy, mut stop) = (deploy.clone(), stop.clone());
            async move {
                loop {
                    let request = tokio::select! {
                        biased;
                        request = timeout(Duration::from_secs(1), conn.request()) => request.ok()??,
                        stopped = stop.wait_for(|stop| *stop) => {
                            stopped.ok()?;
                            return None;
                        }
                    };
                    let path = request.split(' ').nth(1)?.to_owned();
                    *deploy.executed.lock().entry(path).or_default() += 1;
                    conn.write(OK).await?;
                }
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_no_post_is_made_twice_while_instances_are_replaced() {
    let deploy = Arc::new(Deploy::default());
    let mut router = Router::start(Setup::default());
    let (mut stop, stopped) = watch::channel(false);
    let mut instance = deploy.instance(stopped).await;
    router.app("web", &[], &[instance.addr]);

    let done = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..10).map(|n| tokio::spawn(load(router.http, n, done.clone()))).collect();
    for _ in 0..5 {
        sleep(Duration::from_millis(1500)).await;
        // As a rolling deploy does it: the new one is ready, the old one terminates and is taken
        // out, it stops, and a moment later it is gone.
        let (next_stop, stopped) = watch::channel(false);
        let next = deploy.instance(stopped).await;
        router.endpoints("web", &[next.addr]);
        stop.send_replace(true);
        sleep(Duration::from_millis(100)).await;
        (stop, instance) = (next_stop, next);
    }
    done.store(true, Relaxed);
    let mut sent = 0;
    for client in load {
        sent += client.await.unwrap();
    }
    let executed = deploy.executed.lock();
    let twice: Vec<_> =
        executed.iter().filter(|(path, times)| path.starts_with("/post") && **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(executed.len(), sent);
    assert!(sent > 500, "{sent} requests are no load");
    drop(instance);
}

/// 25 requests per second, GET and POST in turn, on connections that are kept, with pauses about as
/// long as an instance keeps a connection; gives their number.
async fn load(router: std::net::SocketAddr, client: usize, done: Arc<AtomicBool>) -> usize {
    let mut connection = Client::connect(router).await;
    let mut next = Instant::now();
    let mut sent = 0;
    while !done.load(Relaxed) {
        let (method, body) = [("GET", ""), ("POST", "Content-Length: 4\r\n")][sent % 2];
        let path = format!("/{}-{client}-{sent}", method.to_ascii_lowercase());
        let end = if method == "POST" { "once" } else { "" };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: web.example\r\n{body}\r\n{end}");
        let answer = connection.ask(&request).await;
        assert_eq!(answer.status(), 200, "{path}: {answer:?}");
        sent += 1;
        let pause = if sent % 15 == 0 { 990 + client as u64 } else { 40 };
        next += Duration::from_millis(pause);
        sleep_until(next).await;
    }
    sent
}
