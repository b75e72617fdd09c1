//! Syslog messages for whoever passes them on: RFC 5424, each behind its length (RFC 6587 section 3.4.1).

use std::io::{self, Write as _};

use fairlead_wire::Stream;
use memchr::memmem::Finder;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_rustls::TlsAcceptor;

use super::arrivals::{Arrivals, Taking};
use super::checker::Seen;
use super::lines::Lines;
use super::server::Server;

const BUFFER: usize = 256 * 1024;
/// Longer than any message here.
const LONGEST: usize = 64 * 1024;

/// So many messages, one after the other.
#[must_use]
pub fn messages(lines: &Lines, count: u64) -> Vec<u8> {
    let (mut all, mut message) = (Vec::new(), Vec::new());
    let whole = (0..).filter(|number| !lines.partial(0, *number));
    for (number, _) in whole.zip(0..count) {
        message.clear();
        message.extend_from_slice(b"<14>1 2026-01-01T00:00:00.000000Z bench web - - - ");
        lines.write(0, number, &mut message);
        // Writing to a vector cannot fail.
        let _ = write!(all, "{} ", message.len());
        all.extend_from_slice(&message);
    }
    all
}

/// Listens, for TLS where there is an acceptor, and fills `arrivals`.
///
/// # Errors
/// Where it cannot listen.
pub async fn start(arrivals: Arrivals, tls: Option<TlsAcceptor>) -> io::Result<Server> {
    Server::start(move |connection| {
        let (arrivals, tls) = (arrivals.clone(), tls.clone());
        async move {
            // What goes wrong shows in what does not arrive.
            let _ = match tls {
                None => take(connection, &arrivals).await,
                Some(tls) => match tls.accept(connection).await {
                    Ok(connection) => take(connection, &arrivals).await,
                    Err(error) => Err(error),
                },
            };
        }
    })
    .await
}

/// Until the peer ends or breaks the connection.
async fn take(mut connection: impl AsyncRead + Unpin, arrivals: &Arrivals) -> io::Result<()> {
    let text = Finder::new(b"SEQ=");
    let mut buffer = Vec::with_capacity(BUFFER + LONGEST);
    while connection.read_buf(&mut buffer).await? > 0 {
        let mut taking = arrivals.take();
        let mut rest = &buffer[..];
        while let Some((message, behind)) = first(rest)? {
            record(&mut taking, &text, message);
            rest = behind;
        }
        drop(taking);
        let taken = buffer.len() - rest.len();
        buffer.drain(..taken);
        buffer.reserve(BUFFER);
    }
    Ok(())
}

/// The first message that has come wholly, and what is behind it.
///
/// # Errors
/// Where there is no length in front of it, or one that no message here has.
pub fn first(bytes: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
    let Some(space) = bytes.iter().take(8).position(|byte| *byte == b' ') else {
        return Ok(None);
    };
    let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|length| length.parse().ok());
    let length = length.filter(|length| *length <= LONGEST).ok_or(io::ErrorKind::InvalidData)?;
    Ok(bytes[space + 1..].split_at_checked(length))
}

fn record(taking: &mut Taking<'_>, text: &Finder<'_>, message: &[u8]) {
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    let payload = text.find(message).map_or(message, |start| &message[start..]);
    taking.record(&Seen { stream: Stream::Stdout, pod: "", container: "", cut: false, payload });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn messages_are_taken_whatever_the_writes() {
        let lines = Lines::new(5);
        let arrivals = Arrivals::new(lines.clone());
        let relayed = start(arrivals.clone(), None).await.unwrap();
        let mut connection = TcpStream::connect(relayed.address).await.unwrap();
        for piece in messages(&lines, 1000).chunks(777) {
            connection.write_all(piece).await.unwrap();
        }
        assert!(arrivals.wait(1000, Duration::from_secs(30)).await);
        let tally = arrivals.check(super::super::checker::Checker::tally);
        assert_eq!(
            (tally.records, tally.torn, tally.misjoined, tally.out_of_order),
            (1000, 0, 0, 0)
        );
    }
}
