//! The fields of a head, one after another.

use memchr::memchr;

use super::{MAX_CRUMBS, MAX_FIELDS, Violation};

/// What the fields of one request say together. Give it each field in turn, then
/// [`finish`](Self::finish).
#[derive(Debug, Default)]
pub struct Fields {
    count: usize,
    crumbs: usize,
    length: Option<Length>,
    chunked: bool,
    websocket: bool,
    other_upgrade: bool,
    upgrade_nominated: bool,
    findings: Findings,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Zero,
    More,
}

/// What is to be done before the request is passed on. Nothing, for nearly all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// There is a field whose name is not [plain](is_plain_name): such are taken out.
    pub odd_names: bool,
    /// There is a [claim](is_claim) about the client: such are taken out unless the peer is trusted.
    pub claims: bool,
    /// There is an `Upgrade` that is no request for WebSocket (RFC 9110 §7.8): it is taken out.
    pub idle_upgrade: bool,
    /// There are credentials for all that follows on the connection (RFC 4559 §6): the endpoint's is
    /// not for anybody else.
    pub binds_connection: bool,
}

/// Whether a field of this name is passed on. Names of letters, digits and hyphens are; in others
/// `_` and the like may be read as a hyphen: CGI and its descendants cannot tell `X_Real_IP` from
/// `X-Real-IP`. `Proxy` would become the environment's HTTP_PROXY there.
pub fn is_plain_name(name: &[u8]) -> bool {
    plain_prefix(name) == name.len() && !name.eq_ignore_ascii_case(b"proxy")
}

/// How many bytes at the beginning are letters, digits and hyphens.
#[inline]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let plain = |byte: &u8| PLAIN[usize::from(*byte)];
    // One decision for four bytes: every byte of every name of every request passes here.
    let (fours, _) = bytes.as_chunks::<4>();
    let all =
        |four: &&[u8; 4]| plain(&four[0]) & plain(&four[1]) & plain(&four[2]) & plain(&four[3]);
    let at = fours.iter().take_while(all).count() * 4;
    at + bytes[at..].iter().take_while(|byte| plain(byte)).count()
}

/// Whether a field of this name says who the client is, or what was asked of a proxy before: only
/// a trusted peer is believed.
pub fn is_claim(name: &[u8]) -> bool {
    match name.len() {
        9 => is(name, b"forwarded") || is(name, b"x-real-ip"),
        14 => is(name, b"x-original-url"),
        13 => is(name, b"x-rewrite-url"),
        length => length > 12 && is(&name[..12], b"x-forwarded-"),
    }
}

/// Whether these credentials are for all that follows on the connection (RFC 4559 §6), and not for
/// one request.
fn binds_connection(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    [&b"ntlm"[..], b"negotiate"].into_iter().any(|scheme| {
        value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-';
        byte += 1;
    }
    plain
};

#[inline]
fn is(name: &[u8], lower: &[u8]) -> bool {
    name.eq_ignore_ascii_case(lower)
}

impl Fields {
    /// Takes the next field, with or without white space around its value.
    ///
    /// # Errors
    /// The rule that it breaks.
    #[inline]
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        self.findings.odd_names |= plain_prefix(name) < name.len();
        self.take(name, value)
    }

    /// As [`Fields::add`], for a line of HTTP/1 without its end, of which the first `plain` bytes are
    /// letters, digits and hyphens, and the next is not.
    ///
    /// # Errors
    /// The rule that it breaks.
    #[inline]
    pub(super) fn add_line(&mut self, line: &[u8], plain: usize) -> Result<(), Violation> {
        // Mostly the name ends where it ceases to be plain.
        let colon = if line.get(plain) == Some(&b':') {
            plain
        } else {
            self.findings.odd_names = true;
            memchr(b':', line).ok_or(Violation::Target)?
        };
        self.take(&line[..colon], &line[colon + 1..])
    }

    #[inline]
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        self.count += 1;
        // Names that matter have one of these lengths and first letters.
        match (name.len(), name.first().map_or(0, |first| first | 0x20)) {
            (5, b'p') if is(name, b"proxy") => self.findings.odd_names = true,
            (6, b'e') if is(name, b"expect") => return expect(value),
            (6, b'c') if is(name, b"cookie") => {
                self.count -= 1;
                self.crumbs += 1;
            }
            (7, b'u') if is(name, b"upgrade") => self.upgrade(value),
            (10, b'c') if is(name, b"connection") => self.connection(value),
            (14, b'c') if is(name, b"content-length") => return self.content_length(value),
            (17, b't') if is(name, b"transfer-encoding") => return self.transfer_encoding(value),
            (13, b'a') if is(name, b"authorization") => {
                self.findings.binds_connection |= binds_connection(value);
            }
            (9, b'f' | b'x') | (13.., b'x') if is_claim(name) => self.findings.claims = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether the fields agree with each other. `get` is true for a GET of HTTP/1.1, the one
    /// request that may ask for WebSocket.
    ///
    /// # Errors
    /// The rule that they break together.
    pub fn finish(mut self, get: bool) -> Result<Findings, Violation> {
        if self.count > MAX_FIELDS || self.crumbs > MAX_CRUMBS {
            return Err(Violation::TooLarge);
        }
        if self.chunked && self.length.is_some() {
            return Err(Violation::TwoLengths);
        }
        let websocket = self.websocket && !self.other_upgrade && self.upgrade_nominated && get;
        if websocket && (self.chunked || self.length == Some(Length::More)) {
            return Err(Violation::UpgradeWithBody);
        }
        self.findings.idle_upgrade = !websocket && (self.websocket || self.other_upgrade);
        Ok(self.findings)
    }

    fn upgrade(&mut self, value: &[u8]) {
        let first = !self.websocket && !self.other_upgrade;
        if first && value.trim_ascii().eq_ignore_ascii_case(b"websocket") {
            self.websocket = true;
        } else {
            self.other_upgrade = true;
        }
    }

    fn connection(&mut self, value: &[u8]) {
        // What nearly all say.
        if value == b" keep-alive" {
            return;
        }
        self.upgrade_nominated |= value
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    }

    /// One line, digits only: whoever takes the first, the last, or a list reads the same.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        let digits = value.trim_ascii();
        let valid = (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        if !valid || self.length.is_some() {
            return Err(Violation::ContentLength);
        }
        let zero = digits.iter().all(|digit| *digit == b'0');
        self.length = Some(if zero { Length::Zero } else { Length::More });
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        // White space of HTTP only: there are parsers for whom a vertical tab is part of the name.
        let coding = trim(value);
        if self.chunked {
            return Err(Violation::TransferEncoding);
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::TransferCoding);
        }
        self.chunked = true;
        Ok(())
    }
}

fn expect(value: &[u8]) -> Result<(), Violation> {
    let known = trim(value).eq_ignore_ascii_case(b"100-continue");
    if known { Ok(()) } else { Err(Violation::Expectation) }
}

/// `value` without optional white space around it (RFC 9110 §5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)], get: bool) -> Result<Findings, Violation> {
        let mut all = Fields::default();
        for (name, value) in fields {
            all.add(name.as_bytes(), value.as_bytes())?;
        }
        all.finish(get)
    }

    #[test]
    fn one_length_or_chunks_never_both_never_twice() {
        for (fields, expected) in [
            (&[("Content-Length", "5")][..], None),
            (&[("content-length", " 0 ")], None),
            (&[("Transfer-Encoding", " Chunked\t")], None),
            (&[("Content-Length", "5"), ("CONTENT-LENGTH", "5")], Some(Violation::ContentLength)),
            (&[("Content-Length", "5, 5")], Some(Violation::ContentLength)),
            (&[("Content-Length", "+5")], Some(Violation::ContentLength)),
            (&[("Content-Length", "0x5")], Some(Violation::ContentLength)),
            (&[("Content-Length", "")], Some(Violation::ContentLength)),
            (&[("Content-Length", "12345678901234567890")], Some(Violation::ContentLength)),
            (
                &[("Content-Length", "0"), ("Transfer-Encoding", "chunked")],
                Some(Violation::TwoLengths),
            ),
            (
                &[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
                Some(Violation::TransferEncoding),
            ),
            (&[("Transfer-Encoding", "gzip, chunked")], Some(Violation::TransferCoding)),
            (&[("Transfer-Encoding", "\x0bchunked")], Some(Violation::TransferCoding)),
            (&[("Transfer-Encoding", "")], Some(Violation::TransferCoding)),
        ] {
            assert_eq!(of(fields, true).err(), expected, "{fields:?}");
        }
    }

    #[test]
    fn only_a_get_that_says_so_twice_asks_for_websocket() {
        let websocket = &[("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade")][..];
        assert_eq!(of(websocket, true), Ok(Findings::default()));
        let idle = Ok(Findings { idle_upgrade: true, ..Findings::default() });
        assert_eq!(of(websocket, false), idle);
        assert_eq!(of(&[("Upgrade", "websocket")], true), idle);
        assert_eq!(of(&[("Upgrade", "h2c"), ("Connection", "upgrade")], true), idle);
        let twice = [("Upgrade", "websocket"), ("Upgrade", "websocket"), ("Connection", "upgrade")];
        assert_eq!(of(&twice, true), idle);
        for body in [("Content-Length", "1"), ("Transfer-Encoding", "chunked")] {
            let fields = [websocket, &[body]].concat();
            assert_eq!(of(&fields, true), Err(Violation::UpgradeWithBody));
        }
        assert!(of(&[websocket, &[("Content-Length", "0")]].concat(), true).is_ok());
    }

    #[test]
    fn names_that_could_be_taken_for_others_and_claims_are_found() {
        for (value, binds_connection) in [
            ("NTLM TlRMTVNTUAAB", true),
            (" negotiate YII", true),
            ("Basic bnRsbTpudGxt", false),
            ("Bearer negotiate", false),
            ("", false),
        ] {
            let mut fields = Fields::default();
            fields.add(b"Authorization", value.as_bytes()).unwrap();
            let expected = Findings { binds_connection, ..Findings::default() };
            assert_eq!(fields.finish(true), Ok(expected), "{value}");
        }
        let odd = Findings { odd_names: true, ..Findings::default() };
        let claim = Findings { claims: true, ..Findings::default() };
        for (name, expected) in [
            ("Accept", Findings::default()),
            ("X_Real_IP", odd),
            ("X.Y", odd),
            ("proxy", odd),
            ("Proxy-Authorization", Findings::default()),
            ("Forwarded", claim),
            ("x-real-ip", claim),
            ("X-Forwarded-Host", claim),
            ("X-Forwarded-", Findings::default()),
            ("X-Original-URL", claim),
            ("X-Rewrite-Url", claim),
            ("X-Forwarded_For", odd),
        ] {
            assert_eq!(of(&[(name, "1")], true), Ok(expected), "{name}");
            assert_eq!(!is_plain_name(name.as_bytes()), expected.odd_names, "{name}");
            assert_eq!(is_claim(name.as_bytes()), expected.claims, "{name}");
        }
    }

    #[test]
    fn there_are_as_many_fields_and_crumbs_as_allowed() {
        let many = |n| vec![("a", "b"); n];
        assert!(of(&many(MAX_FIELDS), true).is_ok());
        assert_eq!(of(&many(MAX_FIELDS + 1), true), Err(Violation::TooLarge));
        let crumbs = |n| vec![("cookie", "a=b"); n];
        assert!(of(&[many(MAX_FIELDS), crumbs(MAX_CRUMBS)].concat(), true).is_ok());
        assert_eq!(of(&crumbs(MAX_CRUMBS + 1), true), Err(Violation::TooLarge));
    }

    #[test]
    fn nothing_is_expected_but_100_continue() {
        assert!(of(&[("Expect", "100-Continue ")], true).is_ok());
        assert_eq!(of(&[("Expect", "y 100-continue")], true), Err(Violation::Expectation));
    }
}
