//! Media types of bodies, both ways.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

use super::protobuf;
use crate::status::Status;

/// Which view of an object a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The object.
    Full,
    /// `PartialObjectMetadata`.
    Metadata,
    /// A row of a table.
    Table,
    /// The object, in protobuf.
    Protobuf,
}

/// What a body that was sent is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyType {
    Json,
    Yaml,
    Protobuf,
    MergePatch,
    StrategicPatch,
    JsonPatch,
    Apply,
}

/// Chooses among what `Accept` allows, in the client's order; protobuf only where it is spoken.
pub(super) fn view(headers: &HeaderMap, protobuf: bool) -> Result<View, Status> {
    let mut ranges = Vec::new();
    for header in headers.get_all(ACCEPT) {
        ranges.extend(header.to_str().map_err(|_| Status::not_acceptable())?.split(','));
    }
    if ranges.is_empty() {
        return Ok(View::Full);
    }
    ranges
        .into_iter()
        .find_map(|range| acceptable(range, protobuf))
        .ok_or_else(Status::not_acceptable)
}

fn acceptable(range: &str, protobuf: bool) -> Option<View> {
    if range.trim() == protobuf::MEDIA_TYPE {
        return protobuf.then_some(View::Protobuf);
    }
    let mut parts = range.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let (mut form, mut group, mut version) = ("", "", "");
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        match name {
            "as" => form = value,
            "g" => group = value,
            "v" => version = value,
            _ => {}
        }
    }
    match (form, group, version) {
        ("", ..) => Some(View::Full),
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => {
            Some(View::Metadata)
        }
        ("Table", "meta.k8s.io", "v1") => Some(View::Table),
        _ => None,
    }
}

/// Whether the client prefers discovery in one document.
pub(super) fn wants_aggregated(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|header| header.to_str().ok());
    let preferred = ranges.flat_map(|header| header.split(',')).find_map(|range| {
        let parts: Vec<&str> = range.split(';').map(str::trim).collect();
        let parameters = |wanted: &[&str]| wanted.iter().all(|wanted| parts.contains(wanted));
        match parts.as_slice() {
            ["application/json" | "application/*" | "*/*"] => Some(false),
            ["application/json", ..] => {
                let v2 = ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"];
                parameters(&v2).then_some(true)
            }
            _ => None,
        }
    });
    preferred.unwrap_or_default()
}

/// The type of a body that was sent; JSON where it is not said.
pub(super) fn body_type(headers: &HeaderMap) -> Result<BodyType, Status> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let Some(first) = types.next() else { return Ok(BodyType::Json) };
    let text = first.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if types.next().is_some() {
        return Err(Status::unsupported_media_type());
    }
    match essence.as_str() {
        "application/json" => Ok(BodyType::Json),
        "application/yaml" => Ok(BodyType::Yaml),
        protobuf::MEDIA_TYPE => Ok(BodyType::Protobuf),
        "application/merge-patch+json" => Ok(BodyType::MergePatch),
        "application/strategic-merge-patch+json" => Ok(BodyType::StrategicPatch),
        "application/json-patch+json" => Ok(BodyType::JsonPatch),
        "application/apply-patch+yaml" => Ok(BodyType::Apply),
        _ => Err(Status::unsupported_media_type()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> Option<View> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, text.parse().expect("a header value"));
        view(&headers, false).ok()
    }

    #[test]
    fn the_first_form_that_is_served_is_chosen() {
        assert_eq!(accept("application/json"), Some(View::Full));
        assert_eq!(accept("*/*"), Some(View::Full));
        assert_eq!(
            accept("application/vnd.kubernetes.protobuf, application/json"),
            Some(View::Full)
        );
        assert_eq!(
            accept("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Some(View::Metadata)
        );
        assert_eq!(
            accept(
                "application/json; as=PartialObjectMetadata; v=v1; g=meta.k8s.io, application/json"
            ),
            Some(View::Metadata)
        );
        assert_eq!(
            accept("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
            Some(View::Table)
        );
        assert_eq!(accept("text/csv"), None);
        assert_eq!(accept("application/json;as=Other;g=meta.k8s.io;v=v1"), None);
        assert_eq!(accept("application/vnd.kubernetes.protobuf"), None);
        let mut headers = HeaderMap::new();
        let both = "application/vnd.kubernetes.protobuf,application/json";
        headers.insert(ACCEPT, both.parse().expect("a header value"));
        assert_eq!(view(&headers, true), Ok(View::Protobuf));
    }
}
