//! Elasticsearch and OpenSearch: bulk requests.

mod answer;
mod document;
mod index;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use crate::{
    Batch, Failure, Limits, Line, Verdict,
    http::{Answer, Confirmed, Format, Piece, Request},
    target,
};

pub use answer::verdicts;
use document::Documents;

/// Bytes of an answer, at most.
pub(crate) const ANSWER_CAP: usize = 4 << 20;

/// What stands behind the URL's path. Answers have only what is read of them, where the receiver can
/// leave out the rest.
pub(crate) const PATH: &str =
    "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";

/// Lines as documents that are created.
pub(crate) struct Bulk(Documents);

impl Bulk {
    pub(crate) fn new(target: &target::Elasticsearch) -> Self {
        Self(Documents::new(target.destination.clone(), target.time_key.clone()))
    }
}

impl Format for Bulk {
    /// What is there already is not created once more.
    const REPEATABLE: bool = true;

    fn limits(&self) -> Limits {
        Limits { lines: 2_000, bytes: 1 << 20, linger: Duration::from_secs(1) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        self.0.add(line, batch);
        None
    }

    fn request(&mut self, lines: Piece<'_>) -> Request {
        let ndjson = HeaderValue::from_static("application/x-ndjson");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, ndjson)]);
        Request { headers, body: lines.bytes().to_vec() }
    }

    fn confirmed(&mut self, answer: Answer, lines: usize) -> Result<Confirmed, Failure> {
        verdicts(&answer.body?, lines)
    }
}
