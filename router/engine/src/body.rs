//! The bound on a request's body.

use fairlead_router_core::Reply;
use http::header::CONTENT_LENGTH;
use pingora_error::{Error, ErrorType, Result};
use pingora_proxy::Session;

use crate::context::Context;

impl Context {
    /// The answer to a request that announces more than its rule allows.
    pub(crate) fn too_large(&self, session: &Session) -> Option<Reply> {
        let limit = self.flight.as_ref()?.rule.body_size?;
        let announced = session.req_header().headers.get(CONTENT_LENGTH)?.to_str().ok()?;
        (announced.parse::<u64>().ok()? > limit).then(Reply::too_large)
    }

    /// Counts `bytes` of the body.
    ///
    /// # Errors
    /// When that is more than the rule allows.
    pub(crate) fn receive(&mut self, bytes: usize) -> Result<()> {
        self.body_received += bytes as u64;
        let limit = self.flight.as_ref().and_then(|flight| flight.rule.body_size);
        // What follows a 101 is no body.
        if limit.is_some_and(|limit| self.body_received > limit) && !self.upstream.switched {
            return Err(Error::new_down(ErrorType::HTTPStatus(413)));
        }
        Ok(())
    }
}
