//! What a bulk request is answered: what became of each document, in their order.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{Failure, FailureKind, Reason, Verdict, http::Confirmed};

/// Reads the answer to a request for so many documents.
///
/// # Errors
/// Where it does not say what became of each of them, and where none was taken for a reason that
/// lies not with them: the receiver has too much to do, or refuses who is asking.
pub fn verdicts(answer: &[u8], lines: usize) -> Result<Confirmed, Failure> {
    let mut json = serde_json::Deserializer::from_slice(answer);
    let items = Answer { lines }.deserialize(&mut json).and_then(|items| {
        json.end()?;
        Ok(items)
    });
    let Items { verdicts, all, rejected, complaint } = items.map_err(|error| {
        Failure::new(FailureKind::Protocol, "bulk answer").answered(error.to_string())
    })?;
    if verdicts.len() != lines {
        let text = format!("bulk answer: {} items for {lines} lines", verdicts.len());
        return Err(Failure::new(FailureKind::Protocol, text));
    }
    let reason = || complaint.clone().unwrap_or_default();
    match all {
        Some(Kind::Again) => {
            Err(Failure::new(FailureKind::Busy, "no item was taken").answered(reason()))
        }
        Some(Kind::Denied) => {
            Err(Failure::new(FailureKind::Denied, "no item was taken").answered(reason()))
        }
        _ => Ok(Confirmed { verdicts, complaint: complaint.filter(|_| rejected) }),
    }
}

/// What a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Delivered,
    /// The receiver has too much to do, or an error of its own.
    Again,
    /// Refused for what is mended at the receiver or by a new Secret.
    Denied,
    Rejected(Reason),
}

impl Kind {
    fn of(status: u16) -> Self {
        match status {
            // A conflict of what may only be created: it is there already, from an earlier request.
            200..=299 | 409 => Self::Delivered,
            429 | 500.. => Self::Again,
            401 | 403 | 404 => Self::Denied,
            413 => Self::Rejected(Reason::TooLong),
            _ => Self::Rejected(Reason::Refused),
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Self::Delivered => Verdict::Delivered,
            Self::Again => Verdict::Again,
            Self::Denied => Verdict::Rejected(Reason::Refused),
            Self::Rejected(reason) => Verdict::Rejected(reason),
        }
    }
}

#[derive(Default)]
struct Items {
    verdicts: Vec<Verdict>,
    /// What all of them have in common.
    all: Option<Kind>,
    /// Whether one is rejected.
    rejected: bool,
    /// What was said of the newest one that is rejected; where there is none, that goes again.
    complaint: Option<String>,
}

/// The answer to so many lines. Of items beyond them only their number is kept.
#[derive(Clone, Copy)]
struct Answer {
    lines: usize,
}

impl<'de> DeserializeSeed<'de> for Answer {
    type Value = Items;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items, A::Error> {
        let mut items = None;
        while let Some(key) = map.next_key::<Box<str>>()? {
            if &*key != "items" {
                map.next_value::<IgnoredAny>()?;
            } else if items.replace(map.next_value_seed(List(self))?).is_some() {
                return Err(A::Error::duplicate_field("items"));
            }
        }
        items.ok_or_else(|| A::Error::missing_field("items"))
    }
}

struct List(Answer);

impl<'de> DeserializeSeed<'de> for List {
    type Value = Items;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {} items", self.0.lines)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
        let mut items = Items::default();
        while let Some(Item { status, error }) = seq.next_element()? {
            if items.verdicts.len() == self.0.lines {
                return Err(A::Error::custom(format!("more than {} items", self.0.lines)));
            }
            let kind = Kind::of(status);
            let first = items.verdicts.is_empty();
            let same = if first { Some(kind) } else { items.all };
            items.all = same.filter(|same| *same == kind);
            let verdict = kind.verdict();
            items.verdicts.push(verdict);
            let rejection = matches!(verdict, Verdict::Rejected(_));
            if rejection || (verdict == Verdict::Again && !items.rejected) {
                let error = error.map(|error| format!(" {error}")).unwrap_or_default();
                items.complaint = Some(crate::sink::told(format!("status {status}{error}")));
                items.rejected |= rejection;
            }
        }
        Ok(items)
    }
}

/// What became of a document: an object with the action as its only field.
struct Item {
    status: u16,
    error: Option<ItemError>,
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Action;

        impl<'de> Visitor<'de> for Action {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item with its action")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let (IgnoredAny, Outcome { status, error }) =
                    map.next_entry()?.ok_or_else(|| A::Error::custom("an item without action"))?;
                if map.next_key::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("an item with two actions"));
                }
                Ok(Item { status, error })
            }
        }

        deserializer.deserialize_map(Action)
    }
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<ItemError>,
}

/// Why it was not taken.
#[derive(Deserialize)]
#[serde(untagged)]
enum ItemError {
    Said {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        reason: String,
    },
    Text(String),
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { kind, reason } => write!(f, "{kind}: {reason}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str, lines: usize) -> Result<Confirmed, (FailureKind, String)> {
        verdicts(answer.as_bytes(), lines).map_err(|failure| (failure.kind, failure.to_string()))
    }

    #[test]
    fn each_item_has_its_verdict() {
        let answer = r#"{"took":7,"errors":true,"items":[
            {"create":{"_index":"a","_id":"1","status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"there"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},
            {"create":{"status":503,"error":{"type":"unavailable_shards_exception"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad","caused_by":{}}}},
            {"create":{"status":404,"error":"gone"}},
            {"create":{"status":429}}
        ]}"#;
        let refused = Verdict::Rejected(Reason::Refused);
        assert_eq!(
            read(answer, 7).unwrap(),
            Confirmed {
                verdicts: vec![
                    Verdict::Delivered,
                    Verdict::Delivered,
                    Verdict::Again,
                    Verdict::Again,
                    refused,
                    refused,
                    Verdict::Again
                ],
                complaint: Some("status 404 gone".to_owned()),
            }
        );
    }

    #[test]
    fn where_nothing_is_taken_for_no_fault_of_the_lines_all_go_again() {
        let busy = r#"{"items":[{"create":{"status":429,"error":{"type":"a","reason":"b"}}},{"create":{"status":429}}]}"#;
        assert_eq!(
            read(busy, 2),
            Err((FailureKind::Busy, "no item was taken: status 429".to_owned()))
        );
        let denied = r#"{"items":[{"create":{"status":403,"error":{"type":"security_exception","reason":"b"}}}]}"#;
        assert_eq!(
            read(denied, 1),
            Err((
                FailureKind::Denied,
                "no item was taken: status 403 security_exception: b".to_owned()
            ))
        );
        let bad = r#"{"items":[{"create":{"status":400,"error":null}}]}"#;
        assert_eq!(read(bad, 1).unwrap().verdicts, [Verdict::Rejected(Reason::Refused)]);
    }

    #[test]
    fn an_answer_that_does_not_say_what_became_of_each_line_is_none() {
        let item = r#"{"create":{"status":201}}"#;
        for answer in [
            String::new(),
            "<html>".to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            r#"{"errors":false}"#.to_owned(),
            r#"{"items":null}"#.to_owned(),
            r#"{"items":[]}"#.to_owned(),
            format!(r#"{{"items":[{item}]}}"#),
            format!(r#"{{"items":[{item},{item},{item}]}}"#),
            format!(r#"{{"items":[{item},{item}"#),
            format!(r#"{{"items":[{item},{item}]}} more"#),
            format!(r#"{{"items":[{item},{item}],"items":[{item},{item}]}}"#),
            format!(r#"{{"items":[{item},{{}}]}}"#),
            format!(r#"{{"items":[{item},{{"create":{{}}}}]}}"#),
            format!(r#"{{"items":[{item},{{"create":{{"status":"201"}}}}]}}"#),
            format!(
                r#"{{"items":[{item},{{"create":{{"status":201}},"index":{{"status":201}}}}]}}"#
            ),
        ] {
            let (kind, _) = read(&answer, 2).expect_err(&answer);
            assert_eq!(kind, FailureKind::Protocol, "{answer}");
        }
    }
}
