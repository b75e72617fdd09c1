//! Lines for tests.

use std::sync::LazyLock;

use fairlead_wire::{Incarnation, message::Source, record::Flags};

use crate::Line;

/// 2026-11-20T10:00:00.123456789Z
pub(crate) const TIME: i64 = 1_795_168_800_123_456_789;

pub(crate) fn source() -> Source {
    Source {
        namespace: "shop".into(),
        app: "front".into(),
        pod: "front-web-6f7c-x7k2p".into(),
        process: "web".into(),
        release: "v2".into(),
        node: "node-1".into(),
        container_id: "containerd://abc".into(),
        labels: [("app.kubernetes.io/name", "front"), ("team", "Blue")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        limits: None,
    }
}

pub(crate) fn incarnation() -> Incarnation {
    Incarnation { pod_uid: "u-1".into(), container: "web".into(), restart: 0, first_line: 10 }
}

pub(crate) fn line(payload: &[u8]) -> Line<'_> {
    static SOURCE: LazyLock<Source> = LazyLock::new(source);
    static INCARNATION: LazyLock<Incarnation> = LazyLock::new(incarnation);
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
