//! What a line says, as a message may have it.

use memchr::{memchr, memchr2};

/// A line's text: without a carriage return at its end, NUL as `#000` since some receivers end a
/// message at it, where `no_lf` is said a line feed as `#012` (so rsyslog writes them), and cut
/// before the character that has no room. Most lines are only lent.
pub(super) fn fit<'a>(
    payload: &'a [u8],
    no_lf: bool,
    room: usize,
    buffer: &'a mut Vec<u8>,
) -> &'a [u8] {
    let line = payload.strip_suffix(b"\r").unwrap_or(payload);
    let next = |text: &[u8]| if no_lf { memchr2(0, b'\n', text) } else { memchr(0, text) };
    let Some(mut at) = next(line) else { return cut(line, room) };
    buffer.clear();
    let mut rest = line;
    while buffer.len() < room {
        buffer.extend_from_slice(&rest[..at]);
        let Some((byte, more)) = rest[at..].split_first() else { break };
        if buffer.len() + 4 > room {
            // Nothing follows what has no room.
            break;
        }
        buffer.extend_from_slice(if *byte == 0 { b"#000" } else { b"#012" });
        rest = more;
        at = next(rest).unwrap_or(rest.len());
    }
    cut(buffer, room)
}

/// At most so many bytes, without a piece of a character at the end. What is no UTF-8 is cut at any
/// byte.
fn cut(text: &[u8], room: usize) -> &[u8] {
    let Some(kept) = text.get(..room) else { return text };
    if kept.len() == text.len() {
        return text;
    }
    // A character has at most four bytes.
    let start = (1..=3.min(room)).find(|back| is_start(kept[room - back]));
    match start {
        Some(back) if length(kept[room - back]) > back => &kept[..room - back],
        _ => kept,
    }
}

/// Whether a character of several bytes begins with it.
fn is_start(byte: u8) -> bool {
    byte >= 0xc0
}

/// Bytes of a character that begins with this one.
fn length(start: u8) -> usize {
    match start {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(payload: &[u8], no_lf: bool, room: usize) -> Vec<u8> {
        fit(payload, no_lf, room, &mut Vec::new()).to_vec()
    }

    #[test]
    fn what_receivers_stumble_over_is_written_out() {
        assert_eq!(shown(b"plain", true, 100), b"plain");
        assert_eq!(shown(b"a\r\n", false, 100), b"a\r\n");
        assert_eq!(shown(b"a\r\r", false, 100), b"a\r");
        assert_eq!(shown(b"a\nb\0c\r", true, 100), b"a#012b#000c");
        assert_eq!(shown(b"a\nb\0c\r", false, 100), b"a\nb#000c");
        assert_eq!(shown(b"\0", false, 100), b"#000");
        assert_eq!(shown(b"", false, 100), b"");
        assert_eq!(shown(b"\xff\xfe", true, 100), b"\xff\xfe");
    }

    #[test]
    fn cuts_are_between_characters() {
        for (room, kept) in [(0, ""), (1, "a"), (2, "a"), (3, "aä"), (5, "aä"), (6, "aä€")] {
            assert_eq!(shown("aä€😀".as_bytes(), false, room), kept.as_bytes(), "{room}");
        }
        for (room, kept) in [(9, "aä€"), (10, "aä€😀"), (11, "aä€😀")] {
            assert_eq!(shown("aä€😀".as_bytes(), false, room), kept.as_bytes(), "{room}");
        }
        assert_eq!(shown(b"ab\0c", false, 5), b"ab");
        assert_eq!(shown(b"ab\0c", false, 6), b"ab#000");
        assert_eq!(shown(b"ab\0c", false, 7), b"ab#000c");
        assert_eq!(shown(b"\x80\x80\x80\x80\x80", false, 3), b"\x80\x80\x80");
    }

    proptest! {
        #[test]
        fn text_stays_text_and_has_room(
            text in "[a-cä€😀\0\n\r]{0,20}", room in 0_usize..60, no_lf in any::<bool>(),
        ) {
            let shown = shown(text.as_bytes(), no_lf, room);
            prop_assert!(shown.len() <= room);
            let shown = String::from_utf8(shown).expect("cut between characters");
            let whole = text.strip_suffix('\r').unwrap_or(&text).replace('\0', "#000");
            let whole = if no_lf { whole.replace('\n', "#012") } else { whole };
            prop_assert!(whole.starts_with(&shown));
            if whole.len() <= room {
                prop_assert_eq!(shown, whole);
            }
        }

        #[test]
        fn any_bytes_have_room(
            bytes in prop::collection::vec(any::<u8>(), 0..40), room in 0_usize..60,
        ) {
            prop_assert!(shown(&bytes, true, room).len() <= room);
        }
    }
}
