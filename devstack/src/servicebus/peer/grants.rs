//! What the tokens of one connection let its client do.
//! Never reads a token: it is told what one grants and until when.

use std::collections::HashMap;

use uuid::Uuid;

use crate::identity::{Claim, covers};
use crate::servicebus::door::Door;

/// What a client must be allowed at a node, one of these, for a link in this direction.
pub(super) fn claims(path: &str, receives: bool) -> &'static [Claim] {
    match receives {
        _ if path.ends_with("/$management") => &[Claim::Listen, Claim::Send],
        true => &[Claim::Listen],
        false => &[Claim::Send],
    }
}

/// A token that was put.
#[derive(Debug)]
pub(super) struct TokenGrant {
    /// In Unix milliseconds.
    pub(super) until: i64,
    /// Whose token it is; `None`: the key's, which may do everything.
    pub(super) holder: Option<Uuid>,
}

/// The entities that the client's tokens reach, and until when.
#[derive(Debug)]
pub(super) struct TokenGrants {
    pub(super) door: Door,
    /// True when the client has shown the key itself.
    trusted: bool,
    paths: HashMap<String, TokenGrant>,
    /// True when a token took the place of another, which may have granted more.
    replaced: bool,
}

impl TokenGrants {
    pub(super) fn new(door: Door, trusted: bool) -> Self {
        Self {
            door,
            trusted,
            paths: HashMap::new(),
            replaced: false,
        }
    }

    pub(super) fn put(&mut self, path: String, grant: TokenGrant) {
        self.replaced |= self.paths.insert(path, grant).is_some();
    }

    /// Passes for who may do one of these things at this node; else says why not, as the service does.
    pub(super) fn check(&self, path: &str, claims: &[Claim], now: i64) -> Result<(), String> {
        let grants = self.paths.iter();
        let reaching = |(granted, grant): &(&String, &TokenGrant)| grant.until > now && covers(granted, path);
        let holders: Vec<_> = grants.filter(reaching).map(|(_, grant)| grant.holder).collect();
        if self.trusted {
            return Ok(());
        }
        if holders.is_empty() {
            return Err(format!(
                "Unauthorized access. A valid token is required for '{path}'."
            ));
        }
        let may = |claim: &Claim| holders.iter().any(|holder| self.door.may(*holder, *claim, path));
        if claims.iter().any(may) {
            return Ok(());
        }
        let names: Vec<_> = claims.iter().map(|claim| format!("{claim:?}")).collect();
        Err(format!(
            "Unauthorized access. '{}' claim(s) are required to perform this operation. Resource: '{path}'.",
            names.join(",")
        ))
    }

    /// Lets every token run out.
    pub(super) fn expire(&mut self) {
        self.paths.values_mut().for_each(|grant| grant.until = 0);
    }

    /// The time at which the next token runs out.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.paths.values().map(|grant| grant.until).min()
    }

    /// Forgets the tokens that have run out; tells whether links may have lost theirs.
    pub(super) fn forget(&mut self, now: i64) -> bool {
        let before = self.paths.len();
        self.paths.retain(|_, grant| grant.until > now);
        std::mem::take(&mut self.replaced) || self.paths.len() < before
    }
}
