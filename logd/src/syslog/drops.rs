//! What the system dropped: datagrams that came faster than they were read.

use std::{fs, os::fd::AsRawFd};

/// A socket for datagrams, as the system names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode(String);

impl Inode {
    /// None where the system does not say.
    pub(crate) fn of(socket: &impl AsRawFd) -> Option<Self> {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(Self(inode.to_owned()))
    }

    /// How many datagrams were dropped since it was made (proc_pid_net(5)); none where the system
    /// does not say.
    pub(crate) fn dropped(&self) -> Option<u64> {
        ["udp", "udp6"].into_iter().find_map(|kind| {
            let sockets = fs::read_to_string(format!("/proc/self/net/{kind}")).ok()?;
            sockets.lines().skip(1).find_map(|line| {
                let mut fields = line.split_whitespace();
                let is_it = fields.nth(9) == Some(&self.0);
                fields.nth(2).filter(|_| is_it)?.parse().ok()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_is_sent_is_received_or_dropped() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has one case less.
            let Ok(receiver) = UdpSocket::bind(any) else { continue };
            receiver.set_nonblocking(true).unwrap();
            SockRef::from(&receiver).set_recv_buffer_size(1).unwrap();
            let sender = UdpSocket::bind(any).unwrap();
            for _ in 0..1_000 {
                sender.send_to(&[b'x'; 100], receiver.local_addr().unwrap()).unwrap();
            }
            let mut received = 0;
            while receiver.recv(&mut [0; 100]).is_ok() {
                received += 1;
            }
            let dropped = Inode::of(&receiver).unwrap().dropped().unwrap();
            assert!(received > 0 && dropped > 0);
            assert_eq!(received + dropped, 1_000);
        }
    }
}
