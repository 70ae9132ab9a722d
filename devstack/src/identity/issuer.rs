//! When the endpoint gives a new token, and when the same again.
//! It never gives one that has run out, unless a switch asks for that.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::directory::Directory;
use super::managed::ManagedIdentity;
use super::switches::IdentitySwitches;

/// A token and its end in Unix seconds.
#[derive(Clone, Debug)]
pub(super) struct IssuedToken {
    pub(super) token: String,
    pub(super) expires: i64,
}

/// Gives tokens, and remembers the last of each.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) directory: Directory,
    pub(super) switches: IdentitySwitches,
    /// By client id and audience.
    given: Mutex<HashMap<(uuid::Uuid, String), IssuedToken>>,
}

impl Issuer {
    pub(super) fn new(directory: Directory, switches: IdentitySwitches) -> Self {
        Self {
            directory,
            switches,
            given: Mutex::default(),
        }
    }

    /// The token for one audience; true when it is a new one.
    pub(super) fn token(&self, identity: &ManagedIdentity, audience: &str, now: i64) -> (IssuedToken, bool) {
        if self.switches.gives_expired() {
            let expires = now - 60;
            let token = self.directory.issue(identity, audience, expires);
            return (IssuedToken { token, expires }, false);
        }
        let (life, renewed_below) = self.switches.lives();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (identity.client_id, audience.to_owned());
        if let Some(last) = given.get(&place)
            && last.expires - now >= renewed_below
        {
            return (last.clone(), false);
        }
        let expires = now + life;
        let issued = IssuedToken {
            token: self.directory.issue(identity, audience, expires),
            expires,
        };
        given.insert(place, issued.clone());
        (issued, true)
    }

    /// Forgets what was given, so that the next request gets a new token.
    pub(super) fn forget(&self) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::SERVICE_BUS_AUDIENCE as BUS;
    use super::*;

    #[test]
    fn the_same_token_is_given_until_little_of_its_life_is_left() {
        let (directory, switches) = (Directory::default(), IdentitySwitches::default());
        let (one, other) = (directory.create("one"), directory.create("other"));
        let issuer = Issuer::new(directory, switches);
        let (first, is_new) = issuer.token(&one, BUS, 1_000);
        assert_eq!((first.expires, is_new), (1_310, true));
        let (again, is_new) = issuer.token(&one, BUS, 1_040);
        assert_eq!((&again.token, is_new), (&first.token, false));
        let (next, is_new) = issuer.token(&one, BUS, 1_041);
        assert_eq!((next.expires, is_new), (1_351, true));
        assert_ne!(next.token, first.token);
        assert_ne!(issuer.token(&other, BUS, 1_041).0.token, next.token);
    }
}
