//! Requests that programs may read differently, byte for byte: what is answered, and what an
//! endpoint gets. Each is a test, and runs once more without the rules of
//! `fairlead_router_core::strict`, to show what the engine does by itself. `docs/security.md` has a
//! line for each, written from what came out.

use super::support::{Backend, Router, Setup, Shared, backend::OK, within};

mod body;
mod differences;
mod fields;
mod framing;
mod host;
mod line;
mod misdirected;
mod page;
mod path;
mod response;
mod size;

/// One request, and what becomes of it.
struct Case {
    /// The name of the test, which says what is sent.
    name: &'static str,
    /// Where the standard speaks of it.
    section: &'static str,
    sent: &'static [u8],
    /// With the rules.
    expected: Outcome<'static>,
    /// Without.
    engine: Outcome<'static>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome<'a> {
    /// Answered with this status and the end of the connection; no endpoint got it whole.
    Refused(u16),
    /// An endpoint got exactly this, but for the fields `X-Forwarded-*`, and the client its answer.
    Passed(&'a str),
    /// Answered with these statuses; endpoints got these whole requests, and perhaps the beginning
    /// of another that broke off.
    Other(&'a [u16], &'a [&'a str]),
}
use Outcome::{Other, Passed, Refused};

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    answers: Vec<u16>,
    received: Vec<String>,
    /// The answer said that it is the connection's last.
    last: bool,
    /// Pingora found a mistake: by an answer of its own, or while it read the body.
    by_engine: bool,
}

impl Outcome<'_> {
    /// Statuses of answers, and what endpoints got.
    fn parts(&self) -> (Vec<u16>, Vec<String>) {
        match self {
            Refused(status) => (vec![*status], vec![]),
            Passed(request) => (vec![200], vec![(*request).to_owned()]),
            Other(answers, received) => {
                (answers.to_vec(), received.iter().map(ToString::to_string).collect())
            }
        }
    }
}

/// A router that has, at `web.example`, an application that answers `ok`.
struct World {
    router: Router,
    received: Shared<Vec<String>>,
    _backend: Backend,
}

impl World {
    async fn start(strict: bool) -> Self {
        let received = Shared::<Vec<String>>::default();
        let log = received.clone();
        let backend = Backend::start(move |mut conn, _| {
            let log = log.clone();
            async move {
                loop {
                    let head = conn.head().await?;
                    let at = {
                        let mut log = log.lock();
                        log.push(without_forwarded(&head));
                        log.len() - 1
                    };
                    let lower = head.to_ascii_lowercase();
                    let body = if lower.contains("transfer-encoding: chunked") {
                        conn.until("0\r\n\r\n").await
                    } else if let Some((_, rest)) = lower.split_once("content-length: ") {
                        let length = rest
                            .split(|c: char| !c.is_ascii_digit())
                            .next()
                            .unwrap()
                            .parse()
                            .unwrap();
                        conn.exactly(length).await
                    } else {
                        Some(String::new())
                    };
                    log.lock()[at].push_str(body.as_deref().unwrap_or("<cut>"));
                    body?;
                    conn.write(OK).await?;
                }
            }
        })
        .await;
        let setup = if strict { Setup::default() } else { Setup::bare() };
        let mut router = Router::start(setup);
        router.app("web", &[], &[backend.addr]);
        Self { router, received, _backend: backend }
    }

    /// Sends `bytes` on a connection of their own, and waits for its end.
    /// `answers` are those that do not need an end of the request.
    async fn send(&self, bytes: &[u8], answers: usize) -> Seen {
        self.received.lock().clear();
        let mut client = self.router.connect().await;
        // A refusal may come before all is sent, and end the connection.
        let _ = within(tokio::io::AsyncWriteExt::write_all(&mut client.stream, bytes)).await;
        let mut answer = String::new();
        for _ in 0..answers {
            answer += &client.response().await.text();
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await;
        answer += &client.rest().await;
        let received = self.received.clone();
        // A request that breaks off does so for the endpoint as well.
        let settled = || received.lock().iter().all(|request| is_settled(request));
        super::support::eventually("endpoints see the end of it", settled).await;
        let mut received = self.received.lock().clone();
        received.retain(|request| !request.ends_with("<cut>"));
        let statuses = answer.match_indices("HTTP/1.1 ");
        let statuses = statuses.filter_map(|(at, text)| answer[at + text.len()..].get(..3));
        Seen {
            answers: statuses.filter_map(|status| status.parse().ok()).collect(),
            received,
            last: answer.contains("\r\nConnection: close\r\n"),
            by_engine: answer.contains("Server: Pingora")
                || answer.ends_with("This request is malformed.\n"),
        }
    }
}

fn without_forwarded(head: &str) -> String {
    let lines = head.split_inclusive("\r\n");
    lines.filter(|line| !line.to_ascii_lowercase().starts_with("x-forwarded-")).collect()
}

fn is_settled(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    !body.is_empty()
        || !(head.contains("transfer-encoding: chunked") || head.contains("content-length: "))
        || head.contains("content-length: 0")
}

/// The test `name` of `cases`.
async fn check(name: &str, cases: &[Case]) {
    let case = cases.iter().find(|case| case.name == name).unwrap();
    for (strict, outcome) in [(true, &case.expected), (false, &case.engine)] {
        let (answers, received) = outcome.parts();
        let seen = World::start(strict).await.send(case.sent, answers.len()).await;
        assert_eq!((&seen.answers, &seen.received), (&answers, &received), "strict: {strict}");
    }
}

/// Tests with one request each, and a list of them. Where `engine` is left out, the engine does by
/// itself what is expected.
macro_rules! cases {
    ($($name:ident, $section:literal: $sent:expr => $expected:expr $(, engine $engine:expr)?;)*) => {
        pub(super) fn cases() -> Vec<crate::strict::Case> {
            vec![$(crate::strict::Case {
                name: stringify!($name),
                section: $section,
                sent: $sent,
                expected: $expected,
                engine: crate::strict::cases!(@engine $expected $(, $engine)?),
            }),*]
        }
        $(
            #[tokio::test]
            async fn $name() {
                crate::strict::check(stringify!($name), &cases()).await;
            }
        )*
    };
    (@engine $expected:expr) => { $expected };
    (@engine $expected:expr, $engine:expr) => { $engine };
}
use cases;
