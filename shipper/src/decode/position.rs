//! A place in a file from which reading can go on.

use fairlead_wire::Stream;

/// Up to where a file was sent: every record that ends at or before `to`. Always the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Position {
    /// Offset of uncompressed content.
    pub to: u64,
    /// Start of the stdout record that is open at `to`.
    pub open_stdout: Option<u64>,
    /// Start of the stderr record that is open at `to`.
    pub open_stderr: Option<u64>,
}

impl Position {
    /// A position at which no record is open.
    #[must_use]
    pub const fn at(to: u64) -> Self {
        Self { to, open_stdout: None, open_stderr: None }
    }

    /// Start of the stream's record that is open here.
    #[must_use]
    pub const fn open(&self, stream: Stream) -> Option<u64> {
        match stream {
            Stream::Stdout => self.open_stdout,
            Stream::Stderr => self.open_stderr,
        }
    }

    /// Where reading has to begin, so that open records are read from their start.
    #[must_use]
    pub fn read_from(&self) -> u64 {
        let opens = self.open_stdout.into_iter().chain(self.open_stderr);
        opens.fold(self.to, u64::min)
    }
}
