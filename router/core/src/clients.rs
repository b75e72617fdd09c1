//! What is remembered of each application's clients: how fast they ask, and how much at a time.
//!
//! All of it lives in two tables of fixed size, shared by all workers without a lock: a client's
//! place is one word, changed by compare-and-swap. Words that share a cache line are the only ones
//! that a client can have, so that a request touches one line. When a line is full, whoever asks
//! least makes room and begins anew: many clients make a limit weaker, never memory larger. Two
//! clients of a full line are taken for one by a chance of one in a hundred thousand.

use std::{
    hash::BuildHasher,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;
use foldhash::fast::RandomState;

use crate::{
    app::AppId,
    policy::{RateLimit, TICK, ticks},
};

/// Cache lines per table: 65,536 clients, 1 MiB with the padding.
const LINES: usize = 8192;
const PLACES: usize = 8;

type Line = CachePadded<[AtomicU64; PLACES]>;

/// The clients of all applications. An IPv6 client is its /64: who has one address there has all.
#[derive(Debug, Default)]
pub struct Clients {
    /// A tag of 20 bits and the moment, in ticks, at which the client has used up nothing.
    rates: Table,
    /// A tag of 32 bits and a count.
    requests: Table,
}

/// Not made before it is needed.
#[derive(Debug, Default)]
struct Table {
    lines: OnceLock<Box<[Line]>>,
    seed: RandomState,
}

impl Table {
    /// Where a client's line is, and a hash to tell it from the others there.
    fn place(&self, app: &AppId, client: IpAddr) -> (usize, u64) {
        let hash = self.seed.hash_one((app, prefix(client)));
        (hash as usize % LINES, hash >> 16)
    }

    fn line(&self, at: usize) -> &Line {
        &self.lines.get_or_init(|| (0..LINES).map(|_| Line::default()).collect())[at]
    }
}

/// The IPv4 address, or the first half of the IPv6 address.
fn prefix(client: IpAddr) -> u64 {
    match client.to_canonical() {
        // Where no unicast address of IPv6 is.
        IpAddr::V4(address) => 0xffff << 48 | u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

/// 8.9 years of ticks.
const TIME: u64 = (1 << 44) - 1;
const COUNT: u64 = u32::MAX as u64;

impl Clients {
    /// Takes note of a request at `now`, on any steady clock, the same for all calls.
    ///
    /// # Errors
    /// When it comes too early; the time after which it would not.
    pub fn admit(
        &self,
        app: &AppId,
        client: IpAddr,
        limit: &RateLimit,
        now: Duration,
    ) -> Result<(), Duration> {
        let now = ticks(now) & TIME;
        let (line, hash) = self.rates.place(app, client);
        let (line, tag) = (self.rates.line(line), hash << 44);
        loop {
            let words = line.each_ref().map(|word| word.load(Relaxed));
            let own = words.iter().position(|word| word & !TIME == tag);
            // Else the one with the least to remember: nothing, if its time is past.
            let at = own.or_else(|| (0..PLACES).min_by_key(|at| words[*at] & TIME)).unwrap_or(0);
            let even = if own.is_some() { (words[at] & TIME).max(now) } else { now };
            let next = even + limit.interval;
            let early = next.saturating_sub(now + limit.window);
            if early > 0 {
                return Err(TICK * u32::try_from(early).unwrap_or(u32::MAX));
            }
            let new = tag | next & TIME;
            if line[at].compare_exchange_weak(words[at], new, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// Counts a request of `client` until the value given is dropped; `None` when it has `limit` of
    /// them already.
    pub fn begin(self: &Arc<Self>, app: &AppId, client: IpAddr, limit: u32) -> Option<Present> {
        let (index, hash) = self.requests.place(app, client);
        let (line, tag) = (self.requests.line(index), hash << 32);
        loop {
            let words = line.each_ref().map(|word| word.load(Relaxed));
            let count = |word: u64| (word & COUNT) as u32;
            let own = words.iter().position(|word| word & !COUNT == tag);
            let free = || words.iter().position(|word| count(*word) == 0);
            // Eight others are busy: not to be counted is better than to wait for them.
            let Some(at) = own.or_else(free) else { return Some(Present { place: None }) };
            let present = if own.is_some() { count(words[at]) } else { 0 };
            if present >= limit {
                return None;
            }
            let new = tag | u64::from(present + 1);
            if line[at].compare_exchange_weak(words[at], new, Relaxed, Relaxed).is_ok() {
                let place = Place { clients: self.clone(), line: index, at };
                return Some(Present { place: Some(place) });
            }
        }
    }
}

/// A request that counts as under way until this is dropped.
#[derive(Debug)]
pub struct Present {
    /// `None` where there was no place left.
    place: Option<Place>,
}

impl Present {
    /// Whether it is counted at all.
    pub const fn is_counted(&self) -> bool {
        self.place.is_some()
    }
}

#[derive(Debug)]
struct Place {
    clients: Arc<Clients>,
    line: usize,
    at: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        // The count is at least one as long as this lives, so the word is still this client's.
        self.clients.requests.line(self.line)[self.at].fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn app(name: &str) -> AppId {
        AppId::new("shop", name)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (clients, web, client) = (Clients::default(), app("web"), ip("192.0.2.1"));
        let limit = RateLimit::new(10, Duration::from_secs(1), 3);
        let at = |ms| clients.admit(&web, client, &limit, ms * MS);
        assert_eq!([0, 0, 0].map(at), [Ok(()); 3]);
        assert_eq!(at(0), Err(100 * MS));
        assert_eq!(at(60), Err(40 * MS));
        assert_eq!((at(100), at(100)), (Ok(()), Err(100 * MS)));
        // Who waits gets the burst back, and no more.
        assert_eq!([5000; 4].map(at), [Ok(()), Ok(()), Ok(()), Err(100 * MS)]);
    }

    #[test]
    fn clients_and_apps_do_not_share_a_limit_but_a_64_does() {
        let clients = Clients::default();
        let limit = RateLimit::new(1, Duration::from_secs(1), 1);
        let ask =
            |name: &str, client: &str| clients.admit(&app(name), ip(client), &limit, MS).is_ok();
        for (name, client, expected) in [
            ("web", "192.0.2.1", true),
            ("web", "192.0.2.1", false),
            ("web", "::ffff:192.0.2.1", false),
            ("web", "192.0.2.2", true),
            ("api", "192.0.2.1", true),
            ("web", "2001:db8:0:1::1", true),
            ("web", "2001:db8:0:1:ffff::", false),
            ("web", "2001:db8:0:2::1", true),
        ] {
            assert_eq!(ask(name, client), expected, "{name} {client}");
        }
    }

    #[test]
    fn any_number_of_clients_takes_the_same_memory() {
        let (clients, web) = (Clients::default(), app("web"));
        let limit = RateLimit::new(1, Duration::from_secs(3600), 1);
        let ask = |n| clients.admit(&web, std::net::Ipv4Addr::from_bits(n).into(), &limit, MS);
        // Two in a line are taken for one by a chance of one in 131,072.
        let refused = (0..200_000).filter(|n| ask(*n).is_err()).count();
        assert!(refused < 20, "{refused}");
        assert_eq!(size_of::<Line>() * LINES, 1 << 20);
    }

    #[test]
    fn as_many_requests_as_allowed_are_under_way() {
        let (clients, web, client) = (Arc::new(Clients::default()), app("web"), ip("192.0.2.1"));
        let begin = |client| clients.begin(&web, client, 2);
        let (first, _second) = (begin(client).unwrap(), begin(client).unwrap());
        assert!(begin(client).is_none());
        let other = begin(ip("192.0.2.2"));
        assert!(other.is_some());
        drop(first);
        assert!(begin(client).is_some_and(|present| present.is_counted()));
    }

    #[test]
    fn beyond_the_tables_size_requests_are_not_counted() {
        let (clients, web) = (Arc::new(Clients::default()), app("web"));
        let present: Vec<_> = (0..200_000)
            .map(|n| clients.begin(&web, std::net::Ipv4Addr::from_bits(n).into(), 1).unwrap())
            .collect();
        let counted = present.iter().filter(|present| present.is_counted()).count();
        assert!((LINES..=LINES * PLACES).contains(&counted), "{counted}");
        drop(present);
        let lines = clients.requests.lines.get().unwrap();
        assert!(lines.iter().all(|line| line.iter().all(|word| word.load(Relaxed) & COUNT == 0)));
    }

    #[test]
    fn workers_together_admit_no_more_than_one_would() {
        let (clients, web, client) = (Clients::default(), app("web"), ip("192.0.2.1"));
        // Seen once, so that all find the same place.
        let limit = RateLimit::new(1, Duration::from_secs(3600), 1000);
        clients.admit(&web, client, &limit, MS).unwrap();
        let admitted = std::thread::scope(|scope| {
            let ask =
                || (0..1000).filter(|_| clients.admit(&web, client, &limit, MS).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(admitted, 999);
    }
}
