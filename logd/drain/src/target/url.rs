//! Reading URLs.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use percent_encoding::percent_decode_str;

use super::error::URL_CAP;
use super::{
    Destination, Elasticsearch, Endpoint, Facility, Field, Format, Framing, Gelf, Host, Http,
    JsonLines, Product, Secret, Sumo, Syslog, Target, TargetError, Transport, User,
};

pub(super) fn parse(url: &str) -> Result<Target, TargetError> {
    use Product::{Elasticsearch, OpenSearch};
    use Transport::{Tcp, Tls, Udp};
    if url.len() > URL_CAP {
        return Err(TargetError::TooLong);
    }
    if url.contains('#') {
        return Err(TargetError::Fragment);
    }
    let uri: Uri = url.parse().map_err(|_| TargetError::Syntax)?;
    let scheme = uri.scheme_str().ok_or(TargetError::Syntax)?.to_ascii_lowercase();
    let parts = Parts::of(&uri)?;
    match scheme.as_str() {
        "syslog" => parts.syslog("syslog", Udp, Some(514)),
        "syslog+tcp" => parts.syslog("syslog+tcp", Tcp, None),
        "syslog+tls" => parts.syslog("syslog+tls", Tls, Some(6514)),
        "papertrail" => parts.syslog("papertrail", Tls, None),
        "gelf" => parts.gelf("gelf", Udp),
        "gelf+tcp" => parts.gelf("gelf+tcp", Tcp),
        "gelf+tls" => parts.gelf("gelf+tls", Tls),
        "http" => parts.http(false, 80).map(Target::Logplex),
        "https" => parts.http(true, 443).map(Target::Logplex),
        "json+http" => parts.json_lines(false, 80),
        "json+https" => parts.json_lines(true, 443),
        "otlp+http" => parts.otlp(false),
        "otlp+https" => parts.otlp(true),
        "elasticsearch+http" => parts.elasticsearch(Elasticsearch, false),
        "elasticsearch+https" => parts.elasticsearch(Elasticsearch, true),
        "opensearch+http" => parts.elasticsearch(OpenSearch, false),
        "opensearch+https" => parts.elasticsearch(OpenSearch, true),
        _ => Err(TargetError::Scheme),
    }
}

/// What follows a URL's scheme, in its parts.
struct Parts<'a> {
    user: Option<&'a str>,
    host: Host,
    port: Option<u16>,
    /// With the `/` that it begins with.
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a Uri) -> Result<Self, TargetError> {
        let authority = uri.authority().ok_or(TargetError::Syntax)?.as_str();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        // Only behind the bracket of an address does a colon precede a port.
        let colon = place.rfind(':').filter(|at| *at > place.rfind(']').unwrap_or(0));
        let (host, port) = match colon {
            Some(at) => (&place[..at], Some(port(&place[at + 1..])?)),
            None => (place, None),
        };
        Ok(Self { user, host: self::host(host)?, port, path: uri.path(), query: uri.query() })
    }

    fn endpoint(&self, scheme: &'static str, usual: Option<u16>) -> Result<Endpoint, TargetError> {
        let port = self.port.or(usual).ok_or(TargetError::NoPort(scheme))?;
        Ok(Endpoint { host: self.host.clone(), port })
    }

    /// Kinds that know neither users nor paths.
    fn bare(&self, scheme: &'static str) -> Result<(), TargetError> {
        match self {
            Self { user: Some(_), .. } => Err(TargetError::User(scheme)),
            Self { path, .. } if *path != "/" => Err(TargetError::Path(scheme)),
            _ => Ok(()),
        }
    }

    fn syslog(
        &self,
        scheme: &'static str,
        transport: Transport,
        usual_port: Option<u16>,
    ) -> Result<Target, TargetError> {
        self.bare(scheme)?;
        let [format, framing, facility] = self.options(["format", "framing", "facility"])?;
        Ok(Target::Syslog(Syslog {
            endpoint: self.endpoint(scheme, usual_port)?,
            transport,
            format: choice("format", "rfc5424 or rfc3164", format, |format| match format {
                "rfc5424" => Some(Format::Rfc5424),
                "rfc3164" => Some(Format::Rfc3164),
                _ => None,
            })?
            .unwrap_or_default(),
            framing: choice("framing", "octet-counting or lf", framing, |framing| match framing {
                "octet-counting" => Some(Framing::OctetCounting),
                "lf" => Some(Framing::Lf),
                _ => None,
            })?
            .unwrap_or_default(),
            facility: choice(
                "facility",
                "one of syslog's: user, daemon, local0 to local7 and so on",
                facility,
                Facility::named,
            )?
            .unwrap_or(Facility::USER),
        }))
    }

    fn gelf(&self, scheme: &'static str, transport: Transport) -> Result<Target, TargetError> {
        self.bare(scheme)?;
        let [] = self.options([])?;
        Ok(Target::Gelf(Gelf { endpoint: self.endpoint(scheme, Some(12201))?, transport }))
    }

    /// Kinds whose path and query are their receiver's alone.
    fn http(&self, tls: bool, usual_port: u16) -> Result<Http, TargetError> {
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Http {
            endpoint: self.endpoint("http", Some(usual_port))?,
            tls,
            path: Secret::new(format!("{}{query}", self.path)),
            user: self.user.map(user).transpose()?,
        })
    }

    /// What of the query is not ours is the receiver's.
    fn json_lines(&self, tls: bool, usual_port: u16) -> Result<Target, TargetError> {
        let names = ["gzip", "sumo-name", "sumo-host", "sumo-category"];
        let ours = |pair: &&str| {
            let name = form_urlencoded::parse(pair.as_bytes()).next();
            name.is_some_and(|(name, _)| names.contains(&&*name))
        };
        let (mine, theirs): (Vec<_>, Vec<_>) =
            self.query.into_iter().flat_map(|query| query.split('&')).partition(ours);
        let (mine, theirs) = (mine.join("&"), theirs.join("&"));
        let without = Parts { host: self.host.clone(), query: Some(&mine), ..*self };
        let [gzip, name, host, category] = without.options(names)?;
        let header = |option, value| {
            let expected = "1 to 1024 visible ASCII characters";
            choice(option, expected, value, |text| {
                let visible = |b: u8| b.is_ascii_graphic() || b == b' ';
                let good = (1..=1024).contains(&text.len()) && text.bytes().all(visible);
                (good && text.trim() == text).then(|| text.to_owned())
            })
        };
        let theirs = Some(&*theirs).filter(|theirs| !theirs.is_empty());
        Ok(Target::JsonLines(JsonLines {
            http: Parts { query: theirs, ..without }.http(tls, usual_port)?,
            gzip: choice("gzip", "true or false", gzip, |gzip| gzip.parse().ok())?.unwrap_or(false),
            sumo: Sumo {
                name: header("sumo-name", name)?,
                host: header("sumo-host", host)?,
                category: header("sumo-category", category)?,
            },
        }))
    }

    fn otlp(&self, tls: bool) -> Result<Target, TargetError> {
        let mut http = self.http(tls, 4318)?;
        if http.path.expose() == "/" {
            http.path = Secret::new("/v1/logs");
        }
        Ok(Target::Otlp(http))
    }

    fn elasticsearch(&self, product: Product, tls: bool) -> Result<Target, TargetError> {
        let [index, stream, prefix, field, time_key] =
            self.options(["index", "data-stream", "prefix", "index-from", "time-key"])?;
        let named = |option, value| {
            choice(
                option,
                "a name of an index: at most 200 lower-case letters, digits, - _ . and not one of \
                 these first",
                value,
                index_name,
            )
        };
        let field = choice(
            "index-from",
            "service.name, kubernetes.namespace, kubernetes.pod.name, kubernetes.container.name, \
             kubernetes.node.name, kubernetes.labels.NAME, fairlead.process or fairlead.release",
            field,
            Field::named,
        )?;
        let time_key = choice("time-key", "a field of at most 128 bytes", time_key, |field| {
            (!field.is_empty() && field.len() <= 128).then(|| field.to_owned())
        })?;
        let mut destinations = [
            named("index", index)?.map(Destination::Index),
            named("data-stream", stream)?.map(Destination::DataStream),
            named("prefix", prefix)?.map(Destination::Dated),
            field.map(Destination::Field),
        ]
        .into_iter()
        .flatten();
        let destination = destinations.next().unwrap_or_default();
        if destinations.next().is_some() {
            return Err(TargetError::Together("index, data-stream, prefix and index-from"));
        }
        let stream = matches!(destination, Destination::PerApp | Destination::DataStream(_));
        if stream && time_key.is_some() {
            return Err(TargetError::Value {
                option: "time-key",
                expected: "of use for a data stream, whose field of time is @timestamp: give \
                           index, prefix or index-from as well",
            });
        }
        let without_query = Self { query: None, host: self.host.clone(), ..*self };
        Ok(Target::Elasticsearch(Elasticsearch {
            http: without_query.http(tls, 9200)?,
            product,
            destination,
            time_key: time_key.unwrap_or_else(|| "@timestamp".to_owned()),
        }))
    }

    /// The values of these options; those of others are refused.
    fn options<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[Option<Cow<'a, str>>; N], TargetError> {
        let mut values = [const { None }; N];
        let query = self.query.unwrap_or_default().as_bytes();
        for (at, (name, value)) in form_urlencoded::parse(query).enumerate() {
            let Some(which) = names.iter().position(|known| *known == name) else {
                return Err(TargetError::Option { nth: at + 1, known: known(&names) });
            };
            if values[which].replace(value).is_some() {
                return Err(TargetError::Twice(names[which]));
            }
        }
        Ok(values)
    }
}

/// Names of options, for people.
fn known(names: &[&'static str]) -> &'static str {
    match names {
        [] => "none",
        ["gzip", ..] => "gzip, sumo-name, sumo-host and sumo-category",
        ["format", ..] => "format, framing and facility",
        _ => "index, data-stream, prefix, index-from and time-key",
    }
}

fn choice<T>(
    option: &'static str,
    expected: &'static str,
    value: Option<Cow<'_, str>>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, TargetError> {
    let read = |value: Cow<'_, str>| read(&value).ok_or(TargetError::Value { option, expected });
    value.map(read).transpose()
}

fn port(text: &str) -> Result<u16, TargetError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(TargetError::Port)
}

/// A name of RFC 1123 section 2.1, with `_` as in Kubernetes' and DNS's practice. What ends in a
/// number is an address (RFC 3986 section 3.2.2), and the one form that all resolvers agree on.
fn host(text: &str) -> Result<Host, TargetError> {
    if let Some(address) = text.strip_prefix('[') {
        let address: Ipv6Addr =
            address.strip_suffix(']').and_then(|it| it.parse().ok()).ok_or(TargetError::Host)?;
        return Ok(Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let number = last.starts_with(|c: char| c.is_ascii_digit());
    if number || name.len() > 253 || !name.split('.').all(label) {
        return Err(TargetError::Host);
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

fn user(text: &str) -> Result<User, TargetError> {
    let decode = |text| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(TargetError::UserText),
    };
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let name = decode(name)?;
    // RFC 7617 section 2: what precedes the first colon is the user.
    if name.contains(':') {
        return Err(TargetError::UserText);
    }
    Ok(User { name: Secret::new(name), password: Secret::new(decode(password)?) })
}

/// What Elasticsearch and OpenSearch take both, with room for a date.
fn index_name(name: &str) -> Option<String> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let good = (1..=200).contains(&name.len())
        && name.bytes().all(known)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    good.then(|| name.to_owned())
}
