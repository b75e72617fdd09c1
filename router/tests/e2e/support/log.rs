//! An access log that a test can read.

use std::{io::Write, sync::Arc};

use fairlead_router::AccessOutput;
use parking_lot::Mutex;

use super::eventually;

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn output(&self) -> AccessOutput {
        AccessOutput::Writer(Box::new(self.clone()))
    }

    /// Waits for `n` lines.
    pub(crate) async fn lines(&self, n: usize) -> Vec<String> {
        eventually("lines of the access log", async || {
            let text = String::from_utf8(self.0.lock().clone()).unwrap();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if lines.len() >= n { Ok(lines) } else { Err(lines) }
        })
        .await
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
