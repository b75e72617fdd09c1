//! Protobuf, for the few types that kubectl and helm send in nothing else.
//!
//! A body is `k8s`, a zero byte, and a `runtime.Unknown` that names the type and holds the message.

mod messages;
mod wire;

use serde_json::Value;

pub(super) use messages::DELETE_OPTIONS;
use messages::{TYPE_META, UNKNOWN};
use wire::Message;

use crate::kinds::{self, Kind};

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";

/// The message of a kind's objects and that of its lists, where there are some.
fn messages_of(kind: &Kind) -> Option<(&'static Message, &'static Message)> {
    let is = |other: &Kind| std::ptr::eq(kind, other);
    if is(&kinds::SECRET) {
        Some((&messages::SECRET, &messages::SECRET_LIST))
    } else if is(&kinds::CONFIG_MAP) {
        Some((&messages::CONFIG_MAP, &messages::CONFIG_MAP_LIST))
    } else if is(&kinds::NAMESPACE) {
        Some((&messages::NAMESPACE, &messages::NAMESPACE_LIST))
    } else if is(&kinds::SELF_SUBJECT_ACCESS_REVIEW) {
        // Never listed.
        let review = &messages::SELF_SUBJECT_ACCESS_REVIEW;
        Some((review, review))
    } else {
        None
    }
}

/// Whether objects of a kind can be sent and received.
pub(super) fn speaks(kind: &Kind) -> bool {
    messages_of(kind).is_some()
}

/// An object or a list, which names its kind itself.
pub(super) fn encode(kind: &Kind, object: &Value) -> Option<Vec<u8>> {
    let (item, list) = messages_of(kind)?;
    let is_list = object["kind"] != kind.kind;
    let type_meta = serde_json::json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"],
    });
    let mut body = MAGIC.to_vec();
    wire::put_bytes(&mut body, UNKNOWN.type_meta, &wire::encode(&TYPE_META, &type_meta));
    let message = if is_list { list } else { item };
    wire::put_bytes(&mut body, UNKNOWN.raw, &wire::encode(message, object));
    Some(body)
}

/// An object of a kind, as it would be in JSON.
pub(super) fn decode(kind: &Kind, body: &[u8]) -> Result<Value, String> {
    let (item, _) = messages_of(kind).ok_or("the kind is not spoken in protobuf")?;
    decode_as(item, body)
}

/// A message of a type.
pub(super) fn decode_as(message: &Message, body: &[u8]) -> Result<Value, String> {
    let unknown = body.strip_prefix(MAGIC).ok_or("the body does not begin with k8s")?;
    let mut object = Value::Object(serde_json::Map::new());
    let mut type_meta = Value::Null;
    for field in wire::fields(unknown) {
        let (number, value) = field?;
        match (number, value) {
            (number, wire::Raw::Bytes(bytes)) if number == UNKNOWN.type_meta => {
                type_meta = wire::decode(&TYPE_META, bytes)?;
            }
            (number, wire::Raw::Bytes(bytes)) if number == UNKNOWN.raw => {
                object = wire::decode(message, bytes)?;
            }
            _ => {}
        }
    }
    for field in ["apiVersion", "kind"] {
        if let Some(value) = type_meta.get(field) {
            object[field] = value.clone();
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_makes_the_round_trip() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "immutable": false,
            "metadata": {
                "name": "s", "namespace": "a", "uid": "u", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-11-20T21:30:44Z", "labels": {"x": "", "y": "1"},
                "finalizers": ["a/b"],
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "q", "controller": true,
                }],
                "managedFields": [{
                    "manager": "m", "operation": "Update", "apiVersion": "v1",
                    "time": "2026-11-20T21:30:44Z", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:data": {".": {}}},
                }],
            },
            "data": {"k": "AAH/", "empty": ""},
        });
        let body = encode(&kinds::SECRET, &secret).expect("spoken");
        assert_eq!(decode(&kinds::SECRET, &body), Ok(secret));
    }

    #[test]
    fn bytes_as_go_writes_them_are_read() {
        // Go writes fields that are empty, too: generateName, selfLink, a zero creationTimestamp.
        let map = [
            &[0x0a, 0x13][..],
            &[
                0x0a, 0x01, b'a', 0x12, 0x00, 0x1a, 0x00, 0x22, 0x00, 0x2a, 0x00, 0x32, 0x00, 0x38,
                0x00,
            ],
            &[0x42, 0x00, 0x78, 0x01],
            &[0x12, 0x06, 0x0a, 0x01, b'k', 0x12, 0x01, b'v'],
        ]
        .concat();
        let mut body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12".to_vec();
        body.push(u8::try_from(map.len()).expect("short"));
        body.extend(map);
        body.extend([0x1a, 0x00, 0x22, 0x00]);
        assert_eq!(
            decode(&kinds::CONFIG_MAP, &body),
            Ok(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"},
            }))
        );
    }

    #[test]
    fn bad_bytes_are_refused() {
        for bad in [
            &b""[..],
            b"k8s",
            b"{}",
            b"k8s\0\xff",
            b"k8s\0\x12\x05\x0a",
            b"k8s\0\x12\x02\x0a\xff\xff",
        ] {
            assert!(decode(&kinds::SECRET, bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            decode(&kinds::POD, b"k8s\0"),
            Err("the kind is not spoken in protobuf".to_owned())
        );
    }
}
