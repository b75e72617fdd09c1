//! ConfigMaps with the authorities that sign the certificates of pods.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustls::pki_types::CertificateDer;

use super::Compiler;
use crate::{
    object::Key,
    upstream::{self, AuthoritiesError},
};

/// Authorities, or why there are none.
pub(super) type Authorities = Result<Arc<[CertificateDer<'static>]>, AuthoritiesError>;

impl Compiler {
    /// Takes the new content of a ConfigMap with authorities.
    pub(super) fn apply_authorities(
        &mut self,
        key: Key,
        entries: Option<BTreeMap<Box<str>, Bytes>>,
    ) {
        let authorities =
            entries.map(|entries| upstream::authorities(entries.get(upstream::ENTRY)));
        if self.authorities.get(&key) == authorities.as_ref() {
            return;
        }
        self.touch_users_of_map(&key);
        match authorities {
            Some(authorities) => drop(self.authorities.insert(key, authorities)),
            None => drop(self.authorities.remove(&key)),
        }
    }

    /// The hosts of whoever names the ConfigMap `key` are to be compiled again.
    pub(super) fn touch_users_of_map(&mut self, key: &Key) {
        for user in self.map_users.get(key).into_iter().flatten() {
            let names = self.claims.get(user).into_iter().flat_map(|claim| claim.names());
            self.dirty.extend(names.filter_map(|name| name.resolve(&self.table.settings).ok()));
        }
    }
}
