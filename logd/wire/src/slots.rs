//! How many connections a listener has at a time, and which of them give way to new ones.
//!
//! A listener that stops accepting when it is full is anybody's to switch off. Here a new connection
//! always gets in: an other one is closed for it. That is never one whose client was let in; of all
//! others, the oldest one from the address that has the most. So who has one connection keeps it
//! whatever somebody else does who has two.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};

/// Of all slots, one in so many is never held.
const FREE: usize = 16;
/// After an error to accept, as where there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The slots of a listener. Clones are the same slots.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, Connection>,
    held: usize,
    /// Names the next one.
    next: u64,
}

#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    held: bool,
    task: AbortHandle,
}

/// A connection's slot. It is free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    id: u64,
}

impl Slots {
    /// For so many connections at a time, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit: limit.max(1), connections: Mutex::default() }))
    }

    /// Accepts connections for ever; `serve` is what is done with one, and dropped where the
    /// connection has to give way. `what` names the address in the log.
    pub async fn serve<F>(
        self,
        listener: TcpListener,
        what: &str,
        serve: impl Fn(TcpStream, Arc<Slot>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.spawn(peer, |slot| serve(stream, slot)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the {what} address");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn spawn<F>(&self, peer: SocketAddr, connection: impl FnOnce(Arc<Slot>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = self.0.connections.lock();
        if connections.open.len() >= self.0.limit
            && let Some(id) = connections.least()
            && let Some(closed) = connections.open.remove(&id)
        {
            closed.task.abort();
        }
        let id = connections.next;
        connections.next += 1;
        let connection = connection(Arc::new(Slot { shared: self.0.clone(), id }));
        // Its end waits until it is among the others.
        let task = tokio::spawn(connection).abort_handle();
        connections.open.insert(id, Connection { peer: network(peer.ip()), held: false, task });
    }
}

impl Connections {
    /// The one that gives way.
    fn least(&self) -> Option<u64> {
        let mut peers: HashMap<IpAddr, (usize, u64)> = HashMap::new();
        for (id, connection) in self.open.iter().filter(|(_, connection)| !connection.held) {
            let (count, oldest) = peers.entry(connection.peer).or_insert((0, *id));
            *count += 1;
            *oldest = (*oldest).min(*id);
        }
        let most = peers.into_values().max_by_key(|(count, oldest)| (*count, u64::MAX - oldest));
        most.map(|(_, oldest)| oldest)
    }
}

impl Slot {
    /// Keeps the connection from giving way, since its client is one that was let in. False where
    /// nearly all are held already: it has to do without.
    #[must_use]
    pub fn hold(&self) -> bool {
        let mut connections = self.shared.connections.lock();
        let Connections { open, held, .. } = &mut *connections;
        let bound = self.shared.limit - self.shared.limit.div_ceil(FREE);
        match open.get_mut(&self.id) {
            Some(connection) if connection.held => true,
            Some(connection) if *held < bound => {
                connection.held = true;
                *held += 1;
                true
            }
            _ => false,
        }
    }

    /// Lets it give way again.
    pub fn release(&self) {
        let mut connections = self.shared.connections.lock();
        let Connections { open, held, .. } = &mut *connections;
        if let Some(connection) = open.get_mut(&self.id)
            && std::mem::take(&mut connection.held)
        {
            *held -= 1;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.release();
        self.shared.connections.lock().open.remove(&self.id);
    }
}

/// Whose address it is: of IPv6 somebody has a whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpSocket,
        time::timeout,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A listener with so many slots, where who says `h` is let in and hears whether its connection
    /// is held, and who says anything else hears that.
    async fn listen(limit: usize) -> SocketAddr {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(Slots::new(limit).serve(listener, "tested", |mut stream, slot| async move {
            while let Ok(byte) = stream.read_u8().await {
                let answer = match byte {
                    b'h' if slot.hold() => b'y',
                    b'h' => b'n',
                    b'r' => {
                        slot.release();
                        b'r'
                    }
                    byte => byte,
                };
                let _ = stream.write_u8(answer).await;
            }
        }));
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// A connection from an address of this machine.
    async fn from(peer: [u8; 4], to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((peer, 0))).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// What it hears; none where it was closed.
    async fn say(stream: &mut TcpStream, byte: u8) -> Option<u8> {
        let heard = async {
            stream.write_u8(byte).await.ok()?;
            stream.read_u8().await.ok()
        };
        timeout(PATIENCE, heard).await.expect("an answer, or an end")
    }

    const ONE: [u8; 4] = [127, 0, 0, 1];
    const TWO: [u8; 4] = [127, 0, 0, 2];

    #[tokio::test]
    async fn a_new_connection_gets_in_and_the_oldest_of_who_has_most_gives_way() {
        let address = listen(4).await;
        let mut two = from(TWO, address).await;
        assert_eq!(say(&mut two, b'2').await, Some(b'2'));
        let mut ones = Vec::new();
        for number in b'a'..b'h' {
            let mut one = from(ONE, address).await;
            assert_eq!(say(&mut one, number).await, Some(number));
            ones.push(one);
        }
        assert_eq!(say(&mut two, b'2').await, Some(b'2'), "one of one is closed for others");
        for (at, one) in ones.iter_mut().enumerate() {
            let expected = if at < 4 { None } else { Some(b'x') };
            assert_eq!(say(one, b'x').await, expected, "{at}");
        }
    }

    #[tokio::test]
    async fn whose_client_was_let_in_stays_and_some_are_left_for_others() {
        let address = listen(4).await;
        let mut held = Vec::new();
        for expected in [b'y', b'y', b'y', b'n'] {
            let mut one = from(ONE, address).await;
            assert_eq!(say(&mut one, b'h').await, Some(expected));
            held.push(one);
        }
        for _ in 0..9 {
            let mut two = from(TWO, address).await;
            assert_eq!(say(&mut two, b'2').await, Some(b'2'));
        }
        for (at, one) in held.iter_mut().enumerate() {
            let expected = if at == 3 { None } else { Some(b'x') };
            assert_eq!(say(one, b'x').await, expected, "{at}");
        }
        // What is given back can be had again, and so can what is closed.
        assert_eq!(say(&mut held[0], b'r').await, Some(b'r'));
        let mut next = from(ONE, address).await;
        assert_eq!(say(&mut next, b'h').await, Some(b'y'));
        drop(held);
        let mut last = from(ONE, address).await;
        let again = async {
            while say(&mut last, b'h').await != Some(b'y') {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, again).await.expect("closed ones are no longer held");
    }

    #[test]
    fn of_ipv6_a_whole_network_is_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
