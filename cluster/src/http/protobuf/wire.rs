//! The wire format, driven by tables of fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The fields of a message.
#[derive(Debug)]
pub(in crate::http) struct Message(pub(super) &'static [Field]);

/// A field of a message, and its name in JSON.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) of: Of,
    /// A pointer in Go: what is empty is there all the same.
    pub(super) pointer: bool,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Of {
    Text,
    /// Base64 in JSON.
    Bytes,
    Int,
    Bool,
    /// `meta/v1 Time`: seconds.
    Time,
    /// `meta/v1 FieldsV1`: JSON as bytes.
    Json,
    Message(&'static Message),
    /// Any number of these.
    List(&'static Self),
    /// A map from text.
    Map(&'static Self),
}

/// A field as it stands in the bytes.
pub(super) enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Fixed width: nothing here has such fields.
    Other,
}

const KEY: u32 = 1;
const VALUE: u32 = 2;

/// The fields of a message, in the order of the bytes.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u32, Raw<'_>), String>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = next(&mut bytes);
        if field.is_none() {
            // Nothing after it can be read either.
            bytes = &[];
        }
        Some(field.ok_or_else(|| "the message ends in the middle of a field".to_owned()))
    })
}

fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Raw<'a>)> {
    let tag = number(bytes)?;
    let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0)?;
    let raw = match tag & 7 {
        0 => Raw::Number(number(bytes)?),
        1 => take(bytes, 8).map(|_| Raw::Other)?,
        2 => {
            let length = usize::try_from(number(bytes)?).ok()?;
            Raw::Bytes(take(bytes, length)?)
        }
        5 => take(bytes, 4).map(|_| Raw::Other)?,
        _ => return None,
    };
    Some((field, raw))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A message as JSON. Fields that are not known are skipped, empty ones are left out.
pub(super) fn decode(message: &Message, bytes: &[u8]) -> Result<Value, String> {
    let mut object = Map::new();
    for field in fields(bytes) {
        let (number, raw) = field?;
        let Some(field) = message.0.iter().find(|field| field.number == number) else { continue };
        match field.of {
            Of::List(of) => {
                let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(value(of, raw)?);
                }
            }
            Of::Map(of) => {
                let (key, value) = entry(of, raw)?;
                let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                map[key] = value;
            }
            _ => {
                let value = value(&field.of, raw)?;
                if field.pointer || !is_zero(&value) {
                    object.insert(field.name.to_owned(), value);
                }
            }
        }
    }
    Ok(Value::Object(object))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn value(of: &Of, raw: Raw<'_>) -> Result<Value, String> {
    match (of, raw) {
        (Of::Text, Raw::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
            Ok(text.into())
        }
        (Of::Bytes, Raw::Bytes(bytes)) => Ok(STANDARD.encode(bytes).into()),
        // Negative numbers are written as if they were large.
        (Of::Int, Raw::Number(number)) => Ok(number.cast_signed().into()),
        (Of::Bool, Raw::Number(number)) => Ok((number != 0).into()),
        (Of::Time, Raw::Bytes(bytes)) => time(bytes),
        (Of::Json, Raw::Bytes(bytes)) => match fields(bytes).next() {
            Some(Ok((1, Raw::Bytes(json)))) => {
                serde_json::from_slice(json).map_err(|error| error.to_string())
            }
            _ => Ok(Value::Null),
        },
        (Of::Message(message), Raw::Bytes(bytes)) => decode(message, bytes),
        _ => Err("a field has the wrong wire type".to_owned()),
    }
}

fn entry(of: &Of, raw: Raw<'_>) -> Result<(String, Value), String> {
    let Raw::Bytes(bytes) = raw else { return Err("a map entry is no message".to_owned()) };
    let mut entry = (String::new(), Value::from(""));
    for field in fields(bytes) {
        match field? {
            (KEY, raw) => entry.0 = value(&Of::Text, raw)?.as_str().unwrap_or_default().to_owned(),
            (VALUE, raw) => entry.1 = value(of, raw)?,
            _ => {}
        }
    }
    Ok(entry)
}

/// A time that is empty stands for none.
fn time(bytes: &[u8]) -> Result<Value, String> {
    let mut seconds = None;
    for field in fields(bytes) {
        if let (1, Raw::Number(number)) = field? {
            seconds = Some(number.cast_signed());
        }
    }
    let Some(seconds) = seconds else { return Ok(Value::Null) };
    let time = Timestamp::from_second(seconds).map_err(|error| error.to_string())?;
    Ok(crate::meta::time(time).into())
}

/// JSON as a message. What the message has no field for is left out.
pub(super) fn encode(message: &Message, object: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in message.0 {
        let value = &object[field.name];
        match (&field.of, value) {
            (_, Value::Null) => {}
            (Of::List(of), Value::Array(list)) => {
                list.iter().for_each(|value| put(&mut bytes, field.number, of, value));
            }
            (Of::Map(of), Value::Object(map)) => {
                for (key, value) in map {
                    let mut entry = Vec::new();
                    put_bytes(&mut entry, KEY, key.as_bytes());
                    put(&mut entry, VALUE, of, value);
                    put_bytes(&mut bytes, field.number, &entry);
                }
            }
            (of, value) => put(&mut bytes, field.number, of, value),
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, field: u32, of: &Of, value: &Value) {
    match of {
        Of::Text => put_bytes(bytes, field, value.as_str().unwrap_or_default().as_bytes()),
        Of::Bytes => {
            let raw = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
            put_bytes(bytes, field, &raw);
        }
        Of::Int => put_number(bytes, field, value.as_i64().unwrap_or_default().cast_unsigned()),
        Of::Bool => put_number(bytes, field, value.as_bool().unwrap_or_default().into()),
        Of::Time => {
            let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
            let mut inner = Vec::new();
            if let Some(time) = time {
                put_number(&mut inner, 1, time.as_second().cast_unsigned());
                put_number(&mut inner, 2, 0);
            }
            put_bytes(bytes, field, &inner);
        }
        Of::Json => {
            let mut inner = Vec::new();
            put_bytes(&mut inner, 1, value.to_string().as_bytes());
            put_bytes(bytes, field, &inner);
        }
        Of::Message(message) => put_bytes(bytes, field, &encode(message, value)),
        // Lists and maps do not nest directly.
        Of::List(_) | Of::Map(_) => {}
    }
}

/// A field of bytes.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, field: u32, value: &[u8]) {
    put_varint(bytes, u64::from(field) << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

fn put_number(bytes: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(bytes, u64::from(field) << 3);
    put_varint(bytes, value);
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}
