//! Messages of a stream.

/// A message behind its length (RFC 6587 section 3.4.1).
pub(crate) fn octet_counting(out: &mut Vec<u8>, head: &[u8], text: &[u8]) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut length = head.len() + text.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (length % 10) as u8;
        length /= 10;
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.push(b' ');
    out.extend_from_slice(head);
    out.extend_from_slice(text);
}
