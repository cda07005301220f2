//! To Logto and back.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts};
use logto_core::{SignIn, error::CallbackError, sign_in::Callback};

use super::{
    pending::{PendingCookies, PendingError},
    respond,
    routes::{LogtoWeb, append, handles},
};
use crate::{
    client::CompletedSignIn,
    error::{Error, RequestError},
    seal::SealError,
    storage::StorageError,
};

/// What became of a callback.
#[derive(Debug)]
#[must_use]
pub struct CallbackAnswer {
    /// The completed sign-in, or why there is none.
    pub outcome: Result<CompletedSignIn, Error>,
    /// What the response has to carry, either way: it makes the browser forget the pending sign-in,
    /// and know the new session.
    pub headers: HeaderMap,
}

impl LogtoWeb {
    /// Starts a sign-in: a redirect to Logto, with a cookie for the way back.
    ///
    /// # Errors
    /// As [`LogtoClient::sign_in`]; [`Error::Storage`] when the pending sign-in does not fit into a
    /// cookie, because `app_state` is too large.
    pub async fn sign_in(
        &self,
        headers: &HeaderMap,
        sign_in: &SignIn,
    ) -> Result<Response<Bytes>, Error> {
        let (url, pending) = self.client.sign_in(sign_in).await?;
        let set_cookies = self.pending().keep(
            &self.cookies.read(headers),
            &pending,
            &**self.client.entropy(),
        )?;
        let mut response = respond::see_other(url.as_str());
        append(response.headers_mut(), set_cookies);
        Ok(response)
    }

    /// Completes a sign-in, from the query of a GET or the form of a POST; other methods are answered with
    /// 405.
    ///
    /// The redirect URI is the configured one; the `Host` header is not asked.
    pub async fn callback(&self, parts: &Parts, body: &Bytes) -> CallbackAnswer {
        let mut headers = HeaderMap::new();
        respond::keep_private(&mut headers);
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        let outcome = self.complete(parts, body, &mut headers).await;
        if let Err(error) = &outcome {
            self.tell_failed(error);
        }
        CallbackAnswer { outcome, headers }
    }

    async fn complete(
        &self,
        parts: &Parts,
        body: &Bytes,
        answer: &mut HeaderMap,
    ) -> Result<CompletedSignIn, Error> {
        // A HEAD or OPTIONS that redeemed the code would burn the sign-in for the GET that follows it.
        let callback = match parts.method {
            Method::GET => Callback::from_query(parts.uri.query().unwrap_or_default()),
            Method::POST => Callback::from_form(body),
            _ => {
                answer.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
                return Err(RequestError::MethodNotAllowed.into());
            }
        }?;
        let now = self.client.clock().now();
        let request_cookies = self.cookies.read(&parts.headers);
        let (pending, forget) = self.pending().take(&request_cookies, &callback, now);
        append(answer, forget);
        let completed = self
            .client
            .complete_sign_in(pending, callback, &handles(&request_cookies))
            .await?;
        append(
            answer,
            self.write(&request_cookies, &completed.session.handle())?,
        );
        Ok(completed)
    }

    fn pending(&self) -> PendingCookies<'_> {
        PendingCookies {
            codec: &self.cookies,
            keys: &self.keys,
            config: self.client.config(),
        }
    }
}

impl CallbackAnswer {
    /// The whole response: a redirect to where the user wanted to go, or the error.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = match &self.outcome {
            Ok(completed) => respond::see_other(&completed.return_to),
            Err(error) => respond::refusal(error),
        };
        response.headers_mut().remove(header::VARY);
        response.headers_mut().extend(self.headers);
        response
    }

    /// Whether a silent sign-in found that the user would have to do something: not an error, and no
    /// reason to end a session.
    pub fn needs_interaction(&self) -> bool {
        use logto_core::error::OAuthErrorCode as Code;
        let Err(Error::Protocol(logto_core::Error::Callback(CallbackError::Server(error)))) =
            &self.outcome
        else {
            return false;
        };
        matches!(
            error.error,
            Code::LoginRequired
                | Code::ConsentRequired
                | Code::InteractionRequired
                | Code::AccountSelectionRequired
        )
    }
}

impl From<PendingError> for Error {
    fn from(error: PendingError) -> Self {
        match error {
            PendingError::Seal(SealError::Entropy(error)) => error.into(),
            other => StorageError::Misconfigured(other.to_string()).into(),
        }
    }
}
