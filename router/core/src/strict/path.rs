//! A path as everybody reads it.

use std::borrow::Cow;

use super::Violation;

/// The readings of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'a> {
    /// What is passed on: without `.` and `..` segments, else as received.
    pub path: Cow<'a, str>,
    /// What is looked up: `path` with every character that needs no encoding decoded, and all
    /// others encoded (RFC 3986 §6.2.2).
    pub lookup: Cow<'a, str>,
    /// What endpoints may see that do any of these as well: decode separators and take `\` for `/`,
    /// drop path parameters (`;…`), take `//` for `/`. Without those that are the same as `lookup`.
    /// A request whose readings fall under different rules is not passed on.
    pub others: Vec<String>,
}

/// Reads `path`, the part of a target before `?`. One that is in normal form already is only
/// looked at. The `*` of OPTIONS reads as `/`.
///
/// # Errors
/// [`Violation::Path`] for a `%` without two hexadecimal digits, an encoded control character, a
/// backslash, or a path that does not begin with `/`.
pub fn normalise(path: &str) -> Result<NormalPath<'_>, Violation> {
    if is_normal(path.as_bytes()) {
        let path = Cow::Borrowed(path);
        return Ok(NormalPath { lookup: path.clone(), path, others: Vec::new() });
    }
    if path == "*" {
        let (path, lookup) = (Cow::Borrowed(path), Cow::Borrowed("/"));
        return Ok(NormalPath { path, lookup, others: Vec::new() });
    }
    validate(path.as_bytes())?;
    let path = match path.split('/').any(|segment| Dots::of(segment).is_some()) {
        true => Cow::Owned(without_dots(path[1..].split('/'))),
        false => Cow::Borrowed(path),
    };
    let lookup = recode(&path, |_| None);
    let mut others = Vec::new();
    for reading in 1..16 {
        let bit = |bit: u8| reading & bit != 0;
        let other = read(&path, bit(1), bit(2), bit(4), bit(8));
        if other != lookup && !others.contains(&other) {
            others.push(other);
        }
    }
    Ok(NormalPath { path, lookup: Cow::Owned(lookup), others })
}

/// Whether there is nothing to decide about: `/`, and segments of plain characters that do not
/// begin with a dot or are empty before the end.
fn is_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut after_slash = false;
    for byte in path {
        match CLASS[usize::from(*byte)] {
            Class::Plain => after_slash = false,
            Class::Slash if !after_slash => after_slash = true,
            Class::Dot if !after_slash => {}
            _ => return false,
        }
    }
    true
}

#[derive(Clone, Copy)]
enum Class {
    Plain,
    Slash,
    Dot,
    /// `%`, `;`, `\`, controls, white space, and what is not ASCII.
    Odd,
}

const CLASS: [Class; 256] = {
    let mut class = [Class::Odd; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        class[byte] = match byte as u8 {
            b'/' => Class::Slash,
            b'.' => Class::Dot,
            b'%' | b';' | b'\\' => Class::Odd,
            _ => Class::Plain,
        };
        byte += 1;
    }
    class
};

fn validate(path: &[u8]) -> Result<(), Violation> {
    if path.first() != Some(&b'/') {
        return Err(Violation::Path);
    }
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let odd = match byte {
            b'%' => {
                let decoded = hex(after).ok_or(Violation::Path)?;
                rest = &after[2..];
                decoded.is_ascii_control()
            }
            b'\\' | b' ' => true,
            byte => byte.is_ascii_control(),
        };
        if odd {
            return Err(Violation::Path);
        }
    }
    Ok(())
}

/// The byte that two hexadecimal digits stand for.
fn hex(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// A segment that leads elsewhere (RFC 3986 §3.3), its dots encoded or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    Here,
    Up,
}

impl Dots {
    fn of(segment: &str) -> Option<Self> {
        let mut rest = segment.as_bytes();
        let mut dots = 0;
        while !rest.is_empty() && dots < 3 {
            rest = match rest {
                [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
                _ => return None,
            };
            dots += 1;
        }
        match dots {
            1 => Some(Self::Here),
            2 => Some(Self::Up),
            _ => None,
        }
    }
}

/// The path of `segments` with dots resolved as in RFC 3986 §5.2.4.
fn without_dots<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in segments {
        let dots = Dots::of(segment);
        ends_in_slash = dots.is_some();
        match dots {
            None => kept.push(segment),
            Some(Dots::Here) => {}
            Some(Dots::Up) => drop(kept.pop()),
        }
    }
    let mut path = String::new();
    for segment in kept {
        path.push('/');
        path.push_str(segment);
    }
    if ends_in_slash || path.is_empty() {
        path.push('/');
    }
    path
}

/// Whether a character means the same with and without encoding (RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `path` with one spelling for each character, but for encoded ones that `other` replaces.
fn recode(path: &str, other: impl Fn(u8) -> Option<char>) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let decoded = hex(after).filter(|_| *byte == b'%');
        rest = if decoded.is_some() { &after[2..] } else { after };
        match decoded {
            Some(byte) if is_unreserved(byte) => text.push(char::from(byte)),
            Some(byte) => match other(byte) {
                Some(replacement) => text.push(replacement),
                None => push_encoded(&mut text, byte),
            },
            None if byte.is_ascii() => text.push(char::from(*byte)),
            None => push_encoded(&mut text, *byte),
        }
    }
    text
}

fn push_encoded(text: &mut String, byte: u8) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    text.push('%');
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from(DIGITS[usize::from(digit)]));
    }
}

/// How an endpoint reads `path` that decodes `separators` or `semicolons`, drops `parameters` or
/// `merges` slashes.
fn read(path: &str, separators: bool, semicolons: bool, parameters: bool, merges: bool) -> String {
    let decoded = recode(path, |byte| match byte {
        b'/' | b'\\' if separators => Some('/'),
        b';' if semicolons => Some(';'),
        _ => None,
    });
    let bare = |segment| match str::split_once(segment, ';') {
        Some((name, _)) if parameters => name,
        _ => segment,
    };
    let segments = decoded.split('/').skip(1).map(bare);
    if !merges {
        return without_dots(segments);
    }
    let ends_in_slash = segments.clone().last().is_some_and(str::is_empty);
    let mut path = without_dots(segments.filter(|segment| !segment.is_empty()));
    if ends_in_slash && !path.ends_with('/') {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn readings(path: &str) -> Result<(String, String, Vec<String>), Violation> {
        normalise(path).map(|n| (n.path.into_owned(), n.lookup.into_owned(), n.others))
    }

    #[test]
    fn a_plain_path_is_as_it_is() {
        for path in ["/", "/a", "/a/b.c/", "/~user/a-b_c", "/@scope/x:y,z=1&b!'()*+$", "/a."] {
            assert!(is_normal(path.as_bytes()), "{path}");
            let same = NormalPath { path: path.into(), lookup: path.into(), others: Vec::new() };
            assert_eq!(normalise(path), Ok(same));
        }
        let known = "/.well-known/acme-challenge/x";
        assert_eq!(readings(known), Ok((known.into(), known.into(), vec![])));
    }

    #[test]
    fn dots_are_resolved_before_anybody_sees_them() {
        for (path, expected) in [
            ("/a/../b", "/b"),
            ("/a/./b", "/a/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a//../b", "/a/b"),
            ("/a/.../b", "/a/.../b"),
            ("/a/..b", "/a/..b"),
        ] {
            assert_eq!(readings(path).unwrap().0, expected, "{path}");
        }
    }

    #[test]
    fn one_spelling_is_looked_up() {
        for (path, expected) in [
            ("/%61dmin", "/admin"),
            ("/a%2fb", "/a%2Fb"),
            ("/%c3%a9", "/%C3%A9"),
            ("/\u{e9}", "/%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/a%25b", "/a%25b"),
            ("/%7Eb", "/~b"),
            ("/a;b", "/a;b"),
        ] {
            let (sent, lookup, _) = readings(path).unwrap();
            assert_eq!((sent.as_str(), lookup.as_str()), (path, expected));
        }
        assert_eq!(readings("*"), Ok(("*".into(), "/".into(), vec![])));
    }

    #[test]
    fn what_an_obliging_endpoint_sees_is_known_where_it_differs() {
        for (path, expected) in [
            ("//admin", &["/admin"][..]),
            ("/a%2fb", &["/a/b"]),
            ("/a%5Cb", &["/a/b"]),
            ("/x/..;/admin", &["/admin"]),
            ("/x%2f..%2fadmin", &["/admin"]),
            ("/x/..%3b/admin", &["/x/..;/admin", "/admin"]),
            ("/x/..%2fadmin", &["/admin"]),
            ("/x%2f..%2fapi%2f..;a", &["/api/..;a", "/x%2F..%2Fapi%2F..", "/"]),
            (
                "/x%2fy/..%3b/api",
                &["/x/y/..%3B/api", "/x%2Fy/..;/api", "/x/y/..;/api", "/api", "/x/api"],
            ),
            ("/x//..;/api", &["/x/api", "/x/..;/api", "/api"]),
            ("/a;v=1/b", &["/a/b"]),
            ("/a//", &["/a/"]),
            ("/a/%2e%2e/b", &[]),
            ("/a%20b", &[]),
            ("/a%3Ab", &[]),
        ] {
            assert_eq!(readings(path).unwrap().2, expected, "{path}");
        }
    }

    #[test]
    fn what_nobody_should_send_is_refused() {
        for path in
            ["", "a", "/%", "/%4", "/%zz", "/%00", "/a%0d%0ab", "/%7f", "/a\\b", "/a b", "/\x01"]
        {
            assert_eq!(readings(path), Err(Violation::Path), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_what_it_is(path in "/[a-c./%2eEfF5;\\\\é]{0,24}") {
            if let Ok(normal) = normalise(&path) {
                let again = normalise(&normal.path).unwrap();
                prop_assert_eq!(&again.path, &normal.path);
                prop_assert_eq!(&again.lookup, &normal.lookup);
                prop_assert_eq!(&again.others, &normal.others);
                prop_assert!(normal.lookup.is_ascii());
                prop_assert!(!normal.lookup.split('/').any(|s| Dots::of(s).is_some()));
                prop_assert_eq!(&normalise(&normal.lookup).unwrap().lookup, &normal.lookup);
            }
        }

        #[test]
        fn any_text_is_a_path_or_not(path in any::<String>()) {
            let _ = normalise(&path);
        }
    }
}
