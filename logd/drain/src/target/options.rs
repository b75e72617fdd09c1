//! What the kinds of receivers are told by their URLs.

use super::{Endpoint, Secret, Transport};

/// A receiver of syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it is reached.
    pub transport: Transport,
    /// `format`: the form of messages.
    pub format: Format,
    /// `framing`: what tells messages of a stream apart; of no use for datagrams.
    pub framing: Framing,
    /// `facility`: what messages say they are about.
    pub facility: Facility,
}

/// The form of a syslog message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `rfc5424`.
    #[default]
    Rfc5424,
    /// `rfc3164`: the older one, for receivers that know no other.
    Rfc3164,
}

/// What tells messages of a stream apart (RFC 6587 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// `octet-counting`: each one's length precedes it.
    #[default]
    OctetCounting,
    /// `lf`: a line feed follows each one; one inside is written as `#012`.
    Lf,
}

/// What a message is about, by its number (RFC 5424 section 6.2.1, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

/// By their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

impl Facility {
    /// `user`.
    pub const USER: Self = Self(1);

    /// By its name, such as `local0`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let number = FACILITIES.iter().position(|known| *known == name)?;
        u8::try_from(number).ok().map(Self)
    }

    /// Its number: 0 to 23.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A receiver of GELF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gelf {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it is reached.
    pub transport: Transport,
}

/// A receiver that is sent HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether over TLS.
    pub tls: bool,
    /// Path and query as they are sent, from the `/` on. Some receivers have their tokens in them.
    pub path: Secret,
    /// For basic authentication.
    pub user: Option<User>,
}

/// User and password, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Without a colon.
    pub name: Secret,
    /// May be empty.
    pub password: Secret,
}

/// A receiver of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLines {
    /// Where it is. Its query has no options of ours.
    pub http: Http,
    /// `gzip`: requests are compressed.
    pub gzip: bool,
    /// What Sumo Logic files lines under.
    pub sumo: Sumo,
}

/// What Sumo Logic files lines under, where that is not what its source says. Visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sumo {
    /// `sumo-name`: `_sourceName`.
    pub name: Option<String>,
    /// `sumo-host`: `_sourceHost`.
    pub host: Option<String>,
    /// `sumo-category`: `_sourceCategory`.
    pub category: Option<String>,
}

/// A receiver of bulk requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elasticsearch {
    /// Where it is. Its path stands before `/_bulk`; it has no query.
    pub http: Http,
    /// Whose.
    pub product: Product,
    /// Where lines are put.
    pub destination: Destination,
    /// `time-key`: the field of a line's time; `@timestamp`. A data stream takes no other.
    pub time_key: String,
}

/// Whose bulk requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// `elasticsearch+https`.
    Elasticsearch,
    /// `opensearch+https`.
    OpenSearch,
}

/// Where lines are put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Destination {
    /// A data stream per app: `logs-APP-NAMESPACE`.
    #[default]
    PerApp,
    /// `data-stream`: this one for all lines.
    DataStream(String),
    /// `index`: this one for all lines.
    Index(String),
    /// `prefix`: an index a day, `PREFIX-2026.11.20` by a line's time in UTC.
    Dated(String),
    /// `index-from`: the index that a line names itself by this; lines without it go to the app's
    /// data stream.
    Field(Field),
}

/// What of a line names its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The app's name.
    App,
    /// The namespace.
    Namespace,
    /// The pod's name.
    Pod,
    /// The container's name.
    Container,
    /// The node's name.
    Node,
    /// The process type.
    Process,
    /// The release.
    Release,
    /// A label of the pod.
    Label(String),
}

impl Field {
    /// By its name in a document; a label by `kubernetes.labels.NAME`, with its points.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "service.name" => Self::App,
            "kubernetes.namespace" => Self::Namespace,
            "kubernetes.pod.name" => Self::Pod,
            "kubernetes.container.name" => Self::Container,
            "kubernetes.node.name" => Self::Node,
            "fairlead.process" => Self::Process,
            "fairlead.release" => Self::Release,
            _ => {
                let label = name.strip_prefix("kubernetes.labels.")?;
                let known = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
                let good = (1..=253).contains(&label.len()) && label.chars().all(known);
                return good.then(|| Self::Label(label.to_owned()));
            }
        })
    }
}
