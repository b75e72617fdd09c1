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
    /// An instance as common servers are: it is done with a connection that has been idle for a
    /// second, and once `stop` is true with each that is idle after a request. A request that has
    /// begun by then is answered; one that comes while word of the end is under way, 100 ms, is lost.
    async fn instance(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Backend {
        let deploy = self.clone();
        Backend::start(move |mut conn, _| {
            let (deploy, mut stop) = (deploy.clone(), stop.clone());
            async move {
                for served in 0.. {
                    tokio::select! {
                        biased;
                        begun = conn.begun() => begun?,
                        () = sleep(Duration::from_secs(1)), if served > 0 => {
                            let _ = timeout(Duration::from_millis(100), conn.begun()).await;
                            return None;
                        }
                        () = stopped(&mut stop), if served > 0 => return None,
                    }
                    let request = conn.request().await?;
                    let path = request.split(' ').nth(1)?.to_owned();
                    *deploy.executed.lock().entry(path).or_default() += 1;
                    conn.write(OK).await?;
                }
                None
            }
        })
        .await
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Replaces the instance of `web` five times under load. `abrupt`: it stops before it is taken out.
/// Gives how often each request was executed.
async fn roll(methods: &'static [&'static str], abrupt: bool) -> HashMap<String, usize> {
    let deploy = Arc::new(Deploy::default());
    let mut router = Router::start(Setup::default());
    let (mut stop, stopped) = watch::channel(false);
    let mut instance = deploy.instance(stopped).await;
    router.app("web", &[], &[instance.addr]);

    let done = Arc::new(AtomicBool::new(false));
    let client = |n| tokio::spawn(load(router.http, n, methods, done.clone()));
    let load: Vec<_> = (0..10).map(client).collect();
    for _ in 0..4 {
        sleep(Duration::from_millis(1800)).await;
        let (next_stop, stopped) = watch::channel(false);
        let next = deploy.instance(stopped).await;
        if abrupt {
            stop.send_replace(true);
            sleep(Duration::from_millis(50)).await;
            router.endpoints("web", &[next.addr]);
        } else {
            router.endpoints("web", &[next.addr]);
            sleep(Duration::from_millis(50)).await;
            stop.send_replace(true);
        }
        sleep(Duration::from_millis(50)).await;
        (stop, instance) = (next_stop, next);
    }
    done.store(true, Relaxed);
    let mut sent = 0;
    for client in load {
        sent += client.await.unwrap();
    }
    let executed = std::mem::take(&mut *deploy.executed.lock());
    assert_eq!(executed.len(), sent);
    assert!(sent > 500, "{sent} requests are no load");
    drop(instance);
    executed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_no_post_is_made_twice_while_instances_are_replaced() {
    let executed = roll(&["GET", "POST"], false).await;
    let twice: Vec<_> =
        executed.iter().filter(|(path, n)| path.starts_with("/post") && **n != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_repeated_does_not_fail_even_if_instances_close_while_in_use() {
    roll(&["GET", "PUT"], true).await;
}

/// 25 requests per second, the methods in turn, on connections that are kept, with pauses about as
/// long as an instance keeps a connection; gives their number.
async fn load(
    router: std::net::SocketAddr,
    client: usize,
    methods: &[&str],
    done: Arc<AtomicBool>,
) -> usize {
    let mut connection = Client::connect(router).await;
    let mut next = Instant::now();
    let mut sent = 0;
    while !done.load(Relaxed) {
        let method = methods[sent % methods.len()];
        let (body, end) =
            if method == "GET" { ("", "") } else { ("Content-Length: 4\r\n", "once") };
        let path = format!("/{}-{client}-{sent}", method.to_ascii_lowercase());
        let request = format!("{method} {path} HTTP/1.1\r\nHost: web.example\r\n{body}\r\n{end}");
        let answer = connection.ask(&request).await;
        assert_eq!(answer.status(), 200, "{path}: {answer:?}");
        sent += 1;
        let pause = if sent % 15 == 0 { 1040 + client as u64 } else { 40 };
        next += Duration::from_millis(pause);
        sleep_until(next).await;
    }
    sent
}
