//! What a client does over time or on several connections, and what comes of it. Each is a test, and
//! runs once more without the rules and bounds of the router, to show what the engine does by itself.
//! `docs/security.md` has a line for each, written from what came out.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

use super::support::{
    Client, Router, Setup,
    frames::{Raw, Said},
    within,
};

pub(crate) mod connections;
pub(crate) mod floods;
pub(crate) mod memory;
pub(crate) mod proxies;
pub(crate) mod slow;

/// What is done, and what comes of it.
pub(crate) struct Scene {
    /// The name of the test, which says what is done.
    pub(crate) name: &'static str,
    /// Where the standard speaks of it.
    pub(crate) section: &'static str,
    /// What comes of it with the rules and bounds.
    expected: &'static str,
    /// And without.
    alone: &'static str,
    play: fn(bool) -> Pin<Box<dyn Future<Output = String>>>,
}

impl Scene {
    /// What comes of it, `hardened` or not.
    pub(crate) async fn play(&self, hardened: bool) -> String {
        (self.play)(hardened).await
    }
}

/// The test `name` of `scenes`.
async fn check(name: &str, scenes: &[Scene]) {
    let scene = scenes.iter().find(|scene| scene.name == name).unwrap();
    assert_eq!(scene.play(true).await, scene.expected);
    assert_eq!(scene.play(false).await, scene.alone, "without rules and bounds");
}

/// Tests with one scene each, and a list of them. Where `alone` is left out, the engine does by itself
/// what is expected.
macro_rules! scenes {
    ($($name:ident, $section:literal: $play:expr => $expected:expr $(, alone $alone:expr)?;)*) => {
        pub(crate) fn scenes() -> Vec<crate::scenes::Scene> {
            vec![$(crate::scenes::Scene {
                name: stringify!($name),
                section: $section,
                expected: $expected,
                alone: crate::scenes::scenes!(@alone $expected $(, $alone)?),
                play: |hardened| Box::pin(($play)(hardened)),
            }),*]
        }
        $(
            #[tokio::test]
            async fn $name() {
                crate::scenes::check(stringify!($name), &scenes()).await;
            }
        )*
    };
    (@alone $expected:expr) => { $expected };
    (@alone $expected:expr, $alone:expr) => { $alone };
}
use scenes;

/// The time of the one bound that a scene is about.
const LIMIT: Duration = Duration::from_millis(200);

/// What goes on for so long has no bound.
const LONG: Duration = Duration::from_secs(1);

/// What `shorten` makes of the defaults, or no rules and bounds at all.
fn setup(hardened: bool, shorten: impl FnOnce(&mut Setup)) -> Setup {
    if !hardened {
        return Setup::bare();
    }
    let mut setup = Setup::default();
    shorten(&mut setup);
    setup
}

/// A router with the app `web` on `backend`.
fn router(setup: Setup, backend: &super::support::Backend) -> Router {
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    router
}

/// How it ends; what has no bound is given up after a while.
async fn ending(hardened: bool, end: impl Future<Output = String>) -> String {
    if hardened {
        return within(end).await;
    }
    tokio::time::timeout(LONG, end).await.unwrap_or_else(|_| "goes on".to_owned())
}

/// The status that a connection of HTTP/1 ends with.
async fn status<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) -> String {
    let rest = client.rest().await;
    let status = rest.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.unwrap_or("closed").to_owned()
}

/// What a server of HTTP/2 says first of a stream or the connection.
async fn said<S: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<S>) -> String {
    match raw.said().await {
        None | Some(Said::Goaway { code: 0 }) => "closed".to_owned(),
        Some(Said::Answer { status, .. }) => status.to_string(),
        Some(Said::Reset { code, .. }) => format!("RST_STREAM {}", error(code)),
        Some(Said::Goaway { code }) => format!("GOAWAY {}", error(code)),
    }
}

/// The name of an error (RFC 9113 §7).
fn error(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| code.to_string(), ToString::to_string)
}
