//! Who may speak to the API, and what each of them did.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// What a user did: the verb (`list`, `watch`, `patch`...) and the resource (`pods/status`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The verb, as RBAC names it.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural name, with the subresource after a slash.
    pub resource: String,
}

/// Bearer tokens given out, and the requests made with them. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: RwLock<Vec<Known>>,
    /// By user. Bounded by users times verbs times kinds: only requests for kinds that exist count.
    accesses: Mutex<BTreeMap<Arc<str>, BTreeMap<Access, u64>>>,
}

struct Known {
    token: String,
    user: Arc<str>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Tokens {
    /// A new token for a user. A user may have several.
    pub fn mint(&self, user: &str) -> String {
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.0.known.write().push(Known { token: token.clone(), user: user.into() });
        token
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.0.known.write().retain(|known| !equal(&known.token, token));
    }

    /// The user of a token. Compares with every token in constant time.
    pub fn user(&self, token: &str) -> Option<Arc<str>> {
        self.0.known.read().iter().fold(None, |found, known| {
            if equal(&known.token, token) { Some(known.user.clone()) } else { found }
        })
    }

    /// What the user did, and how often.
    pub fn accesses(&self, user: &str) -> BTreeMap<Access, u64> {
        self.0.accesses.lock().get(user).cloned().unwrap_or_default()
    }

    pub(super) fn record(&self, user: &Arc<str>, access: Access) {
        let mut accesses = self.0.accesses.lock();
        *accesses.entry(user.clone()).or_default().entry(access).or_default() += 1;
    }
}

fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
