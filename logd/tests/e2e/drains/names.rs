//! Receivers' names: unknown ones, and such as lead elsewhere.

use std::{io, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use fairlead_drain::Resolve;
use fairlead_logd::Logd;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    balances, shown,
    written::{Got, Written, account, of},
};
use crate::support::{Api, Client, Receiver};

const LINES: usize = 2_000;

/// The addresses of `logs.example`; of none where it does not exist.
#[derive(Default)]
struct Names(Mutex<Vec<IpAddr>>);

impl Names {
    fn are(&self, addresses: &[&str]) {
        *self.0.lock() = addresses.iter().map(|address| address.parse().unwrap()).collect();
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "logs.example");
        let addresses = self.0.lock().clone();
        if addresses.is_empty() {
            return Err(io::Error::other("Name or service not known"));
        }
        Ok(addresses)
    }
}

/// A drain of a tenant leads to `logs.example`.
async fn led(receiver: &Receiver, names: &Arc<Names>) -> (Api, Logd, Client) {
    let api = Api::start().await;
    let url = format!("syslog+tcp://logs.example:{}", receiver.address.port());
    api.drain("shop", "named", json!({"url": url, "app": "web"}));
    let logd = api.logd(|options| options.drains.resolve = Some(names.clone())).await;
    let client = Client::of(&logd);
    shown(&client, "shop/named", |_| true).await;
    (api, logd, client)
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_asked_for_until_it_does() {
    let (mut receiver, names) = (Receiver::start().await, Arc::<Names>::default());
    let (_api, logd, client) = led(&receiver, &names).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    let drain = shown(&client, "shop/named", |drain| {
        assert!(balances(drain), "{drain}");
        drain["failures"].as_u64() >= Some(3)
    })
    .await;
    assert_eq!(drain["last_error"]["kind"], "resolve");
    assert_eq!((web.settled(), of(&drain, "sent")), (0, 0));
    names.are(&["127.0.0.1"]);
    let mut got = Got::default();
    got.until(&mut receiver, LINES).await;
    web.all_settled().await;
    let drain = account(&client, "shop/named", LINES).await;
    assert_eq!((of(&drain, "sent"), got.again(LINES)), (LINES, 0));
}

/// A name that leads to the Internet when it is looked at, and into the platform afterwards.
#[tokio::test]
async fn a_name_that_leads_to_169_254_169_254_later_is_not_followed() {
    let (mut receiver, names) = (Receiver::start().await, Arc::<Names>::default());
    names.are(&["127.0.0.1"]);
    let (_api, logd, client) = led(&receiver, &names).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    let mut got = Got::default();
    got.until(&mut receiver, LINES).await;
    web.all_settled().await;
    // One address that may not be led to is enough: also the other one is not connected to.
    names.are(&["127.0.0.1", "169.254.169.254"]);
    receiver.breaks_off();
    web.write(LINES).await;
    let told = "Error L13 (Local delivery error): ";
    let logs =
        client.until("/logs/shop/web?contains=Error", |answer| answer.body.contains(told)).await;
    assert!(logs.body.contains("shop/named"));
    let drain = shown(&client, "shop/named", |drain| {
        assert!(balances(drain), "{drain}");
        drain["last_error"]["kind"] == "forbidden"
    })
    .await;
    let unsettled = web.count() - web.settled();
    assert!(receiver.is_quiet() && unsettled > 0, "{drain}");
    names.are(&["127.0.0.1"]);
    got.until(&mut receiver, web.count()).await;
    web.all_settled().await;
    let drain = account(&client, "shop/named", web.count()).await;
    assert!(got.again(web.count()) <= unsettled, "{drain}");
}
