//! Signing out.

use bytes::Bytes;
use http::{HeaderMap, Response, Uri, header, request::Parts};
use logto_core::{LogtoConfig, sign_out::SignOut};
use url::Url;

use super::{
    cookies::RequestCookies,
    initiator, respond,
    routes::{LogtoWeb, append},
};
use crate::error::Error;

/// The result of a sign-out.
#[derive(Debug)]
#[must_use]
pub struct SignOutAnswer {
    /// [`Error::Request`] if the request was refused and nothing was done. [`Error::Storage`] if the browser is
    /// signed out, but the storage may still hold a session: see
    /// [`SignedOut::removed`](crate::SignedOut::removed).
    pub outcome: Result<(), Error>,
    /// The target of the redirect: the URL that ends the user's session at Logto, or the base URL.
    pub location: String,
    /// The cookies of the response, which delete the browser's sessions.
    pub headers: HeaderMap,
}

impl LogtoWeb {
    /// Refuses a request that something other than the application's own pages or its user may have caused.
    /// Call it first in every route of the application that changes something and relies on the session cookie
    /// alone.
    ///
    /// `Sec-Fetch-Site` must be `same-origin` or `none`. Without that header, `Origin` must be the origin of
    /// the base URL, with the [host](logto_core::LogtoConfig::for_host) that the request was sent to. With neither,
    /// or with `Origin: null`, the request is refused: no current browser sends such a POST, and a GET of this kind
    /// does not reveal who caused it.
    ///
    /// # Errors
    /// [`RequestError::CrossSite`](crate::error::RequestError::CrossSite), for which the response is
    /// 403.
    pub fn check_own_request(&self, parts: &Parts) -> Result<(), Error> {
        let (uri, headers) = (&parts.uri, &parts.headers);
        initiator::check_own(headers, || self.own_origin(uri, headers))
    }

    /// The origin of the application, at the host that the request was sent to.
    pub(super) fn own_origin(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let config = self.config_for(uri, headers);
        let base_url = config.base_url()?;
        Some(base_url.origin().ascii_serialization())
    }

    /// Signs out. All sessions that the browser presents end here first, and their refresh tokens are revoked
    /// in the background. The response redirects the browser to Logto, which ends its own session and redirects
    /// back.
    ///
    /// The browser is signed out even if the storage fails. A request that another site may have caused is
    /// refused; see [`check_own_request`](Self::check_own_request).
    pub async fn sign_out(&self, parts: &Parts, sign_out: &SignOut) -> SignOutAnswer {
        let request_cookies = self.cookies.read(&parts.headers);
        self.sign_out_with(parts, &request_cookies, sign_out).await
    }

    pub(super) async fn sign_out_with(
        &self,
        parts: &Parts,
        request_cookies: &RequestCookies,
        sign_out: &SignOut,
    ) -> SignOutAnswer {
        if let Err(refused) = self.check_own_request(parts) {
            return self.refuse_sign_out(refused);
        }
        let config = self.config_for(&parts.uri, &parts.headers);
        let handles = self.handles(request_cookies);
        let signed_out = self.client.sign_out_at(&config, handles, sign_out).await;
        let location = signed_out.url.map_or_else(|| home(&config), String::from);
        self.forget_sessions(request_cookies, location, signed_out.removed)
    }

    /// Signs out of this application only: the user's session at Logto continues, so the next sign-in shows
    /// no form. The browser is redirected to the base URL. Otherwise the same as
    /// [`sign_out`](Self::sign_out).
    pub async fn sign_out_locally(&self, parts: &Parts) -> SignOutAnswer {
        let request_cookies = self.cookies.read(&parts.headers);
        self.sign_out_locally_with(parts, &request_cookies).await
    }

    pub(super) async fn sign_out_locally_with(
        &self,
        parts: &Parts,
        request_cookies: &RequestCookies,
    ) -> SignOutAnswer {
        if let Err(refused) = self.check_own_request(parts) {
            return self.refuse_sign_out(refused);
        }
        let config = self.config_for(&parts.uri, &parts.headers);
        let handles = self.handles(request_cookies);
        let removed = self.client.sign_out_locally(handles).await;
        self.forget_sessions(request_cookies, home(&config), removed)
    }

    fn refuse_sign_out(&self, error: Error) -> SignOutAnswer {
        self.tell_failed(&error);
        SignOutAnswer {
            outcome: Err(error),
            location: String::new(),
            headers: HeaderMap::new(),
        }
    }

    fn forget_sessions(
        &self,
        request_cookies: &RequestCookies,
        location: String,
        outcome: Result<(), Error>,
    ) -> SignOutAnswer {
        let mut headers = HeaderMap::new();
        append(&mut headers, self.cookies.clear_browser(request_cookies));
        let redirect = respond::see_other(&location);
        let taken = respond::headers_len(redirect.headers()) + respond::headers_len(&headers);
        append(&mut headers, self.cookies.clear(request_cookies, taken));
        SignOutAnswer {
            outcome,
            location,
            headers,
        }
    }
}

fn home(config: &LogtoConfig) -> String {
    config.base_url().map_or("/", Url::as_str).to_owned()
}

impl SignOutAnswer {
    /// The whole response: a redirect, or 403. If the storage may still hold a session, the redirect has the
    /// body of [`LogtoWeb::error_response`]: browsers do not show it, scripts can read it.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = match self.outcome {
            Ok(()) => respond::see_other(&self.location),
            Err(error @ Error::Request(_)) => respond::refusal(&error),
            Err(error) => {
                let (told, body) = respond::refusal(&error).into_parts();
                let mut response = respond::see_other(&self.location).map(|_| body);
                if let Some(content_type) = told.headers.get(header::CONTENT_TYPE) {
                    let headers = response.headers_mut();
                    headers.insert(header::CONTENT_TYPE, content_type.clone());
                }
                response
            }
        };
        response.headers_mut().extend(self.headers);
        response
    }
}
