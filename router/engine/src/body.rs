//! The bounds that a rule sets to a request's head and body.

use std::time::Duration;

use fairlead_router_core::{Reply, strict::Violation};
use http::header::CONTENT_LENGTH;
use pingora_error::{Error, ErrorType, Result};
use pingora_proxy::Session;

use crate::{EngineLimits, context::Context, head, proxy::Proxy};

impl Proxy {
    /// The answer to a request whose head is larger than its rule allows, or that announces
    /// a larger body.
    pub(crate) fn too_large(&self, session: &Session, context: &Context) -> Option<Reply> {
        let rule = &context.flight.as_ref()?.rule;
        if rule.head_size.is_some_and(|limit| head::size(session) > limit as usize) {
            self.shared.metrics.refused(self.worker);
            return Some(Reply::violation(Violation::TooLarge));
        }
        let limit = rule.body_size?;
        let announced = session.req_header().headers.get(CONTENT_LENGTH)?.to_str().ok()?;
        (announced.parse::<u64>().ok()? > limit).then(Reply::too_large)
    }
}

impl Context {
    /// Counts `bytes` of the body.
    ///
    /// # Errors
    /// When that is more than the rule allows, or comes so slowly that it is a burden to the endpoint.
    pub(crate) fn receive(&mut self, bytes: usize, limits: &EngineLimits) -> Result<()> {
        // The end of a body comes without bytes, also where there was none.
        if bytes == 0 {
            return Ok(());
        }
        self.body_received += bytes as u64;
        let limit = self.flight.as_ref().and_then(|flight| flight.rule.body_size);
        // What follows a 101 is no body.
        if limit.is_some_and(|limit| self.body_received > limit) && !self.upstream.switched {
            return Err(Error::new_down(ErrorType::HTTPStatus(413)));
        }
        // Who has been answered is in conversation, and may take as long as the endpoint likes.
        let due = self.body_received / u64::from(limits.body_rate.max(1));
        let since = self.upstream.continued.unwrap_or(self.started);
        if !self.upstream.concluded
            && since.elapsed() > limits.body_grace + Duration::from_secs(due)
        {
            return Err(Error::new_down(ErrorType::HTTPStatus(408)));
        }
        Ok(())
    }
}
