//! Lines as a bulk request: an action and a document for each, with the fields of the Elastic Common
//! Schema.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fairlead_wire::record::Flags;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::index;
use crate::{Batch, Line, json, origins::Origins, target::Destination, time::Times};

/// The version of the schema.
const ECS: &str = "8.11.0";

/// Writes bulk requests.
pub(super) struct Documents {
    destination: Destination,
    /// The field of a line's time, where that is for the drain to say.
    time_key: String,
    origins: Origins<Origin>,
    times: Times,
    /// A line's name.
    name: Vec<u8>,
}

/// What is the same for all lines of an origin.
struct Origin {
    /// The name of the index; without its day where there is one for each.
    index: String,
    /// The field of a line's time, up to its value.
    time: Vec<u8>,
    /// Fields, with a comma behind each.
    fields: Vec<u8>,
    /// A line's name up to the offset.
    name: String,
}

impl Documents {
    pub(super) fn new(destination: Destination, time_key: String) -> Self {
        Self {
            destination,
            time_key,
            origins: Origins::default(),
            times: Times::default(),
            name: Vec::new(),
        }
    }

    /// Adds a line. Its `_id` is that of the record, so that one that is sent again is not there
    /// twice.
    pub(super) fn add(&mut self, line: &Line<'_>, batch: &mut Batch) {
        let Self { destination, time_key, origins, times, name } = self;
        let origin =
            origins.of(line, batch.is_empty(), |line| Origin::new(line, destination, time_key));
        let out = &mut batch.bytes;
        out.extend_from_slice(br#"{"create":{"_index":""#);
        out.extend_from_slice(origin.index.as_bytes());
        if matches!(destination, Destination::Dated(_)) {
            let day = times.day(line.time);
            out.extend(day.map(|b| if b == b'-' { b'.' } else { b }));
        }
        out.extend_from_slice(br#"","_id":""#);
        name.clear();
        let _ = write!(name, "{}{}", origin.name, line.end);
        id(out, name);
        out.extend_from_slice(b"\"}}\n{");
        out.extend_from_slice(&origin.time);
        times.nanoseconds(out, line.time);
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&origin.fields);
        log(out, line);
        out.extend_from_slice(br#""message":"#);
        json::bytes(out, line.payload);
        out.extend_from_slice(b"}\n");
        batch.end_line();
    }
}

/// The `_id` of the record of that name, `POD-UID/CONTAINER/RESTART/FIRST-LINE:END`: its XXH3 of 128
/// bits in base64.
fn id(out: &mut Vec<u8>, name: &[u8]) {
    let mut text = [0; 22];
    let hash = xxh3_128(name).to_be_bytes();
    URL_SAFE_NO_PAD.encode_slice(hash, &mut text).expect("16 bytes are 22 characters");
    out.extend_from_slice(&text);
}

/// `log.iostream` of what a container wrote, and `log.flags` of what is special.
fn log(out: &mut Vec<u8>, line: &Line<'_>) {
    let of_pod = !line.source.pod.is_empty();
    let flags = [(Flags::TRUNCATED, "truncated"), (Flags::CUT, "cut"), (Flags::NOTICE, "notice")];
    let flags = flags.into_iter().filter(|(flag, _)| line.flags.contains(*flag));
    let mut flags = flags.map(|(_, name)| name).peekable();
    if !of_pod && flags.peek().is_none() {
        return;
    }
    out.extend_from_slice(br#""log":{"#);
    if of_pod {
        json::field(out, "iostream", line.flags.stream().as_str());
    }
    if flags.peek().is_some() {
        out.extend_from_slice(br#""flags":["#);
        for name in flags {
            json::string(out, name);
            out.push(b',');
        }
        out.pop();
        out.extend_from_slice(b"],");
    }
    out.pop();
    out.extend_from_slice(b"},");
}

impl Origin {
    fn new(line: &Line<'_>, destination: &Destination, time_key: &str) -> Self {
        let mut time_key = time_key;
        let mut fields = fields(line);
        let index = match destination {
            Destination::PerApp => None,
            Destination::DataStream(name) | Destination::Index(name) => Some(name.clone()),
            Destination::Dated(prefix) => Some(format!("{prefix}-")),
            Destination::Field(field) => index::of_field(field, line),
        };
        let index = index.unwrap_or_else(|| {
            // A data stream takes no other.
            time_key = "@timestamp";
            let [dataset, namespace] = index::data_stream(line);
            let index = format!("logs-{dataset}-{namespace}");
            let stream =
                [("type", "logs".to_owned()), ("dataset", dataset), ("namespace", namespace)];
            fields.insert("data_stream".to_owned(), object(stream.map(|(k, v)| (k, v.into()))));
            index
        });
        let mut time = Vec::new();
        json::string(&mut time, time_key);
        time.extend_from_slice(b":\"");
        let mut fields = Value::from(fields).to_string().into_bytes();
        fields.remove(0);
        fields.pop();
        fields.push(b',');
        Self { index, time, fields, name: format!("{}:", line.incarnation) }
    }
}

/// Fields that all lines of an origin have.
fn fields(line: &Line<'_>) -> Map<String, Value> {
    let Line { source, incarnation, .. } = line;
    let of_pod = |text: &str| if source.pod.is_empty() { Value::Null } else { text.into() };
    // A point in a field's name would make an object of it: a pod with labels `a` and `a.b` could
    // not be stored.
    let labels =
        source.labels.iter().map(|(name, value)| (name.replace('.', "_"), value.as_str().into()));
    let kubernetes = object([
        ("namespace", source.namespace.as_str().into()),
        (
            "pod",
            object([("name", source.pod.as_str().into()), ("uid", of_pod(&incarnation.pod_uid))]),
        ),
        ("container", object([("name", of_pod(&incarnation.container))])),
        ("node", object([("name", source.node.as_str().into())])),
        ("labels", Map::from_iter(labels).into()),
    ]);
    let document = object([
        ("ecs", object([("version", ECS.into())])),
        ("service", object([("name", source.app.as_str().into())])),
        ("kubernetes", kubernetes),
        ("container", object([("id", source.container_id.as_str().into())])),
        (
            "fairlead",
            object([
                ("process", source.process.as_str().into()),
                ("release", source.release.as_str().into()),
            ]),
        ),
    ]);
    match document {
        Value::Object(document) => document,
        _ => Map::new(),
    }
}

/// An object of those fields that say something.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let fields = fields.into_iter().filter(|(_, value)| says(value));
    fields.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use fairlead_wire::message::Source;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        target::Field,
        test::{incarnation, line, source},
    };

    /// Lines of a request, each read by itself.
    fn encoded(destination: Destination, time_key: &str, lines: &[Line<'_>]) -> Vec<Value> {
        let mut documents = Documents::new(destination, time_key.to_owned());
        let mut batch = Batch::default();
        for line in lines {
            documents.add(line, &mut batch);
        }
        assert_eq!(batch.len(), lines.len());
        let text = String::from_utf8(batch.bytes).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    fn index(destination: Destination, line: &Line<'_>) -> Value {
        encoded(destination, "@timestamp", &[*line])[0]["create"]["_index"].clone()
    }

    #[test]
    fn a_line_is_created_in_the_data_stream_of_its_app() {
        let lines = [line(b"say \"hi\""), Line { flags: Flags::STDERR, end: 43, ..line(b"\xff") }];
        let [action, document, second, other] =
            &encoded(Destination::PerApp, "@timestamp", &lines)[..]
        else {
            panic!("two lines for each")
        };
        let id = URL_SAFE_NO_PAD.encode(xxh3_128(b"u-1/web/0/000000000000000a:42").to_be_bytes());
        assert_eq!(*action, json!({"create": {"_index": "logs-front-shop", "_id": id}}));
        assert_eq!(
            *document,
            json!({
                "@timestamp": "2026-11-20T10:00:00.123456789Z",
                "message": "say \"hi\"",
                "log": {"iostream": "stdout"},
                "ecs": {"version": "8.11.0"},
                "service": {"name": "front"},
                "data_stream": {"type": "logs", "dataset": "front", "namespace": "shop"},
                "kubernetes": {
                    "namespace": "shop",
                    "pod": {"name": "front-web-6f7c-x7k2p", "uid": "u-1"},
                    "container": {"name": "web"},
                    "node": {"name": "node-1"},
                    "labels": {"app_kubernetes_io/name": "front", "team": "Blue"},
                },
                "container": {"id": "containerd://abc"},
                "fairlead": {"process": "web", "release": "v2"},
            })
        );
        assert_ne!(second["create"]["_id"], action["create"]["_id"]);
        assert_eq!(
            (&other["message"], &other["log"]),
            (&json!("\u{fffd}"), &json!({"iostream": "stderr"}))
        );
    }

    #[test]
    fn what_no_pod_wrote_has_no_pod() {
        let source = Source {
            namespace: "shop".into(),
            app: "front".into(),
            process: "router".into(),
            ..Source::default()
        };
        let flags = Flags::NOTICE.with(Flags::TRUNCATED);
        let line = Line { source: &source, flags, ..line(b"x") };
        let [_, document] = &encoded(Destination::Index("all".into()), "@timestamp", &[line])[..]
        else {
            panic!("two lines for each")
        };
        assert_eq!(
            *document,
            json!({
                "@timestamp": "2026-11-20T10:00:00.123456789Z",
                "message": "x",
                "log": {"flags": ["truncated", "notice"]},
                "ecs": {"version": "8.11.0"},
                "service": {"name": "front"},
                "kubernetes": {"namespace": "shop"},
                "fairlead": {"process": "router"},
            })
        );
    }

    #[test]
    fn lines_go_where_the_drain_says() {
        let line = line(b"x");
        assert_eq!(index(Destination::Index("all".into()), &line), "all");
        assert_eq!(index(Destination::DataStream("logs-a-b".into()), &line), "logs-a-b");
        assert_eq!(index(Destination::Field(Field::Namespace), &line), "shop");
        let dated = Destination::Dated("logstash".into());
        assert_eq!(index(dated.clone(), &line), "logstash-2026.11.20");
        assert_eq!(index(dated, &Line { time: -1, ..line }), "logstash-1969.12.31");
    }

    #[test]
    fn the_time_has_the_field_that_the_drain_says_but_in_a_data_stream() {
        let time = |destination, field: &str| {
            encoded(destination, "time", &[line(b"x")])[1][field].clone()
        };
        let dated = Destination::Dated("logstash".into());
        assert_eq!(time(dated.clone(), "time"), "2026-11-20T10:00:00.123456789Z");
        assert_eq!(time(dated, "@timestamp"), Value::Null);
        let of_field = Destination::Field(Field::Label("none".into()));
        assert_eq!(time(of_field.clone(), "@timestamp"), "2026-11-20T10:00:00.123456789Z");
        assert_eq!(time(of_field, "time"), Value::Null);
    }

    #[test]
    fn ids_are_those_of_records() {
        let id = |line: &Line<'_>| {
            encoded(Destination::PerApp, "@timestamp", &[*line])[0]["create"]["_id"].clone()
        };
        let first = line(b"x");
        assert_eq!(id(&first), id(&Line { time: 0, origin: 9, ..line(b"y") }));
        let mut other = incarnation();
        other.restart = 1;
        assert_ne!(id(&first), id(&Line { incarnation: &other, ..first }));
        assert_ne!(id(&first), id(&Line { end: 43, ..first }));
    }

    proptest! {
        #[test]
        fn any_line_is_an_action_and_a_document(
            payload: Vec<u8>, time: i64, end: u64, app: String, label: String, value: String,
        ) {
            let mut source = source();
            (source.app, source.release) = (app, value.clone());
            source.labels.insert(label, value);
            let line = Line { source: &source, time, end, ..line(&payload) };
            for destination in [Destination::PerApp, Destination::Field(Field::Release)] {
                let [action, document] = &encoded(destination, "@timestamp", &[line])[..] else {
                    panic!("two lines for each")
                };
                let index = action["create"]["_index"].as_str().unwrap();
                prop_assert!(index.len() <= 255 && !index.starts_with(['-', '_', '+', '.']));
                prop_assert!(!index.contains(|c: char| "\\/*?\"<>| ,#:".contains(c) || c.is_control()));
                prop_assert_eq!(action["create"]["_id"].as_str().unwrap().len(), 22);
                prop_assert_eq!(&document["message"], &*String::from_utf8_lossy(&payload));
                let shown: jiff::Timestamp = document["@timestamp"].as_str().unwrap().parse().unwrap();
                prop_assert_eq!(shown.as_nanosecond(), i128::from(time));
            }
        }
    }
}
