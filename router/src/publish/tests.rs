use fairlead_router_core::{Change, Key, Service, object::ServicePort};

use super::*;

fn service(name: &str, host: &str) -> Feed {
    let key = Key::new("shop", name);
    let service = Service {
        key: key.clone(),
        created: 0,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations: [("router.deis.io/domains".into(), host.into())].into(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    };
    Feed::Change(Change::Service(key, Some(service)))
}

struct Loop {
    state: Arc<State>,
    feed: mpsc::Sender<Feed>,
    findings: mpsc::Receiver<Diagnostic>,
}

fn start() -> Loop {
    let state = Arc::new(State::new(&Arc::default()));
    let (feed, feed_out) = mpsc::channel(64);
    let (findings_in, findings) = mpsc::channel(64);
    tokio::spawn(Publisher::new(state.clone(), findings_in, |_, _| {}).run(feed_out));
    Loop { state, feed, findings }
}

impl Loop {
    /// Lets the loop take what it was sent; no time passes.
    async fn turn(&self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn generation(&self) -> u64 {
        self.state.table.load().generation
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_before_the_first_state_is_complete() {
    let it = start();
    it.feed.send(service("web", "web.example")).await.unwrap();
    it.feed.send(Feed::Settled(Kind::Service, Some(7))).await.unwrap();
    it.turn().await;
    assert!(it.state.table.load().is_empty() && !it.state.is_synced());
    assert_eq!(it.state.counts.revisions.get(Kind::Service), 0);
    it.feed.send(Feed::Synced).await.unwrap();
    it.state.synced().await;
    assert!(it.state.table.load().host("web.example").is_some());
    assert_eq!(it.state.counts.revisions.get(Kind::Service), 7);
}

#[tokio::test(start_paused = true)]
async fn a_lone_change_is_published_at_once_and_a_burst_in_one_table() {
    let it = start();
    it.feed.send(Feed::Synced).await.unwrap();
    it.state.synced().await;
    tokio::time::advance(INTERVAL).await;

    it.feed.send(service("a", "a.example")).await.unwrap();
    it.turn().await;
    assert_eq!(it.generation(), 1, "no time has passed");

    for name in ["b", "c", "d"] {
        it.feed.send(service(name, &format!("{name}.example"))).await.unwrap();
        it.turn().await;
    }
    assert_eq!(it.generation(), 1, "too early for the next");
    tokio::time::advance(INTERVAL).await;
    it.turn().await;
    assert_eq!((it.generation(), it.state.table.load().len()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn findings_that_appear_are_told_once() {
    let mut it = start();
    it.feed.send(service("web", "not a host")).await.unwrap();
    it.feed.send(Feed::Synced).await.unwrap();
    let finding = it.findings.recv().await.unwrap();
    assert_eq!(finding.object.to_string(), "Service shop/web");
    it.feed.send(service("other", "other.example")).await.unwrap();
    it.turn().await;
    assert!(it.findings.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_old_table_is_dropped_here_and_not_by_the_request_that_used_it() {
    let it = start();
    it.feed.send(Feed::Synced).await.unwrap();
    it.state.synced().await;
    let request = it.state.table.load_full();
    let watched = Arc::downgrade(&request);
    it.feed.send(service("web", "web.example")).await.unwrap();
    tokio::time::advance(INTERVAL).await;
    it.turn().await;
    drop(request);
    assert!(watched.upgrade().is_some(), "the publisher keeps it");
    tokio::time::advance(SWEEP).await;
    it.turn().await;
    assert!(watched.upgrade().is_none());
}
