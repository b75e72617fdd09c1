use fairlead_wire::record::Flags;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest as Export,
    common::v1::{KeyValue, any_value::Value as Any},
};
use proptest::prelude::*;

use super::{message::ExportLogsPartialSuccess, *};
use crate::test::{TIME, line, source};

/// Reads requests with OpenTelemetry's own messages.
fn exported(lines: &[Line<'_>]) -> Export {
    let mut otlp = Otlp::default();
    let mut batch = Batch::default();
    for line in lines {
        assert_eq!(otlp.encode(line, &mut batch), None);
    }
    let Request { headers, body } = otlp.request(Piece::new(&batch, &(0..lines.len())));
    assert_eq!(headers[CONTENT_TYPE], "application/x-protobuf");
    prost::Message::decode(&*body).unwrap()
}

fn texts(attributes: &[KeyValue]) -> Vec<String> {
    let value = |attribute: &KeyValue| attribute.value.clone().and_then(|value| value.value);
    let text = |attribute| match value(attribute).unwrap() {
        Any::StringValue(text) => text,
        Any::IntValue(number) => number.to_string(),
        Any::BoolValue(value) => value.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| format!("{}={}", attribute.key, text(attribute))).collect()
}

#[test]
fn lines_are_records_of_their_pods() {
    let mut other = source();
    other.pod = "front-web-6f7c-other".into();
    let second = Line { origin: 2, source: &other, flags: Flags::STDERR, ..line(b"b\xff") };
    let third = Line { end: 50, flags: Flags::TRUNCATED, ..line(b"c") };
    let export = exported(&[line(b"a"), second, third]);

    let [front, other] = &export.resource_logs[..] else { panic!("{export:?}") };
    assert_eq!(
        texts(&front.resource.as_ref().unwrap().attributes),
        [
            "service.name=front",
            "service.namespace=shop",
            "service.version=v2",
            "k8s.namespace.name=shop",
            "k8s.pod.name=front-web-6f7c-x7k2p",
            "k8s.pod.uid=u-1",
            "k8s.container.name=web",
            "k8s.node.name=node-1",
            "container.id=containerd://abc",
            "fairlead.process=web",
            "k8s.container.restart_count=0",
            "k8s.pod.label.app.kubernetes.io/name=front",
            "k8s.pod.label.team=Blue",
        ]
    );
    let [scope] = &front.scope_logs[..] else { panic!("{front:?}") };
    assert_eq!(scope.scope.as_ref().unwrap().name, "fairlead");
    let [first, third] = &scope.log_records[..] else { panic!("{scope:?}") };
    assert_eq!(first.time_unix_nano, TIME as u64);
    assert_eq!((first.severity_number, &*first.severity_text), (9, "INFO"));
    assert_eq!(first.body.clone().unwrap().value, Some(Any::StringValue("a".to_owned())));
    assert_eq!(
        texts(&first.attributes),
        ["log.record.uid=u-1/web/0/000000000000000a:42", "log.iostream=stdout"]
    );
    assert_eq!(
        texts(&third.attributes),
        [
            "log.record.uid=u-1/web/0/000000000000000a:50",
            "log.iostream=stdout",
            "fairlead.truncated=true"
        ]
    );
    let [second] = &other.scope_logs[0].log_records[..] else { panic!("{other:?}") };
    assert_eq!((second.severity_number, &*second.severity_text), (17, "ERROR"));
    assert_eq!(second.body.clone().unwrap().value, Some(Any::BytesValue(b"b\xff".to_vec())));
}

#[test]
fn what_is_rejected_is_counted_and_final() {
    let confirmed = |rejected_log_records, body: Option<Vec<u8>>| {
        let partial =
            ExportLogsPartialSuccess { rejected_log_records, error_message: "too old".to_owned() };
        let answer = ExportLogsServiceResponse { partial_success: Some(partial) };
        Otlp::default()
            .confirmed(Answer::ok(body.unwrap_or_else(|| answer.encode_to_vec())), 3)
            .map(|confirmed| {
                let rejected = |verdict: &&Verdict| **verdict == Verdict::Rejected(Reason::Unnamed);
                assert_eq!(confirmed.verdicts.len(), 3);
                (confirmed.verdicts.iter().filter(rejected).count(), confirmed.complaint)
            })
            .map_err(|failure| failure.kind)
    };
    assert_eq!(confirmed(0, None), Ok((0, None)));
    assert_eq!(confirmed(0, Some(Vec::new())), Ok((0, None)));
    assert_eq!(confirmed(2, None), Ok((2, Some("too old".to_owned()))));
    assert_eq!(confirmed(9, None), Ok((3, Some("too old".to_owned()))));
    assert_eq!(confirmed(-1, None), Ok((0, None)));
    // A status of 2xx has taken them, whatever it says.
    let (rejected, complaint) = confirmed(0, Some(b"<html>".to_vec())).unwrap();
    assert_eq!(rejected, 0);
    assert!(complaint.unwrap().starts_with("taken, but it answers no ExportLogsServiceResponse: "));
}

proptest! {
    #[test]
    fn every_line_is_exported_once(lines: Vec<(u8, Vec<u8>)>) {
        let lines: Vec<_> =
            lines.iter().map(|(origin, payload)| Line { origin: (*origin % 4).into(), ..line(payload) }).collect();
        let export = exported(&lines);
        let mut sent: Vec<_> = lines.iter().map(|line| line.payload.to_vec()).collect();
        let mut got = Vec::new();
        for scope in export.resource_logs.iter().flat_map(|group| &group.scope_logs) {
            for record in &scope.log_records {
                got.push(match record.body.clone().and_then(|body| body.value) {
                    Some(Any::StringValue(text)) => text.into_bytes(),
                    Some(Any::BytesValue(bytes)) => bytes,
                    other => panic!("{other:?}"),
                });
            }
        }
        prop_assert!(export.resource_logs.len() <= 4);
        sent.sort();
        got.sort();
        prop_assert_eq!(got, sent);
    }
}
