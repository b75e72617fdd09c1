//! All endpoints that any backend uses, one record per address.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use super::Endpoint;

/// Hands out the one [`Endpoint`] of an address for as long as any backend uses it.
#[derive(Debug, Default)]
pub struct Endpoints {
    by_address: HashMap<SocketAddr, Weak<Endpoint>>,
    swept_at: usize,
}

impl Endpoints {
    /// The record of `address`, new or shared.
    pub fn get(&mut self, address: SocketAddr) -> Arc<Endpoint> {
        if let Some(endpoint) = self.by_address.get(&address).and_then(Weak::upgrade) {
            return endpoint;
        }
        self.sweep();
        let endpoint = Arc::new(Endpoint::new(address));
        self.by_address.insert(address, Arc::downgrade(&endpoint));
        endpoint
    }

    // Amortised: looks at all entries only once their number has doubled.
    fn sweep(&mut self) {
        if self.by_address.len() >= 2 * self.swept_at.max(32) {
            self.by_address.retain(|_, endpoint| endpoint.strong_count() > 0);
            self.swept_at = self.by_address.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_record_while_in_use_and_none_afterwards() {
        let mut endpoints = Endpoints::default();
        let kept = endpoints.get(([10, 0, 0, 1], 80).into());
        assert!(Arc::ptr_eq(&kept, &endpoints.get(kept.address)));
        for port in 0..10_000 {
            endpoints.get(([10, 0, 0, 2], port).into());
        }
        assert!(endpoints.by_address.len() <= 64, "{}", endpoints.by_address.len());
        assert!(Arc::ptr_eq(&kept, &endpoints.get(kept.address)));
    }
}
