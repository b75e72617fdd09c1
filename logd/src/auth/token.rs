//! Tokens: JWTs (RFC 7519) signed with HMAC-SHA-256, the key named by `kid`.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Role;

/// Bytes of a secret, at least: those of the hash (RFC 7518 §3.2).
const SECRET: usize = 32;
/// Keys that are valid at once, at most.
const KEYS: usize = 2;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is for.
    pub role: Role,
    /// For which apps: `NAMESPACE/NAME`, `NAMESPACE/*` or `*`.
    pub apps: Vec<String>,
    /// When it ends, in seconds since 1970-01-01 UTC.
    pub exp: u64,
}

/// A key that signs tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    id: String,
    secret: Vec<u8>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Keys that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeysError {
    /// A secret can be guessed.
    #[error("the secret of key {0:?} has less than {SECRET} bytes")]
    Short(String),
    /// There are none or more than two.
    #[error("there are {0} keys; write one, or two while tokens move to a new one")]
    Count(usize),
    /// Two have one name.
    #[error("both keys are called {0:?}")]
    Twice(String),
    /// A line is no key.
    #[error("line {0} of the keys is not `ID SECRET`")]
    Line(usize),
}

impl TokenKey {
    /// A key by its name and secret.
    ///
    /// # Errors
    /// Where the secret has less than 32 bytes.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, KeysError> {
        if secret.len() < SECRET {
            return Err(KeysError::Short(id.to_owned()));
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_vec() })
    }
}

/// The keys whose tokens are accepted: one, or two while tokens move to a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<TokenKey>);

impl Keys {
    /// These keys.
    ///
    /// # Errors
    /// Where there are none, more than two, or two of one name.
    pub fn new(keys: Vec<TokenKey>) -> Result<Self, KeysError> {
        match &keys[..] {
            [first, second] if first.id == second.id => Err(KeysError::Twice(first.id.clone())),
            [] => Err(KeysError::Count(0)),
            keys if keys.len() > KEYS => Err(KeysError::Count(keys.len())),
            _ => Ok(Self(keys)),
        }
    }

    /// Reads them from lines of `ID SECRET`; empty lines and those that begin with `#` are none.
    ///
    /// # Errors
    /// Where a line is something else, or the keys cannot be used.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(
            |(number, line)| {
                let mut words = line.split_whitespace();
                match (words.next(), words.next(), words.next()) {
                    (Some(id), Some(secret), None) => TokenKey::new(id, secret.as_bytes()),
                    _ => Err(KeysError::Line(number + 1)),
                }
            },
        );
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// What a token says, where a key signed it and it has not ended.
    pub(crate) fn verify(&self, token: &str) -> Option<Claims> {
        let id = decode_header(token).ok()?.kid?;
        let key = self.0.iter().find(|key| key.id == id)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(&key.secret);
        Some(decode::<Claims>(token, &key, &validation).ok()?.claims)
    }
}

/// Signs a token.
#[must_use]
pub fn mint(key: &TokenKey, claims: &Claims) -> String {
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(&key.secret)).expect("claims are plain JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, byte: u8) -> TokenKey {
        TokenKey::new(id, &[byte; 32]).unwrap()
    }

    fn claims(exp: u64) -> Claims {
        Claims { role: Role::Read, apps: vec!["shop/web".to_owned()], exp }
    }

    const LATER: u64 = 1 << 40;

    #[test]
    fn tokens_of_both_keys_are_accepted_and_of_no_other() {
        let keys = Keys::new(vec![key("old", 1), key("new", 2)]).unwrap();
        for known in [key("old", 1), key("new", 2)] {
            assert_eq!(keys.verify(&mint(&known, &claims(LATER))), Some(claims(LATER)));
        }
        for foreign in [key("old", 2), key("other", 1)] {
            assert_eq!(keys.verify(&mint(&foreign, &claims(LATER))), None);
        }
        assert_eq!(keys.verify(&mint(&key("new", 2), &claims(1))), None, "it has ended");
    }

    #[test]
    fn what_is_not_signed_as_expected_is_refused() {
        let keys = Keys::new(vec![key("a", 1)]).unwrap();
        let sign = |header: &Header, claims: &serde_json::Value| {
            encode(header, claims, &EncodingKey::from_secret(&[1; 32])).unwrap()
        };
        let named = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
        let whole = serde_json::json!({"role": "read", "apps": [], "exp": LATER});
        assert!(keys.verify(&sign(&named, &whole)).is_some());
        assert_eq!(keys.verify(&sign(&Header::new(Algorithm::HS256), &whole)), None, "no kid");
        let other = Header { alg: Algorithm::HS512, ..named.clone() };
        assert_eq!(keys.verify(&sign(&other, &whole)), None, "another algorithm");
        for field in ["role", "apps", "exp"] {
            let mut claims = whole.clone();
            claims.as_object_mut().unwrap().remove(field);
            assert_eq!(keys.verify(&sign(&named, &claims)), None, "without {field}");
        }
        // {"alg":"none","kid":"a"} . {"role":"admin","apps":["*"],"exp":…} . nothing
        let none = "eyJhbGciOiJub25lIiwia2lkIjoiYSJ9.eyJyb2xlIjoiYWRtaW4iLCJhcHBzIjpbIioiXSwiZXhwIjoxMDk5NTExNjI3Nzc2fQ.";
        for token in [none, "", ".", "..", "a.b.c"] {
            assert_eq!(keys.verify(token), None, "{token}");
        }
    }

    #[test]
    fn keys_are_read_from_lines() {
        let secret = "0123456789abcdef0123456789abcdef";
        let keys =
            Keys::parse(&format!("# rotated in May\nold {secret}\n\nnew {secret}x\n")).unwrap();
        assert_eq!(keys.0[1], TokenKey::new("new", format!("{secret}x").as_bytes()).unwrap());
        assert_eq!(Keys::parse(""), Err(KeysError::Count(0)));
        assert_eq!(Keys::parse("a b c"), Err(KeysError::Line(1)));
        assert_eq!(Keys::parse("a short"), Err(KeysError::Short("a".to_owned())));
        let twice = format!("a {secret}\na {secret}");
        assert_eq!(Keys::parse(&twice), Err(KeysError::Twice("a".to_owned())));
        let three = format!("a {secret}\nb {secret}\nc {secret}");
        assert_eq!(Keys::parse(&three), Err(KeysError::Count(3)));
        assert!(!format!("{keys:?}").contains("0123"), "secrets are not shown");
    }
}
