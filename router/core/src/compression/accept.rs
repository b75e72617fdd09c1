//! `Accept-Encoding` (RFC 9110 §12.5.3).

use http::{HeaderMap, header::ACCEPT_ENCODING};

use super::Coding;

/// Weights are in thousandths.
const DEFAULT: u16 = 1000;

/// What a client says of each coding; `None` where it says nothing.
#[derive(Debug, Default)]
struct Weights {
    zstd: Option<u16>,
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Coding {
    /// The coding that a client with these request fields likes best; of several the one that gives
    /// most for the least work. `None` where it likes none, or none better than no coding.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut weights = Weights::default();
        for line in headers.get_all(ACCEPT_ENCODING) {
            line.as_bytes().split(|byte| *byte == b',').for_each(|member| weights.add(member));
        }
        let Weights { zstd, brotli, gzip, identity, any } = weights;
        let offered = [(Self::Zstd, zstd), (Self::Brotli, brotli), (Self::Gzip, gzip)];
        let weighed = offered.map(|(coding, weight)| (coding, weight.or(any).unwrap_or(0)));
        // The last of equals wins.
        let (coding, weight) = weighed.into_iter().rev().max_by_key(|(_, weight)| *weight)?;
        (weight > 0 && identity.is_none_or(|identity| weight >= identity)).then_some(coding)
    }
}

impl Weights {
    /// Takes a member of the list; one that is malformed is not there.
    fn add(&mut self, member: &[u8]) {
        let (name, weight) = match member.iter().position(|byte| *byte == b';') {
            None => (member, Some(DEFAULT)),
            Some(at) => (&member[..at], weight(&member[at + 1..])),
        };
        let name = name.trim_ascii();
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let place = match name.len() {
            1 if name == b"*" => &mut self.any,
            2 if is(b"br") => &mut self.brotli,
            4 if is(b"gzip") => &mut self.gzip,
            4 if is(b"zstd") => &mut self.zstd,
            6 if is(b"x-gzip") => &mut self.gzip,
            8 if is(b"identity") => &mut self.identity,
            _ => return,
        };
        if weight.is_some() {
            *place = weight;
        }
    }
}

/// `q=` and at most three decimals (RFC 9110 §12.4.2).
fn weight(text: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', number @ ..] = text.trim_ascii() else { return None };
    let (whole, decimals) = match number {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let digits = [whole].into_iter().chain(decimals).chain(&[b'0'; 3]).take(4);
    let weight = digits.copied().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
    })?;
    (weight <= DEFAULT).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepted(lines: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        Coding::accepted(&headers).map(Coding::name)
    }

    #[test]
    fn the_client_chooses_and_of_equals_the_cheapest_is_taken() {
        for (line, expected) in [
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip, deflate, br", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("GZip", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("gzip;q=1.0, br;q=0.9", Some("gzip")),
            ("br; q=0.001 , gzip ;q=0", Some("br")),
            ("*", Some("zstd")),
            ("*;q=0.5, zstd;q=0", Some("br")),
            ("gzip, *;q=0", Some("gzip")),
            ("gzip;q=0.5, identity;q=0.5", Some("gzip")),
            ("gzip;q=0.5, identity", None),
            ("identity;q=0", None),
            ("identity", None),
            ("gzip;q=0", None),
            ("deflate, sdch", None),
            ("", None),
        ] {
            assert_eq!(accepted(&[line]), expected, "{line}");
        }
        assert_eq!(accepted(&[]), None);
        assert_eq!(accepted(&["gzip;q=0.1", "br;q=0.2"]), Some("br"));
    }

    #[test]
    fn a_weight_that_is_none_makes_its_member_void() {
        for weight in
            ["q=2", "q=1.001", "q=0.1234", "q=", "q", "q=.5", "q=-1", "q=a", "p=1", "q=0,5"]
        {
            let line = format!("br;{weight}, gzip");
            let line: &'static str = line.leak();
            assert_eq!(accepted(&[line]), Some("gzip"), "{line}");
        }
        for weight in ["q=1", "q=1.", "q=1.0", "q=1.000", "Q=1", "q=0.999"] {
            assert_eq!(accepted(&[format!("br;{weight}").leak()]), Some("br"), "{weight}");
        }
    }
}
