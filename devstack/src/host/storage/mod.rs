//! The storage account of the app, as far as a host needs it: a lease for each timer.
//! It never retries: `timer_lock` decides when to ask again.

mod account;
mod inner;
mod lease;

use std::time::Duration;

use uuid::Uuid;

use self::account::StorageAccount;
pub use self::inner::InnerStorage;
pub(crate) use self::lease::LeaseError;

/// What `UseDevelopmentStorage=true` means here: no Azurite at a fixed port, but a storage within this process.
const INNER: &str = "UseDevelopmentStorage=true";
/// An account that takes a call and says nothing.
const NO_ANSWER: Duration = Duration::from_secs(5);

/// The account behind the setting `AzureWebJobsStorage`.
#[derive(Clone)]
pub(crate) enum Storage {
    Inner(InnerStorage),
    Account(Box<StorageAccount>),
}

impl Storage {
    /// The account that the setting names; the problem in words when it names none that can be used.
    pub(crate) fn read(setting: Option<&str>, inner: InnerStorage) -> Result<Self, String> {
        match setting.map(|text| text.trim().trim_end_matches(';')) {
            None | Some("") => Ok(Self::Inner(inner)),
            Some(text) if text.eq_ignore_ascii_case(INNER) => Ok(Self::Inner(inner)),
            Some(text) => StorageAccount::parse(text).map(Box::new).map(Self::Account),
        }
    }

    pub(crate) async fn answers(&self) -> bool {
        match self {
            Self::Inner(inner) => inner.answers(),
            Self::Account(account) => {
                let asked = tokio::time::timeout(NO_ANSWER, account.answers());
                asked.await.unwrap_or(false)
            }
        }
    }

    pub(crate) async fn acquire(&self, name: &str, owner: Uuid, life: Duration) -> Result<(), LeaseError> {
        match self {
            Self::Inner(inner) => inner.hold(name, owner, life),
            Self::Account(account) => limited(account.acquire(name, owner, life.as_secs())).await,
        }
    }

    pub(crate) async fn renew(&self, name: &str, owner: Uuid, life: Duration) -> Result<(), LeaseError> {
        match self {
            Self::Inner(inner) => inner.hold(name, owner, life),
            Self::Account(account) => limited(account.renew(name, owner)).await,
        }
    }

    pub(crate) async fn release(&self, name: &str, owner: Uuid) -> Result<(), LeaseError> {
        match self {
            Self::Inner(inner) => inner.release(name, owner),
            Self::Account(account) => limited(account.release(name, owner)).await,
        }
    }
}

async fn limited(call: impl Future<Output = Result<(), LeaseError>>) -> Result<(), LeaseError> {
    let answered = tokio::time::timeout(NO_ANSWER, call).await;
    answered.unwrap_or_else(|_| {
        Err(LeaseError::Away(format!(
            "it did not answer within {NO_ANSWER:?}"
        )))
    })
}
