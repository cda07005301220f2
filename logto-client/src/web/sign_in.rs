//! The start of a sign-in: to Logto.

use base64_simd::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, request::Parts};
use logto_core::{LogtoConfig, SignIn, error::UsageError, sign_in::ReturnTo};
use url::Url;

use super::{
    browser::Browser,
    cookies::RequestCookies,
    initiator, respond,
    routes::{LogtoWeb, append},
    start::Start,
};
use crate::{
    entropy::random,
    error::Error,
    event::Event,
    seal::{Purpose, SealContext, SealError},
};

/// The longest URL of a redirect to Logto. Servers refuse request lines beyond 8 KiB.
const MAX_URL_LENGTH: usize = 8_000;

impl LogtoWeb {
    /// Starts a sign-in: a redirect to Logto, with a cookie for the callback.
    ///
    /// Logto sends the browser back to the [host](logto_core::LogtoConfig::for_host) that this request was sent
    /// to. The sign-in is sealed into the `state` of the URL. If the response would exceed
    /// [`response_limit`](super::cookies::CookieOptions::response_limit), the query of `return_to` is left out,
    /// and if that is not enough, all of it.
    ///
    /// # Errors
    /// As [`LogtoClient::sign_in`](crate::LogtoClient::sign_in). [`UsageError::InvalidParameter`]
    /// when `app_state` is too large for a URL.
    /// [`RequestError::NotANavigation`](crate::error::RequestError::NotANavigation) for a prefetch, for a frame of
    /// another site (unless the cookies are made for frames) and for requests of a script: no user could complete
    /// a sign-in there.
    pub async fn sign_in(&self, parts: &Parts, sign_in: &SignIn) -> Result<Response<Bytes>, Error> {
        let request_cookies = self.cookies.read(&parts.headers);
        self.sign_in_with(parts, &request_cookies, sign_in).await
    }

    pub(super) async fn sign_in_with(
        &self,
        parts: &Parts,
        request_cookies: &RequestCookies,
        sign_in: &SignIn,
    ) -> Result<Response<Bytes>, Error> {
        initiator::check_start(&parts.headers, self.cookies.allows_frames())?;
        let config = self.config_for(&parts.uri, &parts.headers);
        let browser = match self.browsers(request_cookies).into_iter().next() {
            Some(browser) => browser,
            None => match request_cookies.candidates().first() {
                Some(session) => Browser::of_session(session),
                None => Browser::new(&**self.client.entropy())?,
            },
        };
        let is_over = self.session_is_over(request_cookies).await;
        let clear = |taken| is_over.then(|| self.cookies.clear(request_cookies, taken));
        // These cookies are deleted even if the response becomes too long.
        let mut deletions = HeaderMap::new();
        append(&mut deletions, clear(usize::MAX).into_iter().flatten());
        let taken = respond::headers_len(&deletions);
        let (url, set_cookie) = self.start(&config, &browser, sign_in, taken).await?;
        let mut response = respond::see_other(url.as_str());
        let headers = response.headers_mut();
        append(headers, [set_cookie]);
        let deletions = clear(respond::headers_len(headers));
        append(headers, deletions.into_iter().flatten());
        Ok(response)
    }

    /// Deletes the cookies of a session that has ended elsewhere, in the response to a failed request: the
    /// browser may never request a page that opens the session.
    pub(super) async fn delete_ended_session(
        &self,
        request_cookies: &RequestCookies,
        response: &mut HeaderMap,
    ) {
        if !self.cookies.sets_session(response) && self.session_is_over(request_cookies).await {
            let taken = respond::headers_len(response);
            append(response, self.cookies.clear(request_cookies, taken));
        }
    }

    /// Whether the cookies hold a session that has ended elsewhere. If the sign-in is given up, the browser
    /// must not keep a cookie that a restarted process accepts as a session. A store on the server has removed
    /// it.
    async fn session_is_over(&self, request_cookies: &RequestCookies) -> bool {
        let handles = self.handles(request_cookies);
        if handles.is_empty() || self.client.storage().is_authoritative() {
            return false;
        }
        let newest = self.client.newest_read_only_session(handles).await;
        matches!(newest, Ok(None)) && self.session_end_of(request_cookies).is_some()
    }

    /// The URL of a start and the cookie of the browser, in a response whose other headers take `taken` bytes.
    pub(super) async fn start(
        &self,
        config: &LogtoConfig,
        browser: &Browser,
        sign_in: &SignIn,
        taken: usize,
    ) -> Result<(Url, HeaderValue), Error> {
        let mut start = Start {
            browser: browser.id(),
            seed: random(&**self.client.entropy())?,
            at: self.client.clock().now(),
            is_current: true,
            sign_in: sign_in.clone(),
        };
        let set_cookie = self.browser_cookie(browser)?;
        let destination = sign_in.destination(config);
        let destination = match config.base_url().map(ReturnTo::base) {
            Some(base) if base == destination => "",
            _ => destination.as_str(),
        };
        let path = destination.split('?').next().unwrap_or_default();
        let limit = self.cookies.response_limit();
        let mut size = 0;
        for return_to in [destination, path, ""] {
            start.sign_in = sign_in.clone().return_to(return_to);
            let state = self.seal_start(config, &start)?;
            // This `SignIn` has the one-time token, which is not kept.
            let sign_in = start.sign_in.clone().state(state);
            let (url, _) = self
                .client
                .start_sign_in(config, &sign_in, &start.random(), start.at)
                .await?;
            size = respond::see_other_len(url.as_str(), &set_cookie).saturating_add(taken);
            if size <= limit {
                return Ok((url, set_cookie));
            }
            if return_to.is_empty() && url.as_str().len() <= MAX_URL_LENGTH {
                self.client
                    .observer()
                    .on_event(&Event::ResponseTooLarge { size, limit });
                return Ok((url, set_cookie));
            }
        }
        Err(UsageError::InvalidParameter(format!(
            "the sign-in takes {size} bytes in a URL; keep less in app_state"
        ))
        .into())
    }

    /// The browsers in the cookies: one, unless a parent domain sets another.
    pub(super) fn browsers(&self, request_cookies: &RequestCookies) -> Vec<Browser> {
        let name = self.cookies.browser_name();
        let open = |value: &&str| {
            let sealed = URL_SAFE_NO_PAD.decode_to_vec(value).ok()?;
            Browser::from_bytes(&self.keys.open(&self.context(&name), &sealed)?)
        };
        request_cookies.browsers().iter().filter_map(open).collect()
    }

    pub(super) fn browser_cookie(&self, browser: &Browser) -> Result<HeaderValue, Error> {
        let name = self.cookies.browser_name();
        let value = self.seal(&name, &browser.to_bytes())?;
        Ok(self.cookies.set_browser(&value)?)
    }

    fn seal_start(&self, config: &LogtoConfig, start: &Start) -> Result<String, Error> {
        let bytes = start.encode(config);
        let bytes = bytes.map_err(|error| UsageError::InvalidParameter(error.to_string()))?;
        Ok(self.seal(self.cookies.name(), &bytes)?)
    }

    pub(super) fn open_start(&self, config: &LogtoConfig, state: &str) -> Option<Start> {
        let sealed = URL_SAFE_NO_PAD.decode_to_vec(state).ok()?;
        let bytes = self
            .keys
            .open(&self.context(self.cookies.name()), &sealed)?;
        Start::decode(&bytes, config)
    }

    fn seal(&self, name: &str, bytes: &[u8]) -> Result<String, SealError> {
        let entropy = &**self.client.entropy();
        let sealed = self.keys.seal(&self.context(name), bytes, entropy)?;
        Ok(URL_SAFE_NO_PAD.encode_to_string(sealed))
    }

    fn context<'a>(&'a self, name: &'a str) -> SealContext<'a> {
        let config = self.client.config();
        SealContext {
            purpose: Purpose::PendingSignIn,
            name,
            issuer: config.issuer(),
            app_id: config.app_id(),
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Entropy(error) => error.into(),
            SealError::TooLong => UsageError::InvalidParameter(error.to_string()).into(),
        }
    }
}
