//! Drains: declared by Secrets in a cluster, to real receivers.

mod answers;
mod declared;
mod deis;
mod faults;
mod killed;
mod many;
mod names;
mod pages;
mod programs;
mod slow;
mod trust;
mod unknown;
mod written;

use std::{net::SocketAddr, time::Duration};

use fairlead_cluster::{DeleteOptions, WriteOptions, kinds};
use fairlead_logd::{DrainOptions, Logd, LogdOptions};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Client, FileName, Sender, source, with};

impl Api {
    /// Declares a drain, or changes it.
    fn drain(&self, namespace: &str, name: &str, data: Value) {
        self.secret(namespace, name, json!({"fairlead.dev/drain": "true"}), data);
    }

    fn secret(&self, namespace: &str, name: &str, labels: Value, data: Value) {
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        let secret = json!({
            "metadata": {"name": name, "labels": labels},
            "stringData": data,
        });
        let of = Some(namespace);
        if registry.update(&kinds::SECRET, of, name, None, secret.clone(), &by).is_err() {
            registry.create(&kinds::SECRET, of, secret, &by).unwrap();
        }
    }

    fn no_drain(&self, namespace: &str, name: &str) {
        let (by, now) = (WriteOptions::by("test"), DeleteOptions::default());
        let registry = self.cluster.registry();
        registry.delete(&kinds::SECRET, Some(namespace), name, &now, &by).unwrap();
    }

    /// Reads drains of its own namespace `fairlead` and of `shop`.
    async fn drains(&self) -> DrainOptions {
        DrainOptions {
            client: Some(self.client().await),
            namespace: Some("fairlead".to_owned()),
            namespaces: vec!["shop".to_owned()],
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
            shutdown: Duration::from_secs(20),
            ..DrainOptions::default()
        }
    }

    async fn logd(&self, adjust: impl FnOnce(&mut LogdOptions)) -> Logd {
        let drains = self.drains().await;
        with(|options| {
            options.drains = drains;
            adjust(options);
        })
    }
}

/// A file of an app, whose lines are sent one by one.
struct App {
    sender: Sender,
    from: u64,
    settled: u64,
}

impl App {
    async fn open(logd: &Logd, app: &str, file: &str) -> Self {
        Self::at(logd.wire_addr(), app, file).await
    }

    async fn at(wire: SocketAddr, app: &str, file: &str) -> Self {
        let mut sender = Sender::at(wire).await;
        let opened = sender.open(&FileName::new(file), source(app, "web", "web-1-a")).await;
        Self { sender, from: opened.to.unwrap_or_default(), settled: opened.settled }
    }

    async fn write(&mut self, lines: &[&str]) -> u64 {
        let ack = self.sender.lines(1, self.from, lines).await;
        (self.from, self.settled) = (ack.stored, ack.settled);
        ack.settled
    }

    /// Waits until all is settled.
    async fn settled(&mut self) {
        let to = self.from;
        if self.settled < to {
            self.settled = self.sender.ack(1, |ack| ack.settled == to).await.settled;
        }
    }
}

/// What `/drains` shows once the drain is as wanted.
async fn shown(client: &Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let is = |answer: &Answer| answer.status == StatusCode::OK && wanted(&answer.json());
    client.until(&format!("/drains/{id}"), is).await.json()
}

async fn until_drain(logd: &Logd, id: &str) -> Value {
    shown(&Client::of(logd), id, |_| true).await
}

fn balances(drain: &Value) -> bool {
    let of = |name: &str| drain["lines"][name].as_u64().unwrap();
    let lost = of("lost_lag") + of("lost_expired") + of("lost_rejected");
    of("matched") == of("delivered") + of("sent") + of("pending") + lost
}
