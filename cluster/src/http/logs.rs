//! `/log` of a pod.

use std::convert::Infallible;

use futures::stream;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::query::Query;
use super::respond::{self, Reply};
use crate::kinds;
use crate::logs::{LogOptions, PodLogs};
use crate::registry::Registry;
use crate::status::Status;

/// Starts to send the log of a container.
pub(super) fn log(
    registry: &Registry,
    logs: &PodLogs,
    namespace: &str,
    name: &str,
    query: &Query<'_>,
) -> Result<Reply, Status> {
    let pod = registry.get(&kinds::POD, Some(namespace), name)?;
    let options = LogOptions::parse(name, |option| query.get(option), |flag| query.flag(flag))?;
    let log = logs.read(&pod, &options)?;
    let body = stream::unfold(log, async |mut log| {
        let piece = log.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(piece)), log))
    });
    Ok(respond::stream(StatusCode::OK, "text/plain", StreamBody::new(body).boxed_unsync()))
}
