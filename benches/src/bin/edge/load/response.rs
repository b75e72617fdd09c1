//! Just enough of HTTP/1.1 to tell where an answer ends and whether it is the right one.

/// Why bytes are no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResponseError {
    #[error("the status line is {0:?}")]
    Status(String),
    #[error("there is no Content-Length")]
    Length,
}

/// An answer whose head is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head with its empty line.
    pub(crate) length: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
}

/// The answer that begins in `bytes`; `None` until its head is complete.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, ResponseError> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    let status = || {
        let code = first.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        std::str::from_utf8(code).ok()?.parse().ok()
    };
    let unknown = || ResponseError::Status(String::from_utf8_lossy(first).into_owned());
    let status = status().ok_or_else(unknown)?;
    let length = |line: &[u8]| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        let value = std::str::from_utf8(value.trim_ascii()).ok()?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.parse().ok())?
    };
    let body = lines.find_map(length).ok_or(ResponseError::Length)?;
    Ok(Some(Head { status, length: end + 4, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_known_with_the_head() {
        let response = b"HTTP/1.1 404 Not Found\r\nServer: x\r\ncontent-LENGTH: 5\r\n\r\nhello";
        let found = Head { status: 404, length: response.len() - 5, body: 5 };
        assert_eq!(head(response), Ok(Some(found)));
        assert_eq!(head(&response[..response.len() - 5]), Ok(Some(found)));
        assert_eq!(head(&response[..40]), Ok(None));
    }

    #[test]
    fn what_cannot_be_delimited_is_an_error() {
        let status = ResponseError::Status("HTTP/1.0 200 OK".to_owned());
        assert_eq!(head(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), Err(status));
        assert_eq!(head(b"HTTP/1.1 200 OK\r\n\r\n"), Err(ResponseError::Length));
    }
}
