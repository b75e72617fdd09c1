//! Power of two choices on outstanding requests.

use std::{net::SocketAddr, sync::Arc};

use super::Endpoint;

/// How many random pairs are drawn before any endpoint will do.
const DRAWS: usize = 4;

pub(super) fn pick(
    endpoints: &[Arc<Endpoint>],
    avoid: Option<SocketAddr>,
    now: u64,
) -> Option<&Arc<Endpoint>> {
    let usable = |endpoint: &&Arc<Endpoint>| {
        Some(endpoint.address) != avoid && !endpoint.is_suspect(now) && endpoint.has_room()
    };
    let any = |endpoint: &&Arc<Endpoint>| Some(endpoint.address) != avoid && endpoint.has_room();
    match endpoints {
        [] => None,
        [only] => Some(only).filter(|only| only.has_room()),
        _ => (0..DRAWS)
            .find_map(|_| {
                let (one, other) = two(endpoints);
                [one, other]
                    .into_iter()
                    .filter(usable)
                    .min_by_key(|endpoint| endpoint.outstanding())
            })
            // Rare: most endpoints are unusable. Look at each before taking a bad one.
            .or_else(|| {
                endpoints.iter().filter(usable).min_by_key(|endpoint| endpoint.outstanding())
            })
            .or_else(|| endpoints.iter().find(any)),
    }
}

fn two(endpoints: &[Arc<Endpoint>]) -> (&Arc<Endpoint>, &Arc<Endpoint>) {
    let first = fastrand::usize(..endpoints.len());
    let step = fastrand::usize(1..endpoints.len());
    (&endpoints[first], &endpoints[(first + step) % endpoints.len()])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Lease, endpoint::MOST},
        *,
    };

    fn endpoints(n: u16) -> Vec<Arc<Endpoint>> {
        (0..n).map(|i| Arc::new(Endpoint::new(([10, 0, 0, 1], 8000 + i).into()))).collect()
    }

    #[test]
    fn the_less_busy_of_two_is_picked() {
        let set = endpoints(2);
        let _busy = Lease::new(set[0].clone());
        for _ in 0..100 {
            assert_eq!(pick(&set, None, 0).unwrap().address, set[1].address);
        }
    }

    #[test]
    fn avoided_and_suspect_endpoints_come_last() {
        let set = endpoints(3);
        set[0].failed(0);
        for _ in 0..100 {
            assert_eq!(pick(&set, Some(set[1].address), 1).unwrap().address, set[2].address);
        }
        // Nothing good is left: something that is not the one just tried.
        set[2].failed(0);
        assert_ne!(pick(&set, Some(set[1].address), 1).unwrap().address, set[1].address);
        // A single endpoint is tried again rather than none.
        assert!(pick(&set[..1], Some(set[0].address), 1).is_some());
        // The failure is forgotten after a second.
        assert!(!set[0].is_suspect(1_000));
        assert!(pick(&[], None, 0).is_none());
    }

    #[test]
    fn an_endpoint_has_so_many_requests_and_no_more() {
        let set = endpoints(2);
        let mut leases: Vec<_> = (0..MOST).map(|_| Lease::new(set[0].clone())).collect();
        for _ in 0..100 {
            assert_eq!(pick(&set, None, 0).unwrap().address, set[1].address);
        }
        assert!(pick(&set, Some(set[1].address), 0).is_none());
        assert!(pick(&set[..1], None, 0).is_none());
        leases.pop();
        assert!(pick(&set[..1], None, 0).is_some());
    }

    #[test]
    fn a_lease_counts_until_dropped() {
        let set = endpoints(1);
        let lease = Lease::new(set[0].clone());
        assert_eq!(set[0].outstanding(), 1);
        drop(lease);
        assert_eq!(set[0].outstanding(), 0);
    }
}
