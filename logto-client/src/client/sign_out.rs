//! Signing out by handle: for a browser that may present several, and even while the storage does not respond.

use futures_util::future::join_all;
use logto_core::{LogtoConfig, refresh::Ending, sign_out::SignOut};
use url::Url;

use super::LogtoClient;
use crate::{error::Error, refresh::LoadedSession, storage::Handle};

/// The result of [`LogtoClient::sign_out`].
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use]
pub struct SignedOut {
    /// The URL that ends the user's session at Logto. `None` if the provider's metadata could never be fetched,
    /// or has no such endpoint.
    pub url: Option<Url>,
    /// `Err` if the storage has not removed every session. None of them opens in this process any more, and the
    /// removal is tried again for twenty minutes. Until that succeeds, another process that shares the storage
    /// opens the session for any copy of the cookie.
    pub removed: Result<(), Error>,
}

impl LogtoClient {
    /// Signs out of all sessions of these handles, revokes their refresh tokens in the background, and returns
    /// the URL that ends the user's session at Logto.
    ///
    /// The user is signed out even if something fails: delete the browser's cookies and redirect it, whatever
    /// the result.
    pub async fn sign_out(&self, handles: &[Handle], sign_out: &SignOut) -> SignedOut {
        self.sign_out_at(self.config(), handles, sign_out).await
    }

    /// As [`sign_out`](Self::sign_out), with the configuration for the host of a request.
    pub(crate) async fn sign_out_at(
        &self,
        config: &LogtoConfig,
        handles: &[Handle],
        sign_out: &SignOut,
    ) -> SignedOut {
        let removed = self.end(handles, Ending::SignOut).await;
        let url = self.inner.provider.sign_out_url(config, sign_out).await;
        let url = url.ok().flatten();
        SignedOut { url, removed }
    }

    /// Signs out of all sessions of these handles, in this application only; see
    /// [`WritableSession::sign_out_locally`](crate::WritableSession::sign_out_locally).
    ///
    /// # Errors
    /// As [`SignedOut::removed`]. Delete the browser's cookies in that case too.
    pub async fn sign_out_locally(&self, handles: &[Handle]) -> Result<(), Error> {
        self.end(handles, Ending::LocalSignOut).await
    }

    async fn end(&self, handles: &[Handle], ending: Ending) -> Result<(), Error> {
        let endings = handles.iter().map(|handle| self.end_one(handle, ending));
        join_all(endings).await.into_iter().collect()
    }

    async fn end_one(&self, handle: &Handle, ending: Ending) -> Result<(), Error> {
        let refresher = &self.inner.refresher;
        let now = self.inner.provider.now();
        match self.inner.storage.load(handle, now).await {
            Ok(None) => Ok(()),
            Ok(Some(stored)) => {
                let loaded = LoadedSession::new(handle.clone(), stored);
                refresher.sign_out(loaded, ending).await
            }
            Err(error) => {
                refresher.end_unread(handle, &error);
                Err(error.into())
            }
        }
    }
}
