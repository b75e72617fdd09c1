//! What each kind of receiver is sent over HTTP.

use http::HeaderName;

use super::client::{Client, Settings};
use super::sink::{Format, HttpSink};
use crate::{
    OpenError, Sink,
    dial::Dialer,
    elasticsearch::{self, Bulk},
    json_lines::JsonLines,
    otlp::Otlp,
    target::{Product, Secret, Sumo, Target},
};

/// The sink that a URL asks for, if that is one over HTTP.
pub(crate) fn open(
    target: &Target,
    dialer: Dialer,
    token: Option<&Secret>,
) -> Result<Box<dyn Sink>, OpenError> {
    match target {
        Target::JsonLines(json) => {
            let mut settings = Settings::new(&json.http, "")?;
            settings.token("Bearer", token)?;
            settings.gzip = json.gzip;
            let Sumo { name, host, category } = &json.sumo;
            for (header, value) in
                [("x-sumo-name", name), ("x-sumo-host", host), ("x-sumo-category", category)]
            {
                if let Some(value) = value {
                    settings.header(HeaderName::from_static(header), value);
                }
            }
            Ok(posting(dialer, settings, JsonLines::default()))
        }
        Target::Otlp(http) => {
            let mut settings = Settings::new(http, "")?;
            settings.token("Bearer", token)?;
            settings.gzip = true;
            Ok(posting(dialer, settings, Otlp::default()))
        }
        Target::Elasticsearch(bulk) => {
            let mut settings = Settings::new(&bulk.http, elasticsearch::PATH)?;
            let scheme = match bulk.product {
                Product::Elasticsearch => "ApiKey",
                Product::OpenSearch => "Bearer",
            };
            settings.token(scheme, token)?;
            settings.gzip = true;
            settings.answer_cap = elasticsearch::ANSWER_CAP;
            Ok(posting(dialer, settings, Bulk::new(bulk)))
        }
        Target::Logplex(_) | Target::Syslog(_) | Target::Gelf(_) => {
            Err(OpenError::Unsupported(target.scheme()))
        }
    }
}

fn posting<F: Format + 'static>(dialer: Dialer, settings: Settings, format: F) -> Box<dyn Sink> {
    Box::new(HttpSink::new(Client::new(dialer, settings), format))
}
