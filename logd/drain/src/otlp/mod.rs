//! OpenTelemetry's logs over HTTP (OTLP 1.10): records grouped by the pod that wrote them.

mod message;
mod record;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use prost::Message as _;

use crate::{
    Batch, Failure, Limits, Line, Reason, Verdict,
    http::{Answer, Confirmed, Format, Piece, Request},
    origins::Origins,
};
use message::{
    ExportLogsServiceRequest, ExportLogsServiceResponse, InstrumentationScope, Resource,
    ResourceLogs, ScopeLogs, Value, attribute,
};

/// In front of each record in a batch: its origin.
const ORIGIN: usize = size_of::<u64>();

/// Lines as OpenTelemetry has them.
#[derive(Default)]
pub(crate) struct Otlp {
    origins: Origins<Origin>,
    /// A line's name.
    uid: Vec<u8>,
}

/// What is the same for all lines of an origin.
struct Origin {
    /// A [`Resource`].
    resource: Bytes,
    /// A line's name up to the offset.
    name: String,
}

impl Format for Otlp {
    /// A receiver does not know them again.
    const REPEATABLE: bool = false;

    /// Those that the protocol names.
    fn passing(status: StatusCode) -> bool {
        matches!(status.as_u16(), 502..=504)
    }

    fn limits(&self) -> Limits {
        Limits { lines: 2_000, bytes: 1 << 20, linger: Duration::from_secs(1) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        let origin = self.origins.of(line, batch.is_empty(), |line| Origin {
            resource: resource(line).encode_to_vec().into(),
            name: format!("{}:", line.incarnation),
        });
        batch.bytes.extend_from_slice(&line.origin.to_le_bytes());
        record::write(&mut batch.bytes, line, &origin.name, &mut self.uid);
        batch.end_line();
        None
    }

    fn request(&mut self, lines: Piece<'_>) -> Request {
        let all = Bytes::copy_from_slice(lines.bytes());
        let mut groups: Vec<ResourceLogs> = Vec::new();
        let mut places = HashMap::new();
        let mut at = 0;
        for line in lines.lines() {
            let origin = line.first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default();
            let place = *places.entry(origin).or_insert_with(|| {
                groups.push(self.group(origin));
                groups.len() - 1
            });
            let scope = groups[place].scope_logs.get_or_insert_default();
            scope.log_records.push(all.slice(at + ORIGIN..at + line.len()));
            at += line.len();
        }
        let body = ExportLogsServiceRequest { resource_logs: groups }.encode_to_vec();
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        Request { headers: HeaderMap::from_iter([(CONTENT_TYPE, protobuf)]), body }
    }

    /// What a receiver rejects it has seen and does not want again. It says how many, not which.
    fn confirmed(&mut self, answer: Answer, lines: usize) -> Result<Confirmed, Failure> {
        // A status of 2xx says that they were taken, also where nothing else can be read.
        let response = answer.body.map_err(|failure| failure.to_string()).and_then(|body| {
            ExportLogsServiceResponse::decode(&*body).map_err(|error| error.to_string())
        });
        let answer = match response {
            Ok(answer) => answer,
            Err(error) => {
                let told = format!("taken, but it answers no ExportLogsServiceResponse: {error}");
                let complaint = Some(crate::sink::told(told));
                return Ok(Confirmed { complaint, ..Confirmed::all(lines) });
            }
        };
        let partial = answer.partial_success.unwrap_or_default();
        let rejected = usize::try_from(partial.rejected_log_records).unwrap_or(0).min(lines);
        let mut confirmed = Confirmed::all(lines);
        confirmed.verdicts[lines - rejected..].fill(Verdict::Rejected(Reason::Unnamed));
        confirmed.complaint = (rejected > 0).then(|| crate::sink::told(partial.error_message));
        Ok(confirmed)
    }
}

impl Otlp {
    fn group(&self, origin: u64) -> ResourceLogs {
        let scope = InstrumentationScope {
            name: "fairlead".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let resource = self.origins.get(origin).map(|origin| origin.resource.clone());
        ResourceLogs {
            resource: resource.unwrap_or_default(),
            scope_logs: Some(ScopeLogs { scope: Some(scope), log_records: Vec::new() }),
        }
    }
}

/// Who wrote a line, by OpenTelemetry's semantic conventions.
fn resource(line: &Line<'_>) -> Resource {
    let Line { source, incarnation, .. } = line;
    let pod = !source.pod.is_empty();
    let of_pod = |text: &str| if pod { text.to_owned() } else { String::new() };
    let texts = [
        ("service.name", source.app.clone()),
        ("service.namespace", source.namespace.clone()),
        ("service.version", source.release.clone()),
        ("k8s.namespace.name", source.namespace.clone()),
        ("k8s.pod.name", source.pod.clone()),
        ("k8s.pod.uid", of_pod(&incarnation.pod_uid)),
        ("k8s.container.name", of_pod(&incarnation.container)),
        ("k8s.node.name", source.node.clone()),
        ("container.id", source.container_id.clone()),
        ("fairlead.process", source.process.clone()),
    ];
    let mut attributes: Vec<_> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| attribute(key, Value::String(text)))
        .collect();
    if pod {
        let restarts = Value::Int(incarnation.restart.into());
        attributes.push(attribute("k8s.container.restart_count", restarts));
    }
    attributes.extend(source.labels.iter().map(|(name, value)| {
        attribute(&format!("k8s.pod.label.{name}"), Value::String(value.clone()))
    }));
    Resource { attributes }
}

#[cfg(test)]
mod tests;
