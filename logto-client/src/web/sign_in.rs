//! The routes of a sign-in: the start, and the callback.

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts};
use logto_core::{
    LogtoConfig, SignIn,
    error::{CallbackError, UsageError},
    sign_in::{Callback, PendingSignIn, ReturnTo},
};
use url::Url;

use super::{
    browser::{Browser, End},
    cookies::RequestCookies,
    initiator, respond,
    routes::{LogtoWeb, append},
    start::Start,
};
use crate::{
    client::{CompletedSignIn, IncompleteSignIn, NextStep},
    entropy::random,
    error::{Error, RequestError, SignInRefused},
    event::Event,
    runtime::{MaybeSend, MaybeSync},
    seal::{Purpose, SealContext, SealError},
};

/// The longest URL of a redirect to Logto. Servers refuse request lines beyond 8 KiB.
const MAX_URL_LENGTH: usize = 8_000;

/// The result of a callback.
#[derive(Debug)]
#[must_use]
pub struct CallbackAnswer {
    /// How the sign-in ended, or why it failed.
    pub outcome: Result<CallbackOutcome, Error>,
    /// The cookies of the response, also in case of an error. They contain the new session, and record that
    /// this callback was completed.
    pub headers: HeaderMap,
}

/// How a callback ended without an error.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is there"
)]
#[non_exhaustive]
pub enum CallbackOutcome {
    /// The user is signed in.
    SignedIn(CompletedSignIn),
    /// The same sign-in starts again at this URL of Logto, once, because it cannot be completed as it was
    /// started: its code may be spent although nobody is signed in, another tab took the browser's cookie at
    /// the same moment, or the configuration of the application has changed. It requests the same as the first
    /// sign-in, without the one-time token. Because of the session at Logto, the user usually does not notice
    /// it.
    StartsAgain(Url),
    /// This callback was completed before, and the user is signed in: the page was reloaded, or opened from the
    /// history.
    AlreadySignedIn {
        /// Where the user wanted to go: a path on the application's own origin.
        return_to: String,
    },
    /// The user cancelled, or a rule at Logto denied access (`access_denied`). A previous session remains
    /// valid. Show a page that explains it, with a link to continue.
    Cancelled {
        /// Where the user wanted to go: a path on the application's own origin. A page that needs a session
        /// sends the user to Logto again.
        return_to: String,
        /// Logto's error.
        error: Error,
    },
}

/// A hook that is called at every sign-in, before the browser receives the session: to create or update the
/// user in a database of the application, to keep small data of the application in the session, or to refuse
/// the user.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait SignInHook: MaybeSend + MaybeSync {
    /// Called when a user has signed in. It may fetch tokens with the session, [set its
    /// data](crate::WritableSession::set_data), and change [`return_to`](CompletedSignIn::return_to), for example to
    /// a welcome page. A user who clicks twice may call it twice for one session.
    ///
    /// # Errors
    /// Any error ends the new session at once. [`SignInRefused`] refuses the user and shows the reason;
    /// `into()` and `?` convert it. After any other error, for example while the storage is down, a reload
    /// starts the sign-in again.
    async fn on_sign_in(&self, completed: &mut CompletedSignIn) -> Result<(), Error>;
}

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
    /// when `app_state` is too large for a URL. [`RequestError::NotANavigation`] for a prefetch, for a frame
    /// of another site (unless the cookies are made for frames) and for requests of a script: no user could
    /// complete a sign-in there.
    pub async fn sign_in(&self, parts: &Parts, sign_in: &SignIn) -> Result<Response<Bytes>, Error> {
        initiator::check_start(&parts.headers, self.cookies.allows_frames())?;
        let config = self.config_for(&parts.uri, &parts.headers);
        let request_cookies = self.cookies.read(&parts.headers);
        let browser = match self.browsers(&request_cookies).into_iter().next() {
            Some(browser) => browser,
            None => match request_cookies.candidates().first() {
                Some(session) => Browser::of_session(session),
                None => Browser::new(&**self.client.entropy())?,
            },
        };
        let is_over = self.session_is_over(&request_cookies).await;
        let clear = |taken| is_over.then(|| self.cookies.clear(&request_cookies, taken));
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
    pub(super) async fn delete_ended_session(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let request_cookies = self.cookies.read(request);
        if !self.cookies.sets_session(response) && self.session_is_over(&request_cookies).await {
            let taken = respond::headers_len(response);
            append(response, self.cookies.clear(&request_cookies, taken));
        }
    }

    /// Whether the cookies hold a session that has ended elsewhere. If the sign-in is given up, the browser
    /// must not keep a cookie that a restarted process accepts as a session. A store on the server has removed
    /// it.
    async fn session_is_over(&self, request_cookies: &RequestCookies<'_>) -> bool {
        let handles = request_cookies.presented();
        if handles.is_empty() || self.client.storage().is_authoritative() {
            return false;
        }
        let newest = self.client.newest_read_only_session(&handles).await;
        let mut handles = handles.iter();
        matches!(newest, Ok(None)) && handles.any(|handle| self.client.end_of(handle).is_some())
    }

    /// The URL of a start and the cookie of the browser, in a response whose other headers take `taken` bytes.
    async fn start(
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

    /// Completes a sign-in, from the query of a GET or the form of a POST. The response to other methods is
    /// 405.
    ///
    /// The redirect URI is that of the [host](logto_core::LogtoConfig::for_host) that the request was sent to.
    /// A sign-in that was started at another host cannot be completed here: it starts again, or is refused with
    /// [`CallbackError::NoPendingSignIn`] in a browser that started none here.
    pub async fn callback(&self, parts: &Parts, body: &Bytes) -> CallbackAnswer {
        self.callback_with(parts, body, None).await
    }

    /// As [`callback`](Self::callback), with a hook that may refuse the user.
    pub(super) async fn callback_with(
        &self,
        parts: &Parts,
        body: &Bytes,
        hook: Option<&dyn SignInHook>,
    ) -> CallbackAnswer {
        let mut headers = HeaderMap::new();
        respond::keep_private(&mut headers);
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        let outcome = self.complete(parts, body, hook, &mut headers).await;
        if let Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) = &outcome {
            self.tell_failed(error);
            self.delete_ended_session(&parts.headers, &mut headers)
                .await;
        }
        CallbackAnswer { outcome, headers }
    }

    async fn complete(
        &self,
        parts: &Parts,
        body: &Bytes,
        hook: Option<&dyn SignInHook>,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let callback = read_callback(parts, body, answer)?;
        let config = self.config_for(&parts.uri, &parts.headers);
        let state = callback.state().unwrap_or_default().to_owned();
        let request_cookies = self.cookies.read(&parts.headers);
        let browsers = self.browsers(&request_cookies);
        let start = self
            .open_start(&config, &state)
            .ok_or(CallbackError::NoPendingSignIn)?;
        let own = browsers
            .iter()
            .find(|browser| browser.id().is(&start.browser));
        let Some(mut browser) = own.cloned() else {
            // Either another tab replaced the cookie at the same moment, or an attacker has sent their own
            // callback to this user. Starting again is safe for both: nobody is signed in as another user.
            // The application's state of the first start is dropped, because it may be an attacker's.
            return match browsers.first() {
                Some(browser) if !start.sign_in.has_app_state() => {
                    self.start_again(&config, browser, &start, answer).await
                }
                _ => Err(CallbackError::NoPendingSignIn.into()),
            };
        };
        if let Some(end) = browser.end_of(&state) {
            return match end {
                End::Refused => Err(CallbackError::NoPendingSignIn.into()),
                End::Cancelled => Ok(self.cancelled_before(&callback, &start)),
                End::SignedIn if self.read_only_session(&parts.headers).await?.is_some() => {
                    let return_to = self.destination(&start);
                    Ok(CallbackOutcome::AlreadySignedIn { return_to })
                }
                End::SignedIn | End::Interrupted => {
                    self.start_again(&config, &browser, &start, answer).await
                }
            };
        }
        if !start.is_current {
            return self.start_again(&config, &browser, &start, answer).await;
        }
        let sign_in = start.sign_in.clone().state(state.clone());
        let pending = self
            .client
            .restore_sign_in(&config, &sign_in, &start.random(), start.at)
            .await?;
        let previous = request_cookies.handles();
        let completed = self
            .client
            .complete_sign_in(Some(pending), callback, &previous)
            .await;
        match completed {
            Ok(mut completed) => {
                let admitted = self.admit(hook, &mut completed).await;
                browser.end(
                    &state,
                    match &admitted {
                        Ok(()) => End::SignedIn,
                        Err(Error::SignInRefused(_)) => End::Refused,
                        Err(_) => End::Interrupted,
                    },
                );
                append(answer, [self.browser_cookie(&browser)?]);
                match admitted {
                    Ok(()) => self.arrive(completed, &request_cookies, answer),
                    Err(error) => {
                        let taken = respond::headers_len(answer);
                        append(answer, self.cookies.clear(&request_cookies, taken));
                        Err(error)
                    }
                }
            }
            Err(incomplete) => {
                self.give_up(&config, incomplete, browser, &state, answer)
                    .await
            }
        }
    }

    /// Calls the application's hook for a user who has signed in at Logto. The session of a user who is refused
    /// ends before the browser has it; the previous session is already replaced.
    async fn admit(
        &self,
        hook: Option<&dyn SignInHook>,
        completed: &mut CompletedSignIn,
    ) -> Result<(), Error> {
        let (session, user) = (
            completed.session.id(),
            completed.session.claims().sub.clone(),
        );
        let admitted = match hook {
            Some(hook) => hook.on_sign_in(completed).await,
            None => Ok(()),
        };
        let observer = self.client.observer();
        match &admitted {
            Ok(()) => {
                observer.on_event(&Event::SignedIn { session, user });
                return admitted;
            }
            Err(Error::SignInRefused(SignInRefused { reason })) => {
                let reason = reason.clone();
                observer.on_event(&Event::SignInRefused { user, reason });
            }
            // `callback_with` reports it.
            Err(_) => {}
        }
        // If the storage fails, this process still refuses the session, and nobody has its handle.
        drop(completed.session.discard().await);
        admitted
    }

    /// What follows a sign-in that this callback did not complete. The browser's cookie records how it ended,
    /// unless the same callback may still complete it.
    async fn give_up(
        &self,
        config: &LogtoConfig,
        incomplete: IncompleteSignIn,
        mut browser: Browser,
        state: &str,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let IncompleteSignIn { error, next } = incomplete;
        let end = match &next {
            NextStep::SameCallback(_) => return Err(error),
            NextStep::StartAgain(_) => End::Interrupted,
            NextStep::Cancelled { .. } => End::Cancelled,
            NextStep::None => End::Refused,
        };
        browser.end(state, end);
        // While the storage fails, a new sign-in would fail at once too: a reload starts it.
        if let (NextStep::StartAgain(again), false) = (&next, matches!(error, Error::Storage(_))) {
            // If that fails, a reload starts again.
            if let Ok(outcome) = self
                .redirect_again(config, &browser, again, &error, answer)
                .await
            {
                return Ok(outcome);
            }
        }
        append(answer, [self.browser_cookie(&browser)?]);
        match next {
            NextStep::Cancelled { return_to } => {
                Ok(CallbackOutcome::Cancelled { return_to, error })
            }
            _ => Err(error),
        }
    }

    /// A reload of a callback that reported that the user cancelled.
    fn cancelled_before(&self, callback: &Callback, start: &Start) -> CallbackOutcome {
        let error = callback.error().cloned();
        let error = error.map_or(CallbackError::NoPendingSignIn, CallbackError::Server);
        CallbackOutcome::Cancelled {
            return_to: self.destination(start),
            error: error.into(),
        }
    }

    /// Sets the cookies of the new session, and shortens `return_to` to what fits into the response.
    fn arrive(
        &self,
        mut completed: CompletedSignIn,
        request_cookies: &RequestCookies<'_>,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let handle = completed.session.handle();
        let write = |return_to: &str| {
            let location = respond::header_len(header::LOCATION.as_str().len(), return_to.len());
            let taken = respond::headers_len(answer).saturating_add(location);
            self.cookies.write(request_cookies, &handle, taken)
        };
        let mut written = write(&completed.return_to)?;
        // A redirect to the front page is better than an error.
        let base = self.client.config().base_url().map_or("/", Url::path);
        let path = completed.return_to.split('?').next().unwrap_or_default();
        for place in [path.to_owned(), base.to_owned()] {
            if written.size > self.cookies.response_limit() {
                written = write(&place)?;
                completed.return_to = place;
            }
        }
        self.set_cookies(answer, written);
        completed.session = completed.session.presented();
        Ok(CallbackOutcome::SignedIn(completed))
    }

    async fn start_again(
        &self,
        config: &LogtoConfig,
        browser: &Browser,
        start: &Start,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let age = self.client.clock().now().since(start.at);
        let again = start
            .sign_in
            .again()
            .filter(|_| age < PendingSignIn::LIFETIME);
        let again = again.ok_or(CallbackError::NoPendingSignIn)?;
        let reason = CallbackError::NoPendingSignIn;
        self.redirect_again(config, browser, &again, &reason, answer)
            .await
    }

    async fn redirect_again(
        &self,
        config: &LogtoConfig,
        browser: &Browser,
        again: &SignIn,
        reason: &impl ToString,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let (url, set_cookie) = self.start(config, browser, again, 0).await?;
        append(answer, [set_cookie]);
        let reason = reason.to_string();
        let observer = self.client.observer();
        observer.on_event(&Event::SignInStartedAgain { reason });
        Ok(CallbackOutcome::StartsAgain(url))
    }

    fn destination(&self, start: &Start) -> String {
        let destination = start.sign_in.destination(self.client.config());
        destination.as_str().to_owned()
    }

    /// The browsers in the cookies: one, unless a parent domain sets another.
    fn browsers(&self, request_cookies: &RequestCookies<'_>) -> Vec<Browser> {
        let name = self.cookies.browser_name();
        let open = |value: &&str| {
            let sealed = URL_SAFE_NO_PAD.decode_to_vec(value).ok()?;
            Browser::from_bytes(&self.keys.open(&self.context(&name), &sealed)?)
        };
        request_cookies.browsers().iter().filter_map(open).collect()
    }

    fn browser_cookie(&self, browser: &Browser) -> Result<HeaderValue, Error> {
        let name = self.cookies.browser_name();
        let value = self.seal(&name, &browser.to_bytes())?;
        Ok(self.cookies.set_browser(&value)?)
    }

    fn seal_start(&self, config: &LogtoConfig, start: &Start) -> Result<String, Error> {
        let bytes = start.encode(config);
        let bytes = bytes.map_err(|error| UsageError::InvalidParameter(error.to_string()))?;
        Ok(self.seal(self.cookies.name(), &bytes)?)
    }

    fn open_start(&self, config: &LogtoConfig, state: &str) -> Option<Start> {
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

fn read_callback(parts: &Parts, body: &Bytes, answer: &mut HeaderMap) -> Result<Callback, Error> {
    match parts.method {
        Method::GET => Ok(Callback::from_query(parts.uri.query().unwrap_or_default())?),
        Method::POST => Ok(Callback::from_form(body)?),
        // If a HEAD or OPTIONS redeemed the code, the GET that follows it would fail.
        _ => {
            answer.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            Err(RequestError::MethodNotAllowed.into())
        }
    }
}

impl CallbackAnswer {
    /// The whole response: a redirect to where the user wanted to go, or the error. For a cancelled sign-in,
    /// that is an error with the code `access_denied`; to show a page instead, check [`outcome`](Self::outcome)
    /// first.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = match &self.outcome {
            Ok(CallbackOutcome::SignedIn(completed)) => respond::see_other(&completed.return_to),
            Ok(CallbackOutcome::StartsAgain(url)) => respond::see_other(url.as_str()),
            Ok(CallbackOutcome::AlreadySignedIn { return_to }) => respond::see_other(return_to),
            Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) => respond::refusal(error),
        };
        response.headers_mut().remove(header::VARY);
        response.headers_mut().extend(self.headers);
        response
    }

    /// Whether a silent sign-in failed because the user must interact. This is not an error, and no reason to
    /// end a session.
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

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Entropy(error) => error.into(),
            SealError::TooLong => UsageError::InvalidParameter(error.to_string()).into(),
        }
    }
}
