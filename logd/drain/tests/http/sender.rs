//! A drain as logd has it, with lines of its own.

use std::time::Duration;

use fairlead_drain::{
    Batch, Credentials, Failure, Guard, Keys, Line, Network, Sink, Timeouts, Verdict, open,
    target::Target,
};
use fairlead_wire::{Incarnation, message::Source, record::Flags};

/// 2026-11-20T10:00:00Z
pub(crate) const TIME: i64 = 1_795_168_800_000_000_000;

/// A sink with lines of one pod of `shop/front`.
pub(crate) struct Sender {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) source: Source,
    incarnation: Incarnation,
    pub(crate) batch: Batch,
}

impl Sender {
    pub(crate) fn new(url: &str) -> Self {
        Self::with(url, Keys::default(), Duration::from_secs(30))
    }

    /// With a Secret's other keys, and waiting so long for a silent receiver.
    pub(crate) fn with(url: &str, keys: Keys<'_>, stall: Duration) -> Self {
        Self::within(url, keys, Timeouts { stall, ..Timeouts::default() })
    }

    /// With a Secret's other keys, and waiting as long as that says.
    pub(crate) fn within(url: &str, keys: Keys<'_>, timeouts: Timeouts) -> Self {
        let network = Network { timeouts, ..Network::new(Guard::platform(), 4) };
        let credentials = Credentials::read(keys).unwrap();
        let sink = open(&Target::parse(url).unwrap(), &credentials, &network).unwrap();
        Self {
            sink,
            source: source(),
            incarnation: Incarnation {
                pod_uid: "u-1".into(),
                container: "web".into(),
                restart: 0,
                first_line: 10,
            },
            batch: Batch::default(),
        }
    }

    /// Sends lines; the first one ends at 1 in its file, the next one at 2.
    pub(crate) async fn send(&mut self, payloads: &[&str]) -> Result<Vec<Verdict>, Failure> {
        self.batch.clear();
        for (payload, end) in payloads.iter().zip(1..) {
            let line = Line {
                origin: 1,
                source: &self.source,
                incarnation: &self.incarnation,
                end,
                time: TIME,
                flags: Flags::default(),
                payload: payload.as_bytes(),
            };
            assert_eq!(self.sink.encode(&line, &mut self.batch), None);
        }
        self.sink.send(&mut self.batch).await
    }
}

pub(crate) fn source() -> Source {
    Source {
        namespace: "shop".into(),
        app: "front".into(),
        pod: "front-web-6f7c-x7k2p".into(),
        process: "web".into(),
        release: "v2".into(),
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        ..Source::default()
    }
}
