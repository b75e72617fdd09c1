//! How many connections may be open, in all and per client.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::counters::Counters;

/// More than there are cores, so that two workers seldom meet at one lock. It is taken twice in a connection's life.
const SHARDS: usize = 64;

/// Connections that a client may have however few places are left.
const ALWAYS: usize = 100;

/// Counts open connections against two limits. The second becomes smaller with the places that are left, so that some clients
/// at their limits do not take all: the rule by which switches share their buffers (dynamic thresholds). Those that are trusted to speak
/// for others keep theirs.
#[derive(Debug)]
pub(crate) struct Caps {
    total: usize,
    per_client: usize,
    counters: Arc<Counters>,
    hasher: RandomState,
    shards: [Mutex<HashMap<Client, usize>>; SHARDS],
}

/// Who connections are counted for: a host by IPv4, a network by IPv6, where one host has a /64 to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// The limit that a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many connections in all.
    Total,
    /// Too many connections from this client.
    Client,
}

/// One connection's place under the limits, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    caps: Arc<Caps>,
    /// `None` for a connection that counts in the total alone.
    client: Option<Client>,
}

impl Caps {
    /// Limits on connections in all and per client. `counters.open` is the count in all.
    pub(crate) fn new(total: usize, per_client: usize, counters: Arc<Counters>) -> Self {
        Self {
            total,
            per_client,
            counters,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// A place for a connection from `ip`; `trusted` as of [`Permit::pass_to`].
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr, trusted: bool) -> Result<Permit, Refusal> {
        self.admit_proxy()?.pass_to(ip, trusted)
    }

    /// A place for a connection whose client is not known yet, or has none: it is a proxy's.
    pub(crate) fn admit_proxy(self: &Arc<Self>) -> Result<Permit, Refusal> {
        if !self.counters.open.increment_below(self.total as u64) {
            return Err(Refusal::Total);
        }
        Ok(Permit { caps: Arc::clone(self), client: None })
    }

    /// Counts one more connection of `client`, which may have `limit`.
    fn enter(&self, client: Client, limit: usize) -> Result<(), Refusal> {
        let mut shard = self.shard(client).lock();
        let open = shard.entry(client).or_insert(0);
        if *open >= limit {
            if *open == 0 {
                shard.remove(&client);
            }
            return Err(Refusal::Client);
        }
        *open += 1;
        Ok(())
    }

    /// Connections that a client may have now: such a part of the places left that one client, with nobody else there, comes to
    /// `per_client`.
    fn limit(&self) -> usize {
        let Some(others) = self.total.checked_sub(self.per_client).filter(|others| *others > 0)
        else {
            return self.per_client;
        };
        let open = usize::try_from(self.counters.open.get()).unwrap_or(usize::MAX);
        let left = self.total.saturating_sub(open);
        let part = (left as u128 * self.per_client as u128).div_ceil(others as u128);
        self.per_client.min(usize::try_from(part).unwrap_or(usize::MAX).max(ALWAYS))
    }

    /// Counts one connection of `client` less.
    fn leave(&self, client: Client) {
        if let Entry::Occupied(mut open) = self.shard(client).lock().entry(client) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }

    fn shard(&self, client: Client) -> &Mutex<HashMap<Client, usize>> {
        &self.shards[self.hasher.hash_one(client) as usize % SHARDS]
    }
}

impl Permit {
    /// This place of a proxy, counted for its client at `ip` from now on. One that is `trusted` to speak for others stands
    /// for many: its limit is whole as long as there are places.
    ///
    /// # Errors
    /// When that client is at its limit; the place is given back.
    pub(crate) fn pass_to(mut self, ip: IpAddr, trusted: bool) -> Result<Self, Refusal> {
        let client = Client::from(ip);
        let limit = if trusted { self.caps.per_client } else { self.caps.limit() };
        self.caps.enter(client, limit)?;
        self.client = Some(client);
        Ok(self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.caps.leave(client);
        }
        self.caps.counters.open.decrement();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(total: usize, per_client: usize) -> Arc<Caps> {
        Arc::new(Caps::new(total, per_client, Arc::default()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn clients(caps: &Caps) -> usize {
        caps.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    #[test]
    fn the_total_is_shared_by_all_clients() {
        let caps = caps(2, 2);
        let _a = caps.admit(ip("192.0.2.1"), false).unwrap();
        let b = caps.admit(ip("192.0.2.2"), false).unwrap();
        assert_eq!(caps.admit(ip("192.0.2.3"), false).unwrap_err(), Refusal::Total);
        drop(b);
        assert!(caps.admit(ip("192.0.2.3"), false).is_ok());
    }

    #[test]
    fn one_client_at_its_limit_does_not_touch_another() {
        let caps = caps(10, 1);
        let a = caps.admit(ip("192.0.2.1"), false).unwrap();
        assert_eq!(caps.admit(ip("192.0.2.1"), false).unwrap_err(), Refusal::Client);
        assert!(caps.admit(ip("192.0.2.2"), false).is_ok());
        drop(a);
        assert!(caps.admit(ip("192.0.2.1"), false).is_ok());
    }

    #[test]
    fn some_clients_at_their_limits_leave_places_for_others() {
        let caps = caps(4_000, 1_000);
        let mut taken = Vec::new();
        let take = |client: u8, taken: &mut Vec<Permit>| {
            let before = taken.len();
            taken.extend(std::iter::from_fn(|| {
                caps.admit(ip(&format!("192.0.2.{client}")), false).ok()
            }));
            taken.len() - before
        };
        assert_eq!(take(1, &mut taken), 1_000, "who is alone has the whole limit");
        for client in 2..9 {
            take(client, &mut taken);
        }
        // Nobody is refused a few, until there are none.
        for client in 10..13 {
            assert!((100..=110).contains(&take(client, &mut taken)), "{}", taken.len());
        }
        for client in 13..20 {
            take(client, &mut taken);
        }
        assert_eq!(taken.len(), 4_000);
    }

    #[test]
    fn who_is_trusted_to_speak_for_others_has_its_whole_limit_as_long_as_there_are_places() {
        let caps = caps(2_000, 1_000);
        let take = |client: &str| {
            let admit = || caps.admit(ip(client), true).ok();
            std::iter::from_fn(admit).collect::<Vec<_>>()
        };
        let two = [take("192.0.2.1"), take("192.0.2.2")];
        assert_eq!(two.map(|taken| taken.len()), [1_000, 1_000]);
    }

    #[test]
    fn where_one_client_may_have_all_it_has() {
        let caps = caps(300, 300);
        let all: Vec<_> = std::iter::from_fn(|| caps.admit(ip("192.0.2.1"), false).ok()).collect();
        assert_eq!(all.len(), 300);
    }

    #[test]
    fn a_place_of_a_proxy_passes_to_its_client_unless_that_one_is_at_its_limit() {
        let caps = caps(10, 1);
        let [one, two, check] = std::array::from_fn(|_| caps.admit_proxy().unwrap());
        assert_eq!((clients(&caps), caps.counters.open.get()), (0, 3));
        let one = one.pass_to(ip("192.0.2.1"), false).unwrap();
        assert_eq!(caps.admit(ip("192.0.2.1"), false).unwrap_err(), Refusal::Client);
        assert_eq!(two.pass_to(ip("192.0.2.1"), false).unwrap_err(), Refusal::Client);
        assert_eq!((clients(&caps), caps.counters.open.get()), (1, 2));
        drop((one, check));
        assert_eq!((clients(&caps), caps.counters.open.get()), (0, 0));
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_mapped_ipv4_is_ipv4() {
        let caps = caps(10, 1);
        let _six = caps.admit(ip("2001:db8:0:1::1"), false).unwrap();
        assert_eq!(caps.admit(ip("2001:db8:0:1:ffff::2"), false).unwrap_err(), Refusal::Client);
        assert!(caps.admit(ip("2001:db8:0:2::1"), false).is_ok());
        let _four = caps.admit(ip("::ffff:192.0.2.1"), false).unwrap();
        assert_eq!(caps.admit(ip("192.0.2.1"), false).unwrap_err(), Refusal::Client);
    }

    #[test]
    fn nothing_is_kept_of_clients_without_connections() {
        let caps = caps(2, 1);
        let a = caps.admit(ip("192.0.2.1"), false).unwrap();
        let b = caps.admit(ip("2001:db8::1"), false).unwrap();
        assert!(caps.admit(ip("192.0.2.9"), false).is_err());
        assert_eq!(clients(&caps), 2);
        drop((a, b));
        assert_eq!(clients(&caps), 0);
        assert_eq!(caps.counters.open.get(), 0);
    }

    #[test]
    fn a_limit_of_zero_admits_nobody_and_keeps_nothing() {
        let caps = caps(2, 0);
        assert_eq!(caps.admit(ip("192.0.2.1"), false).unwrap_err(), Refusal::Client);
        assert_eq!(clients(&caps), 0);
        assert_eq!(caps.counters.open.get(), 0);
    }
}
