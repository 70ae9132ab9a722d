//! The token for one service: got when it is first needed, renewed before it ends, used as long as it is good.
//! Never lets a caller wait for a new token while the old one is good, and never asks for one more often than it must.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::error_chain::{Cause, cause, chain};

/// Longest wait for a token.
const DEADLINE: Duration = Duration::from_secs(3);
/// A token with less than this left is renewed; the crate's own cache begins to ask anew at the same time.
const RENEWED: Duration = Duration::from_secs(300);
/// A token with less than this left is not used any more: it could end on its way.
const UNUSED: Duration = Duration::from_secs(60);
/// Time between two tries while there is a token that can be used: who got the same one back asks no earlier.
const PAUSE: Duration = Duration::from_secs(10);
/// Time between two tries while there is none.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// There is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no token for {audience}")]
pub struct IdentityError {
    audience: &'static str,
    #[source]
    cause: Cause,
}

/// The tokens for one service.
pub struct TokenSource {
    inner: Arc<Inner>,
}

struct Inner {
    credential: Arc<dyn TokenCredential>,
    scope: &'static str,
    held: Mutex<HeldToken>,
    /// Held while a token is being fetched.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct HeldToken {
    token: Option<AccessToken>,
    /// No new one is asked for before.
    paused_until: Option<Instant>,
    /// What went wrong the last time, if it did.
    failure: Option<Cause>,
}

impl HeldToken {
    /// The token, when it has so much of its life left at least.
    fn lasting(&self, least: Duration) -> Option<AccessToken> {
        let token = self.token.as_ref()?;
        (token.expires_on - OffsetDateTime::now_utc() > least).then(|| token.clone())
    }
}

impl TokenSource {
    /// Asks this credential when first needed.
    #[must_use]
    pub fn new(credential: Arc<dyn TokenCredential>, scope: &'static str) -> Self {
        Self {
            inner: Arc::new(Inner {
                credential,
                scope,
                held: Mutex::default(),
                fetching: Arc::default(),
            }),
        }
    }

    /// A token that is good for a minute at least.
    ///
    /// # Errors
    /// There is none, and none was to be had in time.
    pub async fn token(&self) -> Result<AccessToken, IdentityError> {
        let (good, usable, is_paused) = {
            let held = self.inner.held();
            let is_paused = held.paused_until.is_some_and(|until| Instant::now() < until);
            (held.lasting(RENEWED), held.lasting(UNUSED), is_paused)
        };
        if let Some(good) = good {
            return Ok(good);
        }
        if !is_paused {
            self.start_fetch();
        }
        match usable {
            Some(usable) => Ok(usable),
            None => self.fetched().await,
        }
    }

    /// Fetches a token in a task that no caller's end can end, unless one is at work already.
    fn start_fetch(&self) {
        if let Ok(turn) = Arc::clone(&self.inner.fetching).try_lock_owned() {
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                inner.fetch().await;
                drop(turn);
            });
        }
    }

    /// Waits for whoever fetches, and returns what came of it.
    async fn fetched(&self) -> Result<AccessToken, IdentityError> {
        let _turn = self.inner.fetching.lock().await;
        let held = self.inner.held();
        let failed = || held.failure.clone().unwrap_or_else(|| cause("it had ended"));
        held.lasting(UNUSED).ok_or_else(|| IdentityError {
            audience: self.inner.scope,
            cause: failed(),
        })
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, HeldToken> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) {
        let scopes = [self.scope];
        let outcome = match timeout(DEADLINE, self.credential.get_token(&scopes, None)).await {
            Err(_) => Err(cause(format!("no answer in {DEADLINE:?}"))),
            Ok(outcome) => outcome.map_err(cause),
        };
        let mut held = self.held();
        match outcome {
            Ok(token) => {
                if held.failure.take().is_some() {
                    tracing::info!(scope = self.scope, "token_renewed_again");
                }
                held.token = Some(token);
            }
            Err(why) => {
                // Once for a time of trouble: the tries go on every few seconds.
                if held.failure.is_none() {
                    tracing::warn!(scope = self.scope, error = %chain(&why), "token_not_renewed");
                }
                held.failure = Some(why);
            }
        }
        let pause = held.lasting(UNUSED).map_or(SHORT_PAUSE, |_| PAUSE);
        held.paused_until = Some(Instant::now() + pause);
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.inner.scope)
    }
}

/// For the client of Cosmos DB, which asks at each call.
#[async_trait]
impl TokenCredential for TokenSource {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self.token().await;
        token.map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use azure_core::credentials::Secret;
    use tokio::time::{advance, sleep};

    use super::*;

    /// Gives these lives one after the other, the last one again and again; none is a failure.
    #[derive(Debug)]
    struct ScriptedCredential {
        lives_s: Vec<Option<i64>>,
        asked: AtomicUsize,
        delay: Duration,
    }

    #[async_trait]
    impl TokenCredential for ScriptedCredential {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            sleep(self.delay).await;
            let turn = self.asked.fetch_add(1, SeqCst);
            let life = self.lives_s.get(turn).or(self.lives_s.last()).copied().flatten();
            let life =
                life.ok_or_else(|| azure_core::Error::with_message(ErrorKind::Credential, "it is away"))?;
            let ends = OffsetDateTime::now_utc() + time::Duration::seconds(life);
            Ok(AccessToken::new(Secret::new(format!("token {turn}")), ends))
        }
    }

    fn scripted(lives_s: &[Option<i64>]) -> (Arc<ScriptedCredential>, TokenSource) {
        slow(lives_s, Duration::from_millis(1))
    }

    fn slow(lives_s: &[Option<i64>], delay: Duration) -> (Arc<ScriptedCredential>, TokenSource) {
        let credential = Arc::new(ScriptedCredential {
            lives_s: lives_s.to_vec(),
            asked: AtomicUsize::new(0),
            delay,
        });
        let source = TokenSource::new(Arc::clone(&credential) as Arc<dyn TokenCredential>, "scope");
        (credential, source)
    }

    async fn secret(source: &TokenSource) -> Result<String, String> {
        let token = source.token().await;
        token
            .map(|token| token.token.secret().to_owned())
            .map_err(|error| chain(&error).to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_lived_token_is_fetched_once_for_all_who_ask() {
        let (credential, source) = scripted(&[Some(3_600)]);
        let (first, second) = tokio::join!(secret(&source), secret(&source));
        assert_eq!(first.unwrap(), "token 0");
        assert_eq!(second.unwrap(), "token 0");
        advance(PAUSE * 2).await;
        assert_eq!(secret(&source).await.unwrap(), "token 0");
        assert_eq!(credential.asked.load(SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_near_its_end_is_used_while_renewal_fails() {
        let (credential, source) = scripted(&[Some(200), None]);
        assert_eq!(secret(&source).await.unwrap(), "token 0");
        for tries in [1, 2, 3] {
            // Within the pause nobody asks, however many calls there are.
            assert_eq!(secret(&source).await.unwrap(), "token 0");
            assert_eq!(credential.asked.load(SeqCst), tries);
            advance(PAUSE).await;
            assert_eq!(secret(&source).await.unwrap(), "token 0");
            sleep(DEADLINE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_about_to_end_is_not_used_any_more() {
        let (credential, source) = scripted(&[Some(59), None, Some(3_600)]);
        assert!(secret(&source).await.unwrap_err().contains("it had ended"));
        advance(SHORT_PAUSE).await;
        assert!(secret(&source).await.unwrap_err().contains("it is away"));
        advance(SHORT_PAUSE).await;
        assert_eq!(secret(&source).await.unwrap(), "token 2");
        assert_eq!(credential.asked.load(SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_does_not_answer_is_given_up_in_time() {
        let (_, source) = slow(&[Some(3_600)], DEADLINE * 10);
        let began = Instant::now();
        let error = secret(&source).await.unwrap_err();
        assert!(error.contains("no answer in 3s"), "{error}");
        assert_eq!(began.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_renewal_keeps_nobody_waiting() {
        let (_, source) = slow(&[Some(200)], Duration::from_secs(2));
        assert_eq!(secret(&source).await.unwrap(), "token 0");
        advance(PAUSE).await;
        let began = Instant::now();
        assert_eq!(secret(&source).await.unwrap(), "token 0");
        assert_eq!(began.elapsed(), Duration::ZERO);
        sleep(DEADLINE).await;
        assert_eq!(secret(&source).await.unwrap(), "token 1");
    }
}
