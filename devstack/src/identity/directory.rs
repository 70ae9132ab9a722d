//! The directory of a stack: its identities, what each may do, and the key that signs their tokens.
//! It never forgets who an identity was: one that is made anew has new ids, as in Entra.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::managed::ManagedIdentity;
use super::roles::{Claim, Role, covers};
use super::token::{self, TokenFault, VerifiedToken};

/// A directory; clones are the same one.
#[derive(Clone, Debug)]
pub struct Directory(Arc<DirectoryState>);

struct DirectoryState {
    tenant: Uuid,
    /// Random, so that a token of another stack is no token of this one.
    key: [u8; 32],
    entries: Mutex<Entries>,
}

impl std::fmt::Debug for DirectoryState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "tenant {}", self.tenant)
    }
}

#[derive(Default)]
struct Entries {
    identities: Vec<ManagedIdentity>,
    /// Object id, role and scope.
    assignments: Vec<(Uuid, Role, String)>,
}

impl Default for Directory {
    fn default() -> Self {
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        let mut key = [0; 32];
        key[..16].copy_from_slice(first.as_bytes());
        key[16..].copy_from_slice(second.as_bytes());
        Self(Arc::new(DirectoryState {
            tenant: Uuid::new_v4(),
            key,
            entries: Mutex::default(),
        }))
    }
}

impl Directory {
    /// Makes an identity that may do nothing yet.
    pub fn create(&self, name: &str) -> ManagedIdentity {
        let identity = ManagedIdentity {
            name: name.to_owned(),
            client_id: Uuid::new_v4(),
            object_id: Uuid::new_v4(),
        };
        self.entries().identities.push(identity.clone());
        identity
    }

    /// Takes an identity away; what its tokens may do ends with it.
    pub fn delete(&self, identity: &ManagedIdentity) {
        let mut entries = self.entries();
        entries.identities.retain(|known| known != identity);
        entries.assignments.retain(|(id, ..)| *id != identity.object_id);
    }

    /// Gives a role over a path of a store and all below it; the empty path is all of the store.
    pub fn assign(&self, identity: &ManagedIdentity, role: Role, scope: &str) {
        // The bus compares the names of its entities without case.
        let scope = match role.is_of_cosmos() {
            true => scope.to_owned(),
            false => scope.to_ascii_lowercase(),
        };
        let assignment = (identity.object_id, role, scope);
        self.entries().assignments.push(assignment);
    }

    /// Takes a role away, whatever it was given over.
    pub fn unassign(&self, identity: &ManagedIdentity, role: Role) {
        let is_other = |(id, its, _): &(Uuid, Role, String)| *id != identity.object_id || *its != role;
        self.entries().assignments.retain(is_other);
    }

    pub(super) fn by_client_id(&self, client_id: Uuid) -> Option<ManagedIdentity> {
        let entries = self.entries();
        let mut known = entries.identities.iter();
        known.find(|identity| identity.client_id == client_id).cloned()
    }

    /// A token that is good for one audience, until this Unix second.
    pub fn issue(&self, identity: &ManagedIdentity, audience: &str, expires: i64) -> String {
        token::issue(&self.0.key, self.0.tenant, identity, audience, expires)
    }

    /// Says whose token this is, if it is one of this directory's for this audience and its time has not come.
    pub(crate) fn verify(&self, token: &str, audience: &str, now: i64) -> Result<VerifiedToken, TokenFault> {
        token::verify(&self.0.key, token, audience, now)
    }

    /// True when this identity has a role that lets it do this here.
    pub(crate) fn may(&self, object_id: Uuid, claim: Claim, path: &str) -> bool {
        let reaches = |(id, role, scope): &(Uuid, Role, String)| {
            *id == object_id && role.grants(claim) && covers(scope, path)
        };
        self.entries().assignments.iter().any(reaches)
    }

    /// True when this identity has any role in the account of documents, wherever in it.
    pub(crate) fn is_known_to_cosmos(&self, object_id: Uuid) -> bool {
        let entries = self.entries();
        let mut all = entries.assignments.iter();
        all.any(|(id, role, _)| *id == object_id && role.is_of_cosmos())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
