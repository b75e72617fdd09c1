//! What the tests share.

pub(crate) mod pump;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use fairlead_drain::target::Target;
use fairlead_drain::{Credentials, Guard, Keys, Line, Network, Resolve, Sink, Timeouts, open};
use fairlead_wire::{Incarnation, message::Source, record::Flags};

/// For what ends at once, or never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// 2026-11-20T10:00:00.123456789Z
const TIME: i64 = 1_795_168_800_123_456_789;

/// Nobody is asked: tests connect to addresses.
struct NoNames;

#[async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        panic!("{host} is asked for")
    }
}

pub(crate) fn network(timeouts: Timeouts) -> Network {
    Network { resolve: Arc::new(NoNames), timeouts, ..Network::new(Guard::platform(), 1) }
}

pub(crate) fn sink_with(url: &str, keys: Keys<'_>, timeouts: Timeouts) -> Box<dyn Sink> {
    let credentials = Credentials::read(keys).unwrap();
    open(&Target::parse(url).unwrap(), &credentials, &network(timeouts)).unwrap()
}

pub(crate) fn sink(url: &str) -> Box<dyn Sink> {
    sink_with(url, Keys::default(), Timeouts::default())
}

/// A line of the process `web` of the app `front` in the namespace `shop`.
pub(crate) fn line(payload: &[u8]) -> Line<'_> {
    static SOURCE: LazyLock<Source> = LazyLock::new(|| Source {
        namespace: "shop".into(),
        app: "front".into(),
        pod: "front-web-6f7c-x7k2p".into(),
        process: "web".into(),
        release: "v2".into(),
        node: "node-1".into(),
        ..Source::default()
    });
    static INCARNATION: LazyLock<Incarnation> = LazyLock::new(|| Incarnation {
        pod_uid: "u-1".into(),
        container: "web".into(),
        restart: 0,
        first_line: 10,
    });
    Line {
        origin: 1,
        source: &SOURCE,
        incarnation: &INCARNATION,
        end: 42,
        time: TIME,
        flags: Flags::default(),
        payload,
    }
}

/// The text of a line by its number.
pub(crate) fn text(number: usize) -> String {
    format!("SEQ={number} Übung [a] \"b\" {}", "x".repeat(number % 300))
}

/// The number in a line's text.
pub(crate) fn number(text: &str) -> usize {
    let digits = text.split("SEQ=").nth(1).and_then(|rest| rest.split(' ').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{text:?}"))
}
