//! Signing in with a browser: the start, and the completion with the callback.

use std::sync::Arc;

use logto_core::{
    LogtoConfig, Session, SignIn, UnixTime,
    error::{CallbackError, OAuthErrorCode},
    metadata::ProviderMetadata,
    refresh::Ending,
    sign_in::{
        Callback, CompleteSignIn, PendingSignIn, ProviderKeys, Remedy, Retries,
        SIGN_IN_RANDOM_BYTES, SignedIn,
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::LogtoClient;
use crate::{
    entropy::random,
    error::Error,
    provider::Interrupted,
    refresh::LoadedSession,
    runtime::BoxedFuture,
    session::WritableSession,
    storage::{Handle, Stored},
};

/// A completed sign-in: the stored session, and where the user wanted to go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompletedSignIn {
    /// The new session. Its handle is new; send it to the browser.
    pub session: WritableSession,
    /// Where the user wanted to go: a path on the application's own origin.
    pub return_to: String,
    /// The value of [`SignIn::app_state`].
    pub app_state: Option<Value>,
}

/// A sign-in that was not completed: the error, and how to continue.
///
/// It converts into its [`Error`] for callers that only report it.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
#[must_use]
pub struct IncompleteSignIn {
    /// The error.
    #[source]
    pub error: Error,
    /// What to do next. [`LogtoWeb`](crate::web::LogtoWeb) does it on its own.
    pub next: NextStep,
}

/// What to do about a sign-in that was not completed.
#[derive(Debug)]
#[non_exhaustive]
pub enum NextStep {
    /// The code is not spent. Keep the pending sign-in: the same callback completes it while the code is valid,
    /// which is a minute at Logto. Show the error; a reload tries again.
    SameCallback(Box<PendingSignIn>),
    /// The code may be spent. Forget the pending sign-in, start this one, and send the browser there. It
    /// requests the same as the first one, and because of the session at Logto, the user usually does not
    /// notice it. It happens once: a sign-in that is interrupted twice ends in [`None`](Self::None).
    StartAgain(Box<SignIn>),
    /// The user cancelled, or a rule at Logto denied access (`access_denied`). Forget the pending sign-in.
    Cancelled {
        /// Where the user wanted to go: a path on the application's own origin.
        return_to: String,
    },
    /// Forget the pending sign-in and show the error.
    None,
}

impl LogtoClient {
    /// Starts a sign-in. Returns the URL to send the browser to, and the pending sign-in, to be kept sealed and
    /// bound to this browser until the callback. A session that the browser has remains valid.
    ///
    /// # Errors
    /// If the provider's metadata cannot be fetched, or the parameters contradict each other.
    pub async fn sign_in(&self, sign_in: &SignIn) -> Result<(Url, PendingSignIn), Error> {
        let provider = &self.inner.provider;
        let (random, now) = (random(&*provider.context.entropy)?, provider.now());
        self.start_sign_in(&provider.config, sign_in, &random, now)
            .await
    }

    /// Starts a sign-in with the random bytes of the web layer, and the configuration for the host of the
    /// request.
    pub(crate) async fn start_sign_in(
        &self,
        config: &LogtoConfig,
        sign_in: &SignIn,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        at: UnixTime,
    ) -> Result<(Url, PendingSignIn), Error> {
        let metadata = self.metadata().await?;
        Ok(sign_in.start(config, &metadata, random, at)?)
    }

    /// As [`sign_in`](Self::sign_in), but sends the parameters to the provider directly ([RFC
    /// 9126](https://www.rfc-editor.org/rfc/rfc9126)), and the URL only refers to them. The browser has to
    /// follow it within a minute.
    ///
    /// # Errors
    /// As [`sign_in`](Self::sign_in), and if the provider refuses the parameters.
    pub async fn sign_in_pushed(&self, sign_in: &SignIn) -> Result<(Url, PendingSignIn), Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let random = random(&*provider.context.entropy)?;
        let (push, pending) =
            sign_in.start_pushed(&provider.config, &metadata, &random, provider.now())?;
        let pushed = provider.exchange(push).await?;
        Ok((pushed.url, pending))
    }

    /// The pending sign-in of a start of the web layer. The same input gives the same result.
    pub(crate) async fn restore_sign_in(
        &self,
        config: &LogtoConfig,
        sign_in: &SignIn,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        at: UnixTime,
    ) -> Result<PendingSignIn, Error> {
        let (metadata, _) = self.prepare_redemption().await?;
        let (_, pending) = sign_in.start(config, &metadata, random, at)?;
        Ok(pending)
    }

    /// Completes a sign-in: checks the callback, redeems its code, verifies the ID token and stores the
    /// new session under a new handle.
    ///
    /// `pending` is what [`sign_in`](Self::sign_in) returned for this browser. Forget it, unless the result is
    /// [`NextStep::SameCallback`]. `previous` are the sessions that the browser had, usually one. They are
    /// removed once the new session is stored.
    ///
    /// Requests that certainly spent no code are retried for up to four seconds: for metadata or keys, after a
    /// failed connection, after a 429. Once the code is redeemed, the sign-in completes even if the caller
    /// stops waiting, and a repeated callback joins it. A code that may be spent is never sent again, because
    /// that would end the grant.
    ///
    /// # Errors
    /// If the callback is refused, the server responds with an error, or a request or the storage fails; with
    /// the [`NextStep`]. There is no new session then, and `previous` is unchanged.
    pub async fn complete_sign_in<'h>(
        &self,
        pending: Option<PendingSignIn>,
        callback: Callback,
        previous: impl IntoIterator<Item = &'h Handle>,
    ) -> Result<CompletedSignIn, IncompleteSignIn> {
        let previous: Vec<Handle> = previous.into_iter().cloned().collect();
        let pending = pending.ok_or_else(|| IncompleteSignIn {
            error: CallbackError::NoPendingSignIn.into(),
            next: NextStep::None,
        })?;
        // Before the code is spent, so that a failure costs nothing but a reload.
        let (metadata, keys) = match self.prepare_redemption().await {
            Ok(prepared) => prepared,
            Err(error) => {
                let next = NextStep::SameCallback(Box::new(pending));
                return Err(IncompleteSignIn { error, next });
            }
        };
        let provider = &self.inner.provider;
        let resumed = pending
            .clone()
            .resume(callback, &provider.config, &metadata, provider.now());
        let resumed = resumed.map_err(|error| IncompleteSignIn::refused(error, &pending))?;
        let machine = CompleteSignIn::new(&provider.config, &metadata, resumed, keys);
        let redeemed = self.redeem(pending.state().expose(), machine, previous);
        let redeemed = redeemed.await;
        redeemed.map_err(|interrupted| IncompleteSignIn::new(interrupted, pending))
    }

    /// Fetches metadata and keys, with retries: the browser's code is valid for a minute.
    async fn prepare_redemption(&self) -> Result<(Arc<ProviderMetadata>, ProviderKeys), Error> {
        let provider = &self.inner.provider;
        let mut retries = Retries::before_redemption();
        loop {
            let prepared =
                async { Ok((provider.metadata().await?, provider.machine_keys().await?)) };
            let error: Error = match prepared.await {
                Ok(prepared) => return Ok(prepared),
                Err(error) => error,
            };
            // Any failure is retried: the sign-in was started, so the provider responded a moment ago.
            match retries.after_failure(error.retry_after(), provider.now()) {
                Some(pause) => provider.context.runtime.sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Redeems the code of the callback with this `state`, once in this process.
    ///
    /// The same callback twice at the same time, for example after a double click, shares one sign-in; later it
    /// is refused. The sign-in completes even if the browser disconnects.
    async fn redeem(
        &self,
        state: &str,
        machine: CompleteSignIn,
        previous: Vec<Handle>,
    ) -> Result<CompletedSignIn, Interrupted> {
        let state: [u8; 32] = Sha256::digest(state).into();
        let (client, shared) = (self.clone(), &self.inner.shared);
        let provider = &self.inner.provider;
        let redeemed = shared.sign_ins.join(&*provider.context.runtime, state, || {
            let now = provider.now();
            let until = now.plus(PendingSignIn::LIFETIME);
            let is_first = shared.redeemed.insert(state, (), until, now);
            async move {
                if !is_first {
                    return Err(Interrupted {
                        error: CallbackError::NoPendingSignIn.into(),
                        remedy: Remedy::NewSignIn,
                    });
                }
                let completed = client.finish(machine, &previous).await;
                let remedy = completed.as_ref().err().map(|failed| failed.remedy);
                if remedy == Some(Remedy::SameCallback) {
                    client.inner.shared.redeemed.remove(&state);
                }
                completed
            }
            .boxed_future()
        });
        redeemed.await
    }

    /// Completes a sign-in, stores the session, and removes those that it replaces.
    pub(super) async fn finish(
        &self,
        machine: CompleteSignIn,
        previous: &[Handle],
    ) -> Result<CompletedSignIn, Interrupted> {
        let provider = &self.inner.provider;
        let SignedIn {
            session,
            return_to,
            app_state,
            keys,
            ..
        } = provider.complete(machine).await?;
        provider.put_keys(keys);
        let session = self.admit(session).await.map_err(|error| Interrupted {
            error,
            remedy: Remedy::NewSignIn,
        })?;
        for previous in previous {
            self.retire(previous).await;
        }
        Ok(CompletedSignIn {
            session,
            return_to: return_to.as_str().to_owned(),
            app_state,
        })
    }

    /// Stores a new session.
    async fn admit(&self, session: Session) -> Result<WritableSession, Error> {
        let now = self.inner.provider.now();
        let (handle, version) = self.inner.storage.create(&session, now).await?;
        let session = Arc::new(session);
        let loaded = LoadedSession::new(handle, Stored { session, version });
        Ok(self.writable(None, loaded))
    }

    /// Removes the session that a new sign-in has replaced.
    async fn retire(&self, previous: &Handle) {
        let now = self.inner.provider.now();
        let Ok(Some(stored)) = self.inner.storage.load(previous, now).await else {
            return;
        };
        let loaded = LoadedSession::new(previous.clone(), stored);
        // The new session is stored. An old one that cannot be removed ends by its age.
        let _ = self.inner.refresher.end(loaded, Ending::Replacement).await;
    }
}

impl IncompleteSignIn {
    fn new(Interrupted { error, remedy }: Interrupted, pending: PendingSignIn) -> Self {
        let next = match remedy {
            Remedy::SameCallback => NextStep::SameCallback(Box::new(pending)),
            Remedy::NewSignIn => pending.again().map_or(NextStep::None, |again| {
                NextStep::StartAgain(Box::new(again))
            }),
            _ => NextStep::None,
        };
        Self { error, next }
    }

    fn refused(error: CallbackError, pending: &PendingSignIn) -> Self {
        let next = match &error {
            CallbackError::Server(server) if server.error == OAuthErrorCode::AccessDenied => {
                let return_to = pending.return_to().as_str().to_owned();
                NextStep::Cancelled { return_to }
            }
            _ => NextStep::None,
        };
        Self {
            error: error.into(),
            next,
        }
    }
}

impl From<IncompleteSignIn> for Error {
    fn from(incomplete: IncompleteSignIn) -> Self {
        incomplete.error
    }
}
