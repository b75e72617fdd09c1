//! The head of an HTTP/1 request, as the bytes that the engine has parsed.

use memchr::{memchr, memchr2};

use super::{Fields, Findings, MAX_HEAD, Violation, fields::plain_prefix};

/// Checks a complete head, from its first byte to the empty line, in one pass.
///
/// The engine has found a method, a target, a version and fields in it, with names that are tokens
/// and values without control characters; what is not so is a violation here too, whichever.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(head: &[u8]) -> Result<Findings, Violation> {
    if head.len() > MAX_HEAD {
        return Err(Violation::TooLarge);
    }
    let mut lines = Lines(head);
    // RFC 9112 §2.2: empty lines before the request are passed over.
    let request = loop {
        let line = lines.request()?;
        if !line.is_empty() {
            break line;
        }
    };
    let get = request_line(request)?;
    let mut fields = Fields::default();
    loop {
        // Mostly the name of a field.
        let plain = plain_prefix(lines.0);
        let line = lines.next(plain)?;
        if line.is_empty() {
            return fields.finish(get);
        }
        fields.add_line(line, plain)?;
    }
}

struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    /// The request line without its end, or an empty one before it. It has no `#`, which is looked
    /// for together with the end.
    fn request(&mut self) -> Result<&'a [u8], Violation> {
        let end = memchr2(b'\n', b'#', self.0).ok_or(Violation::BareLineFeed)?;
        if self.0[end] == b'#' { Err(Violation::Target) } else { self.cut(end) }
    }

    /// The next line without its end, which is not among the first `plain` bytes.
    #[inline]
    fn next(&mut self, plain: usize) -> Result<&'a [u8], Violation> {
        let end = line_feed(&self.0[plain..]).ok_or(Violation::BareLineFeed)?;
        self.cut(plain + end)
    }

    #[inline]
    fn cut(&mut self, end: usize) -> Result<&'a [u8], Violation> {
        let (line, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        line.strip_suffix(b"\r").ok_or(Violation::BareLineFeed)
    }
}

/// Where the first line feed is. Most values are shorter than what a call of memchr costs.
#[inline]
fn line_feed(bytes: &[u8]) -> Option<usize> {
    const NEAR: usize = 3;
    const ONES: u64 = 0x0101_0101_0101_0101;
    const FEEDS: u64 = ONES * 0x0a;
    const HIGHEST: u64 = ONES * 0x80;
    let (eights, _) = bytes.as_chunks::<8>();
    let near = &eights[..eights.len().min(NEAR)];
    for (at, eight) in near.iter().enumerate() {
        // Zero where there is one; of zeros the lowest is found rightly, which is the first.
        let other = u64::from_le_bytes(*eight) ^ FEEDS;
        let zeros = other.wrapping_sub(ONES) & !other & HIGHEST;
        if zeros != 0 {
            return Some(at * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let far = near.len() * 8;
    memchr(b'\n', &bytes[far..]).map(|more| far + more)
}

/// Whether the request is a GET of HTTP/1.1.
fn request_line(line: &[u8]) -> Result<bool, Violation> {
    let (get, method, rest) = match line.strip_prefix(b"GET ") {
        Some(rest) => (true, &b"GET"[..], rest),
        None => {
            let end = memchr(b' ', line).ok_or(Violation::Target)?;
            check_method(&line[..end])?;
            (false, &line[..end], &line[end + 1..])
        }
    };
    let (target, version) = rest.split_last_chunk::<9>().ok_or(Violation::Target)?;
    check_form(method, target)?;
    Ok(get && version == b" HTTP/1.1")
}

/// Checks method and target; for HTTP/2 those are `:method` and `:path`.
///
/// # Errors
/// The first rule that they break.
pub fn check_request(method: &[u8], target: &[u8]) -> Result<(), Violation> {
    check_method(method)?;
    check_form(method, target)?;
    // A fragment is for the client alone.
    if memchr(b'#', target).is_some() { Err(Violation::Target) } else { Ok(()) }
}

/// Methods are told apart by case (RFC 9110 §9.1), and there are programs that do not.
fn check_method(method: &[u8]) -> Result<(), Violation> {
    let valid = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    if !method.iter().all(valid) || method.is_empty() {
        return Err(Violation::Method);
    }
    if matches!(method, b"TRACE" | b"CONNECT") {
        return Err(Violation::MethodNotAllowed);
    }
    Ok(())
}

/// The forms of RFC 9112 §3.2 but the one of CONNECT.
fn check_form(method: &[u8], target: &[u8]) -> Result<(), Violation> {
    let known = match target.first() {
        Some(b'/') => true,
        Some(b'*') => target.len() == 1 && method == b"OPTIONS",
        _ => has_scheme(target, b"http://") || has_scheme(target, b"https://"),
    };
    if known { Ok(()) } else { Err(Violation::Target) }
}

fn has_scheme(target: &[u8], scheme: &[u8]) -> bool {
    target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Result<Findings, Violation> {
        check(head.as_bytes())
    }

    #[test]
    fn every_line_ends_with_cr_lf() {
        assert!(of("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
        assert!(of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
        for head in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "",
        ] {
            assert_eq!(of(head), Err(Violation::BareLineFeed), "{head:?}");
        }
    }

    #[test]
    fn the_first_line_feed_is_found_wherever_it_is() {
        // Bytes that differ from it in one bit, or by one, among them.
        let bytes: Vec<u8> = (0..80).map(|at| [0x0b, 0x8a, 0x09, 0x00, 0xff][at % 5]).collect();
        assert_eq!(line_feed(&bytes), None);
        for first in 0..80 {
            for length in first + 1..80 {
                let mut bytes = bytes[..length].to_vec();
                bytes[first] = b'\n';
                *bytes.last_mut().unwrap() = b'\n';
                assert_eq!(line_feed(&bytes), Some(first), "{bytes:?}");
            }
        }
    }

    #[test]
    fn methods_and_targets_have_their_form() {
        for (line, expected) in [
            ("GET /", None),
            ("M-SEARCH /", None),
            ("X_Y /", None),
            ("get /", Some(Violation::Method)),
            ("GE.T /", Some(Violation::Method)),
            ("TRACE /", Some(Violation::MethodNotAllowed)),
            ("CONNECT a:80", Some(Violation::MethodNotAllowed)),
            ("OPTIONS *", None),
            ("GET *", Some(Violation::Target)),
            ("OPTIONS **", Some(Violation::Target)),
            ("GET a", Some(Violation::Target)),
            ("GET a:80", Some(Violation::Target)),
            ("GET HTTP://a", None),
            ("GET https://a/b", None),
            ("GET ftp://a/b", Some(Violation::Target)),
            ("GET /a#b", Some(Violation::Target)),
            ("GET", Some(Violation::Target)),
        ] {
            let head = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(of(&head).err(), expected, "{line}");
        }
    }

    #[test]
    fn the_size_is_bounded() {
        let head = |n| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(n));
        let rest = head(0).len();
        assert!(of(&head(MAX_HEAD - rest)).is_ok());
        assert_eq!(of(&head(MAX_HEAD - rest + 1)), Err(Violation::TooLarge));
    }

    #[test]
    fn websocket_is_for_get_of_http_1_1() {
        let upgrade = |line: &str| {
            of(&format!("{line}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
                .map(|findings| findings.idle_upgrade)
        };
        assert_eq!(upgrade("GET / HTTP/1.1"), Ok(false));
        assert_eq!(upgrade("GET / HTTP/1.0"), Ok(true));
        assert_eq!(upgrade("POST / HTTP/1.1"), Ok(true));
    }
}
