//! Just enough of HTTP/1.1 to tell a right answer from a wrong one.

/// Why an answer is not the one expected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResponseError {
    #[error("the status line is {0:?}, not 200")]
    Status(String),
    #[error("there is no Content-Length")]
    Length,
}

/// Length in bytes of the whole response that begins in `bytes`; `None` until its head is complete.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, ResponseError> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = bytes[..head].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next().unwrap_or_default();
    if !status.starts_with(b"HTTP/1.1 200") {
        return Err(ResponseError::Status(String::from_utf8_lossy(status).into_owned()));
    }
    let length = |line: &[u8]| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        let value = std::str::from_utf8(value.trim_ascii()).ok()?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.parse::<usize>().ok())?
    };
    lines.find_map(length).map(|body| Some(head + 4 + body)).ok_or(ResponseError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_known_with_the_head() {
        let response = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 5\r\n\r\nhello";
        assert_eq!(length(response), Ok(Some(response.len())));
        assert_eq!(length(&response[..50]), Ok(Some(response.len())));
        assert_eq!(length(&response[..40]), Ok(None));
    }

    #[test]
    fn other_answers_are_errors() {
        let status = ResponseError::Status("HTTP/1.1 502 Bad Gateway".to_owned());
        assert_eq!(length(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), Err(status));
        assert_eq!(length(b"HTTP/1.1 200 OK\r\n\r\n"), Err(ResponseError::Length));
    }
}
