//! What each kind of receiver is sent over HTTP.

use http::HeaderName;

use super::client::{Client, Settings};
use super::sink::{Format, HttpSink};
use crate::{
    OpenError, Sink,
    dial::Dialer,
    elasticsearch::{ANSWER_CAP, Bulk, PATH},
    json_lines::JsonLines,
    logplex::{DRAIN_TOKEN, Logplex},
    otlp::Otlp,
    target::{self, Http, Product, Secret, Sumo},
};

type Token<'a> = Option<&'a Secret>;
type Opened = Result<Box<dyn Sink>, OpenError>;

pub(crate) fn logplex(http: &Http, dialer: Dialer, token: Token<'_>) -> Opened {
    let mut settings = Settings::new(http, "")?;
    if let Some(token) = token {
        settings.header(DRAIN_TOKEN, token.expose());
    }
    Ok(posting(dialer, settings, Logplex::default()))
}

pub(crate) fn json_lines(json: &target::JsonLines, dialer: Dialer, token: Token<'_>) -> Opened {
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

pub(crate) fn otlp(http: &Http, dialer: Dialer, token: Token<'_>) -> Opened {
    let mut settings = Settings::new(http, "")?;
    settings.token("Bearer", token)?;
    settings.gzip = true;
    Ok(posting(dialer, settings, Otlp::default()))
}

pub(crate) fn elasticsearch(
    bulk: &target::Elasticsearch,
    dialer: Dialer,
    token: Token<'_>,
) -> Opened {
    let mut settings = Settings::new(&bulk.http, PATH)?;
    let scheme = match bulk.product {
        Product::Elasticsearch => "ApiKey",
        Product::OpenSearch => "Bearer",
    };
    settings.token(scheme, token)?;
    settings.gzip = true;
    settings.answer_cap = ANSWER_CAP;
    Ok(posting(dialer, settings, Bulk::new(bulk)))
}

fn posting<F: Format + 'static>(dialer: Dialer, settings: Settings, format: F) -> Box<dyn Sink> {
    Box::new(HttpSink::new(Client::new(dialer, settings), format))
}
