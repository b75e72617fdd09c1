//! Who may do what: bearer tokens, JSON Web Tokens signed with HS256 (RFC 7519).

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes of a key, at least (RFC 7518 section 3.2).
const KEY_FLOOR: usize = 32;
/// Keys that are valid at once, so that one can take another's place.
const KEYS: usize = 2;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sending lines.
    Ingest,
    /// Reading apps' lines.
    Read,
    /// Reading and deleting them.
    Write,
    /// All of it, and what is about logd itself.
    Admin,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// When it ends, in seconds since 1970-01-01 UTC.
    pub exp: u64,
    /// What it is for.
    pub role: Role,
    /// Whose lines: `namespace/name`, `namespace/*` or `*`. An `admin` needs none.
    #[serde(default)]
    pub apps: Vec<String>,
}

impl Claims {
    /// Whether the app's lines may be read.
    #[must_use]
    pub fn may_read(&self, app: &str) -> bool {
        match self.role {
            Role::Ingest => false,
            Role::Read | Role::Write => self.covers(app),
            Role::Admin => true,
        }
    }

    /// Whether the app's lines may be deleted.
    #[must_use]
    pub fn may_delete(&self, app: &str) -> bool {
        self.may_read(app) && self.role != Role::Read
    }

    fn covers(&self, app: &str) -> bool {
        let namespace = app.split_once('/').map(|(namespace, _)| namespace);
        self.apps.iter().any(|pattern| {
            pattern == "*"
                || pattern == app
                || pattern.strip_suffix("/*").is_some_and(|prefix| Some(prefix) == namespace)
        })
    }
}

/// Keys that tokens are signed with. The first one signs.
pub struct Keys(Vec<Key>);

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// What is wrong with a file of keys. Never shows a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeysError {
    /// A line is not two words.
    #[error("line {0} is not `ID KEY`")]
    Line(usize),
    /// A key is no base64.
    #[error("the key {0:?} is not in base64")]
    Base64(String),
    /// A key is too short to be safe.
    #[error(
        "the key {0:?} has less than {KEY_FLOOR} bytes; make one with `openssl rand -base64 32`"
    )]
    Short(String),
    /// Two keys have one name.
    #[error("the key {0:?} is there twice")]
    Twice(String),
    /// There are none, or too many.
    #[error("there are {0} keys; one is needed, a second one may take its place")]
    Count(usize),
}

impl Keys {
    /// Reads `ID KEY` lines, the keys in base64. The first key signs. Empty lines and those that
    /// begin with `#` are passed over.
    ///
    /// # Errors
    /// Where a line is malformed, a key is short, or there are not one or two.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let id = match words.next() {
                None => continue,
                Some(word) if word.starts_with('#') => continue,
                Some(id) => id.to_owned(),
            };
            let (Some(secret), None) = (words.next(), words.next()) else {
                return Err(KeysError::Line(index + 1));
            };
            if keys.iter().any(|key| key.id == id) {
                return Err(KeysError::Twice(id));
            }
            let secret =
                BASE64_STANDARD.decode(secret).map_err(|_| KeysError::Base64(id.clone()))?;
            if secret.len() < KEY_FLOOR {
                return Err(KeysError::Short(id));
            }
            let (encoding, decoding) =
                (EncodingKey::from_secret(&secret), DecodingKey::from_secret(&secret));
            keys.push(Key { id, encoding, decoding });
        }
        if keys.is_empty() || keys.len() > KEYS {
            return Err(KeysError::Count(keys.len()));
        }
        Ok(Self(keys))
    }

    /// A token that says so.
    #[must_use]
    pub fn mint(&self, claims: &Claims) -> String {
        let key = &self.0[0];
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &key.encoding).expect("HS256 signs any claims")
    }

    /// What a token says, where one of the keys signed it and it has not ended.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.0.iter().find(|key| key.id == id)?;
        // Other algorithms are refused; `exp` is required and checked.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_aud = false;
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).ok()?;
        Some(data.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const B: &str = "b AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const FAR: u64 = 1 << 40;

    fn claims(role: Role, apps: &[&str]) -> Claims {
        Claims { exp: FAR, role, apps: apps.iter().map(|&app| app.to_owned()).collect() }
    }

    #[test]
    fn a_key_goes_on_being_valid_while_another_takes_its_place() {
        let old = Keys::parse(A).unwrap();
        let token = old.mint(&claims(Role::Read, &["shop/web"]));
        let both = Keys::parse(&format!("# new one first\n{B}\n\n{A}\n")).unwrap();
        assert_eq!(both.verify(&token), Some(claims(Role::Read, &["shop/web"])));
        let new = both.mint(&claims(Role::Admin, &[]));
        assert_eq!(old.verify(&new), None);
        assert_eq!(Keys::parse(B).unwrap().verify(&token), None);
    }

    #[test]
    fn what_is_not_signed_or_has_ended_is_worth_nothing() {
        let keys = Keys::parse(A).unwrap();
        let ended = Claims { exp: 1, ..claims(Role::Admin, &[]) };
        assert_eq!(keys.verify(&keys.mint(&ended)), None);
        let token = keys.mint(&claims(Role::Read, &["*"]));
        let (head, rest) = token.split_once('.').unwrap();
        let (body, signature) = rest.split_once('.').unwrap();
        let forged = Keys::parse(B).unwrap().mint(&claims(Role::Admin, &[]));
        let other = forged.split('.').nth(1).unwrap();
        assert_eq!(keys.verify(&format!("{head}.{other}.{signature}")), None);
        // {"alg":"none","kid":"a"}
        assert_eq!(keys.verify(&format!("eyJhbGciOiJub25lIiwia2lkIjoiYSJ9.{body}.")), None);
        assert_eq!(keys.verify(""), None);
    }

    #[test]
    fn a_role_covers_what_it_says() {
        let read = claims(Role::Read, &["shop/web", "blog/*"]);
        for (app, may) in [
            ("shop/web", true),
            ("shop/worker", false),
            ("blog/any", true),
            ("blogs/any", false),
            ("blog", false),
        ] {
            assert_eq!(read.may_read(app), may, "{app}");
            assert!(!read.may_delete(app), "{app}");
        }
        assert!(claims(Role::Write, &["*"]).may_delete("a/b"));
        assert!(claims(Role::Admin, &[]).may_delete("a/b"));
        assert!(!claims(Role::Ingest, &["*"]).may_read("a/b"));
    }

    #[test]
    fn a_bad_file_of_keys_is_told_without_its_keys() {
        let error = |text: &str| Keys::parse(text).unwrap_err().to_string();
        assert_eq!(error("a"), "line 1 is not `ID KEY`");
        assert_eq!(error("a !!"), "the key \"a\" is not in base64");
        assert_eq!(
            error("a c2VjcmV0"),
            "the key \"a\" has less than 32 bytes; make one with `openssl rand -base64 32`"
        );
        assert_eq!(error(&format!("{A}\n{A}")), "the key \"a\" is there twice");
        assert_eq!(error(""), "there are 0 keys; one is needed, a second one may take its place");
        assert_eq!(format!("{:?}", Keys::parse(A).unwrap()), "[\"a\"]");
    }
}
