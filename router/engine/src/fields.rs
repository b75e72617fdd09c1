//! The header fields that a rule adds to requests and responses.

use std::time::SystemTime;

use fairlead_router_core::policy::CORRELATION_ID;
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use crate::context::Context;

impl Context {
    /// Names the request, where its rule says so. To be called once it has a rule.
    pub(crate) fn name(&mut self, request: &RequestHeader) {
        if let Some(filter) = self.flight.as_ref().and_then(|flight| flight.rule.headers.as_ref()) {
            self.ids = filter.ids(request.headers.get(CORRELATION_ID)).map(Box::new);
        }
    }

    /// Adds the fields that the endpoint is to get.
    ///
    /// # Errors
    /// When there are more fields than Pingora can hold.
    pub(crate) fn mark_request(&self, request: &mut RequestHeader) -> Result<()> {
        match self.flight.as_ref().and_then(|flight| flight.rule.headers.as_ref()) {
            None => Ok(()),
            Some(filter) => {
                let set = |name, value| request.insert_header(name, value);
                filter.request(self.ids.as_deref(), SystemTime::now(), set)
            }
        }
    }

    /// Adds the fields that the client is to get.
    ///
    /// # Errors
    /// When there are more fields than Pingora can hold.
    pub(crate) fn mark_response(&self, response: &mut ResponseHeader) -> Result<()> {
        match self.flight.as_ref().and_then(|flight| flight.rule.headers.as_ref()) {
            None => Ok(()),
            Some(filter) => {
                let secure = self.client.is_some_and(|client| client.proto.is_secure());
                let set = |name, value| response.insert_header(name, value);
                filter.response(self.ids.as_deref(), secure, set)
            }
        }
    }
}
