//! Shows an exchange with a receiver step by step, to people who ask why nothing arrives.

use tokio::sync::mpsc::UnboundedSender;

tokio::task_local! {
    static TOLD: UnboundedSender<String>;
}

/// Runs what sinks do and tells each step of it: addresses, connections, TLS, answers. No secret is
/// told. What a sink does in tasks of its own is not seen.
pub async fn watched<F: Future>(told: UnboundedSender<String>, future: F) -> F::Output {
    TOLD.scope(told, future).await
}

/// Tells a step, where somebody watches.
pub(crate) fn tell(step: impl FnOnce() -> String) {
    // An error tells that nobody does.
    let _ = TOLD.try_with(|told| told.send(step()));
}
