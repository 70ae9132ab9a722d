//! The way to the documents in Cosmos DB: an account, and its key or an identity.
//! Never sends a token in plain text.

use std::collections::BTreeMap;

use super::{
    error::{ConfigError, invalid},
    group::group,
};
use crate::{
    identity::{Identity, TokenAudience},
    read::{CosmosAccount, CosmosCredential},
};

const ENDPOINT: &str = "COSMOS_ENDPOINT";
const KEY: &str = "COSMOS_KEY";
const DATABASE: &str = "COSMOS_DATABASE";
/// The settings of documents.
pub(super) const COSMOS: [&str; 3] = [ENDPOINT, KEY, DATABASE];

/// The account; `None` when no setting leads to one.
pub(super) fn cosmos(
    environment: &BTreeMap<String, String>,
    identity: &Identity,
) -> Result<Option<CosmosAccount>, ConfigError> {
    let found = group(environment, [ENDPOINT, DATABASE])?;
    let key = environment.get(KEY).map(String::as_str);
    let Some([endpoint, database]) = found else {
        return match key {
            None => Ok(None),
            Some(_) => Err(invalid(ENDPOINT, "is missing; COSMOS_KEY is there")),
        };
    };
    let credential = match key {
        Some("") => return Err(invalid(KEY, "is empty; without it, an identity is used")),
        Some(key) => CosmosCredential::Key(key.to_owned()),
        None if !endpoint.starts_with("https://") => {
            let why = "is not https, and without COSMOS_KEY it is sent an identity's token";
            return Err(invalid(ENDPOINT, why));
        }
        None => {
            let tokens = identity.tokens(TokenAudience::Cosmos);
            CosmosCredential::Identity(tokens.map_err(|error| invalid(ENDPOINT, &error.to_string()))?)
        }
    };
    Ok(Some(CosmosAccount {
        endpoint: endpoint.parse().map_err(|_| invalid(ENDPOINT, "is not a URL"))?,
        credential,
        database: database.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<CosmosAccount>, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        cosmos(&pairs.collect(), &Identity::SignedIn).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_key_an_identity_is_used_and_only_by_https() {
        let azure = (ENDPOINT, "https://orders.documents.azure.com/");
        let plain = (ENDPOINT, "http://127.0.0.1:8081/");
        let database = (DATABASE, "orders");
        let account = read(&[azure, database]).unwrap().unwrap();
        assert!(matches!(account.credential, CosmosCredential::Identity(_)));
        let account = read(&[plain, database, (KEY, "k")]).unwrap().unwrap();
        assert!(matches!(account.credential, CosmosCredential::Key(_)));
        for (pairs, named) in [
            (&[plain, database][..], ENDPOINT),
            (&[azure], DATABASE),
            (&[(KEY, "k")], ENDPOINT),
            (&[azure, database, (KEY, "")], KEY),
            (&[(ENDPOINT, "https://"), database], ENDPOINT),
        ] {
            let error = read(pairs).err().unwrap();
            assert!(error.contains(named), "{pairs:?}: {error}");
        }
    }
}
