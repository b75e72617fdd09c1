//! Messages by RFC 5424, up to their text.

use std::fmt::Write as _;

use fairlead_wire::message::Source;

use super::{host, process, severity, word};
use crate::origins::Origins;
use crate::target::{Facility, Secret};
use crate::time::Times;
use crate::{Line, OpenError};

/// RFC 5424 has 255 for a HOSTNAME; Papertrail cuts at this itself.
const HOSTNAME: usize = 120;
const APP_NAME: usize = 48;
const PROCID: usize = 128;
/// Bytes of a parameter's value: those of Kubernetes' names.
const VALUE: usize = 253;

/// Makes what precedes a message's text.
pub(crate) struct Rfc5424 {
    facility: Facility,
    /// STRUCTURED-DATA before ours, or `None` where that field is left out altogether.
    token: Option<String>,
    origins: Origins<Box<[u8]>>,
    times: Times,
    head: Vec<u8>,
}

impl Rfc5424 {
    /// With a token as SolarWinds wants it: `[TOKEN@41058]`.
    ///
    /// # Errors
    /// Where the token cannot be an element's name.
    pub(super) fn new(facility: Facility, token: Option<&Secret>) -> Result<Self, OpenError> {
        let element = token.map(|token| match token.expose() {
            // RFC 5424 section 6.3.2; its 32 bytes are less than SolarWinds' tokens have.
            token if token.contains(['=', ']', '"']) => Err(OpenError::TokenAsElement),
            token => Ok(format!("[{token}@41058]")),
        });
        Ok(Self::with(facility, Some(element.transpose()?.unwrap_or_default())))
    }

    /// Without STRUCTURED-DATA: Logplex leaves the field out.
    pub(crate) fn without_structured_data(facility: Facility) -> Self {
        Self::with(facility, None)
    }

    fn with(facility: Facility, token: Option<String>) -> Self {
        Self {
            facility,
            token,
            origins: Origins::default(),
            times: Times::default(),
            head: Vec::new(),
        }
    }

    /// What precedes a line's text, with the space before it. `first` as in [`Origins::of`].
    pub(crate) fn head(&mut self, line: &Line<'_>, first: bool) -> &[u8] {
        let token = self.token.as_deref();
        let names = self.origins.of(line, first, |line| names(line.source, token).into());
        self.head.clear();
        priority(&mut self.head, self.facility, line);
        self.head.extend_from_slice(b"1 ");
        self.times.microseconds(&mut self.head, line.time);
        self.head.extend_from_slice(names);
        &self.head
    }
}

/// What precedes the text of a notice as Heroku's Logplex sends them to its drains: from its own
/// process `logplex`, as a warning of `local5`.
pub(crate) fn of_logplex(times: &mut Times, line: &Line<'_>) -> Vec<u8> {
    let mut head = b"<172>1 ".to_vec();
    times.microseconds(&mut head, line.time);
    head.extend_from_slice(
        format!(" {} heroku logplex - ", word(&host(line.source), HOSTNAME)).as_bytes(),
    );
    head
}

/// `<PRI>` (section 6.2.1), the same in RFC 3164.
pub(super) fn priority(out: &mut Vec<u8>, facility: Facility, line: &Line<'_>) {
    let priority = facility.number() * 8 + severity(line.flags);
    out.push(b'<');
    if priority >= 100 {
        out.push(b'0' + priority / 100);
    }
    if priority >= 10 {
        out.push(b'0' + priority / 10 % 10);
    }
    out.push(b'0' + priority % 10);
    out.push(b'>');
}

/// From the space behind the time to the one before the text.
fn names(source: &Source, token: Option<&str>) -> Vec<u8> {
    let mut text = format!(
        " {} {} {} - ",
        word(&host(source), HOSTNAME),
        word(&source.process, APP_NAME),
        word(&process(source), PROCID)
    );
    if let Some(token) = token {
        let start = text.len();
        text.push_str(token);
        structured_data(&mut text, source);
        if text.len() == start {
            text.push('-');
        }
        text.push(' ');
    }
    text.into_bytes()
}

/// Under 32473, which RFC 5612 keeps for those without a number of their own.
fn structured_data(out: &mut String, source: &Source) {
    let values = [("release", &source.release), ("pod", &source.pod), ("node", &source.node)];
    let start = out.len();
    out.push_str("[fairlead@32473");
    let bare = out.len();
    for (name, value) in values {
        if !value.is_empty() {
            let value = &value[..value.floor_char_boundary(VALUE)];
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace(']', r"\]");
            let value = value.replace(char::is_control, "_");
            write!(out, " {name}=\"{value}\"").expect("a string grows");
        }
    }
    if out.len() == bare {
        out.truncate(start);
    } else {
        out.push(']');
    }
}
