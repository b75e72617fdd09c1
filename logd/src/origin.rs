//! Where records come from: what is the same for all records of a file.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use fairlead_wire::{Incarnation, incarnation::first_line_hash, message::Source, record::Flags};

use crate::app::AppId;

/// A flag of a record in the ring, above those of the wire: drains had it from an earlier instance
/// or owner.
pub(crate) const HISTORY: u16 = 1 << 8;

/// Another one: the record tells of a drain, and is for no drain.
pub(crate) const OF_DRAIN: u16 = 1 << 9;

/// Another one: what came before the record in its container's log an earlier instance or owner had,
/// and this one never will.
pub(crate) const LACKING: u16 = 1 << 10;

/// The wire's flags of a record in the ring.
pub(crate) fn wire_flags(flags: u16) -> Flags {
    Flags::from_bits(flags as u8)
}

/// Bytes that the origins of an app take, whoever holds them: its files, its records, readers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account(Arc<AtomicUsize>);

impl Account {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Who writes logd's own lines in an app's stream.
pub(crate) fn of_logd(app: &AppId) -> Source {
    Source {
        namespace: app.namespace().to_owned(),
        app: app.name().to_owned(),
        process: "logd".to_owned(),
        ..Source::default()
    }
}

/// Where records come from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) incarnation: Incarnation,
    pub(crate) source: Source,
    /// Stands for the incarnation where there is little room.
    pub(crate) id: u64,
    /// Stands for incarnation and source.
    pub(crate) origin: u64,
    /// What stands between the time and the text of a line: ` web[web.v2.x7k2p]: `.
    pub(crate) tag: Box<str>,
    /// The fields of a line in JSON that are the same for all of them, with a comma behind each.
    pub(crate) json: Box<str>,
    /// A line's name in JSON, without the end offset and the quote behind it.
    pub(crate) name: Box<str>,
    /// Bytes that it takes, about, and where they are counted.
    pub(crate) bytes: usize,
    account: Account,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.bytes, Relaxed);
    }
}

impl Origin {
    pub(crate) fn new(incarnation: Incarnation, source: Source, account: &Account) -> Self {
        let bytes = size_of::<Self>() + size(&incarnation, &source);
        account.0.fetch_add(bytes, Relaxed);
        let account = account.clone();
        let tag = tag(&source).into();
        let mut json =
            format!("\"app\":{},", quoted(&format!("{}/{}", source.namespace, source.app)));
        for (name, value) in [
            ("process", &source.process),
            ("pod", &source.pod),
            ("release", &source.release),
            ("node", &source.node),
            ("container", &incarnation.container.to_string()),
        ] {
            if !value.is_empty() {
                json.push_str(&format!("\"{name}\":{},", quoted(value)));
            }
        }
        let mut name = quoted(&format!("{incarnation}:"));
        name.pop();
        let id = first_line_hash(name.as_bytes());
        let mut hasher = DefaultHasher::new();
        (&name, &source).hash(&mut hasher);
        let origin = hasher.finish();
        let (json, name) = (json.into(), name.into());
        Self { incarnation, source, id, origin, tag, json, name, bytes, account }
    }
}

/// Bytes that a source takes in memory, about: by itself, and once more in what lines show of it.
pub(crate) fn size(incarnation: &Incarnation, source: &Source) -> usize {
    let Source { namespace, app, pod, process, release, node, container_id, labels, limits: _ } =
        source;
    let texts = [namespace, app, pod, process, release, node, container_id];
    let texts: usize = texts.iter().map(|text| text.len()).sum();
    let names = incarnation.pod_uid.len() + incarnation.container.len();
    let label =
        |(name, value): (&String, &String)| 2 * size_of::<String>() + name.len() + value.len();
    2 * (texts + names) + labels.iter().map(label).sum::<usize>()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Deis's form: `APP[TYPE.VERSION.POD]`, the pod by the last part of its name. What no pod wrote is
/// the platform's: `deis[TYPE]`.
fn tag(source: &Source) -> String {
    if source.pod.is_empty() {
        return format!(" deis[{}]: ", source.process);
    }
    let pod = source.pod.rsplit('-').next().unwrap_or(&source.pod);
    let parts: Vec<&str> = [source.process.as_str(), &source.release, pod]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    format!(" {}[{}]: ", source.app, parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pod: &str, process: &str, release: &str) -> Source {
        let text = str::to_owned;
        Source {
            namespace: text("shop"),
            app: text("front"),
            pod: text(pod),
            process: text(process),
            release: text(release),
            ..Source::default()
        }
    }

    #[test]
    fn tags_have_the_form_of_deis() {
        assert_eq!(tag(&source("front-web-5d4f-x7k2p", "web", "v2")), " front[web.v2.x7k2p]: ");
        assert_eq!(tag(&source("single", "web", "")), " front[web.single]: ");
        assert_eq!(tag(&source("odd-", "", "v1")), " front[v1]: ");
        assert_eq!(tag(&source("", "controller", "")), " deis[controller]: ");
    }

    #[test]
    fn fields_that_are_unknown_are_left_out() {
        let incarnation = Incarnation {
            pod_uid: "u".into(),
            container: "c\"1".into(),
            restart: 0,
            first_line: 0,
        };
        let account = Account::default();
        let origin = Origin::new(incarnation, source("p-1", "web", ""), &account);
        assert!(account.bytes() > 0);
        assert_eq!(
            &*origin.json,
            r#""app":"shop/front","process":"web","pod":"p-1","container":"c\"1","#
        );
        drop(origin);
        assert_eq!(account.bytes(), 0);
    }
}
