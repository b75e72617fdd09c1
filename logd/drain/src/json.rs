//! JSON, written into a batch.

/// A string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a vector grows, and text has a form in JSON");
}

/// A string of any bytes: what is not UTF-8 becomes U+FFFD, since JSON is text.
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => string(out, &String::from_utf8_lossy(bytes)),
    }
}

/// `"name":"value",`, where there is a value.
pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    if !value.is_empty() {
        string(out, name);
        out.push(b':');
        string(out, value);
        out.push(b',');
    }
}
