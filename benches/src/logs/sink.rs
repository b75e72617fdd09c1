//! A TCP server that takes lines, for peers that send CRI lines as they stand in the file.

use std::io;

use fairlead_wire::Stream;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use super::arrivals::Arrivals;
use super::checker::Seen;
use super::server::Server;

const BUFFER: usize = 256 * 1024;

/// Listens, and fills `arrivals`.
///
/// # Errors
/// Where it cannot listen.
pub async fn start(arrivals: Arrivals) -> io::Result<Server> {
    Server::start(move |connection| take(connection, arrivals.clone())).await
}

/// Until the peer ends or breaks the connection.
async fn take(connection: TcpStream, arrivals: Arrivals) {
    let mut reader = BufReader::with_capacity(BUFFER, connection);
    // The beginning of a line whose end has not come.
    let mut begun = Vec::new();
    while let Ok(bytes) = reader.fill_buf().await {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        let mut taking = arrivals.take();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if begun.is_empty() => taking.record(&seen(line)),
                Some(line) => {
                    begun.extend_from_slice(line);
                    taking.record(&seen(&begun));
                    begun.clear();
                }
                None => begun.extend_from_slice(piece),
            }
        }
        drop(taking);
        reader.consume(length);
    }
}

/// A CRI line; pieces of a line are not joined.
fn seen(line: &[u8]) -> Seen<'_> {
    let mut fields = line.splitn(4, |byte| *byte == b' ').skip(1);
    let stream = if fields.next() == Some(b"stderr") { Stream::Stderr } else { Stream::Stdout };
    let cut = fields.next() == Some(b"P");
    Seen { stream, pod: "", container: "", cut, payload: fields.next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::logs::{Lines, kubelet::fill, truth::ContainerName};

    #[tokio::test]
    async fn lines_are_taken_whatever_the_writes() {
        let pods = tempfile::tempdir().unwrap();
        let lines = Lines::new(3);
        let name = ContainerName {
            namespace: "shop".to_owned(),
            pod: String::new(),
            uid: "a".to_owned(),
            container: String::new(),
        };
        let truth = fill(pods.path(), vec![name], &lines, 3, 1000).unwrap();
        let arrivals = Arrivals::new(lines);
        let sink = start(arrivals.clone()).await.unwrap();

        let mut connection = TcpStream::connect(sink.address).await.unwrap();
        let bytes = std::fs::read(pods.path().join("shop__a/0.log")).unwrap();
        for piece in bytes.chunks(777) {
            connection.write_all(piece).await.unwrap();
        }
        assert!(arrivals.wait(truth.lines(), Duration::from_secs(30)).await);
        let verdict = arrivals.check(|checker| checker.verdict(&truth, &[]));
        assert!(verdict.complete(), "{verdict}");
    }
}
