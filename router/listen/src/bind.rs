//! Listening sockets: one per worker, all on one address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel queues per socket; it takes the smaller of this and `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// `n` sockets (at least one) that listen on `addr`, and the address with its real port. The kernel spreads connections over them.
///
/// # Errors
/// Also when somebody who shares ports as we do (`SO_REUSEPORT`) listens there: the two would take each other's connections.
pub(crate) fn bind(addr: SocketAddr, n: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if addr.port() != 0 {
        socket(addr)?.bind(&addr.into())?;
    }
    let first = listen(addr)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..n {
        sockets.push(listen(addr)?);
    }
    Ok((addr, sockets))
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(addr)?;
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Else a restart would have to wait for old connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        // `[::]` takes IPv4 too, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_0_gives_all_sockets_the_same_real_port() {
        let (addr, sockets) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_ne!(addr.port(), 0);
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == addr));
        assert_eq!(sockets.len(), 3);
    }

    #[test]
    fn a_port_that_is_taken_is_refused_even_if_its_owner_would_share_it() {
        let (addr, _held) = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        assert_eq!(bind(addr, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
