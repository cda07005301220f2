//! The callback of a sign-in.

mod answer;
mod decision;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use logto_core::{
    LogtoConfig, SignIn,
    error::CallbackError,
    sign_in::{Callback, PendingSignIn},
};
use url::Url;

pub use self::answer::{CallbackAnswer, CallbackOutcome};
use self::decision::Decision;
use super::{
    browser::{Browser, End},
    cookies::RequestCookies,
    respond,
    routes::{LogtoWeb, append},
    start::Start,
};
use crate::{
    client::{CompletedSignIn, IncompleteSignIn, NextStep},
    error::{Error, RequestError, SignInRefused},
    event::Event,
    runtime::{MaybeSend, MaybeSync},
};

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
    /// Completes a sign-in, from the query of a GET or the form of a POST. The response to other methods is
    /// 405.
    ///
    /// The redirect URI is that of the [host](logto_core::LogtoConfig::for_host) that the request was sent to.
    /// A sign-in that was started at another host cannot be completed here: it starts again, or is refused with
    /// [`CallbackError::NoPendingSignIn`] in a browser that started none here.
    pub async fn callback(&self, parts: &Parts, body: &Bytes) -> CallbackAnswer {
        let request_cookies = self.cookies.read(&parts.headers);
        self.callback_with(parts, &request_cookies, body, None)
            .await
    }

    /// As [`callback`](Self::callback), with a hook that may refuse the user.
    pub(super) async fn callback_with(
        &self,
        parts: &Parts,
        request_cookies: &RequestCookies,
        body: &Bytes,
        hook: Option<&dyn SignInHook>,
    ) -> CallbackAnswer {
        let mut headers = HeaderMap::new();
        respond::keep_private(&mut headers);
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        let outcome = self.complete(parts, request_cookies, body, hook, &mut headers);
        let outcome = outcome.await;
        if let Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) = &outcome {
            self.tell_failed(error);
            self.delete_ended_session(request_cookies, &mut headers)
                .await;
        }
        CallbackAnswer { outcome, headers }
    }

    async fn complete(
        &self,
        parts: &Parts,
        cookies: &RequestCookies,
        body: &Bytes,
        hook: Option<&dyn SignInHook>,
        answer: &mut HeaderMap,
    ) -> Result<CallbackOutcome, Error> {
        let callback = read_callback(parts, body, answer)?;
        let config = self.config_for(&parts.uri, &parts.headers);
        let state = callback.state().unwrap_or_default().to_owned();
        let start = self
            .open_start(&config, &state)
            .ok_or(CallbackError::NoPendingSignIn)?;
        let browsers = self.browsers(cookies);
        let arrival = Arrival {
            config: &config,
            cookies,
            start: &start,
            state: &state,
            answer,
        };
        match Decision::of(&start, &state, &browsers) {
            Decision::Complete(browser) => {
                self.redeem(arrival, callback, browser.clone(), hook).await
            }
            Decision::StartAgain(browser) => self.start_again(arrival, browser).await,
            Decision::SignedInBefore(browser) => match self.read_only_session_of(cookies).await? {
                Some(_) => Ok(CallbackOutcome::AlreadySignedIn {
                    return_to: self.destination(&start),
                }),
                None => self.start_again(arrival, browser).await,
            },
            Decision::CancelledBefore => Ok(self.cancelled_before(&callback, &start)),
            Decision::Refuse => Err(CallbackError::NoPendingSignIn.into()),
        }
    }

    /// Completes the sign-in with the code of the callback.
    async fn redeem(
        &self,
        arrival: Arrival<'_>,
        callback: Callback,
        mut browser: Browser,
        hook: Option<&dyn SignInHook>,
    ) -> Result<CallbackOutcome, Error> {
        let Arrival { start, state, .. } = arrival;
        let sign_in = start.sign_in.clone().state(state.to_owned());
        let pending = self
            .client
            .restore_sign_in(arrival.config, &sign_in, &start.random(), start.at)
            .await?;
        let previous = self.handles(arrival.cookies);
        let completed = self
            .client
            .complete_sign_in(Some(pending), callback, previous)
            .await;
        let mut completed = match completed {
            Ok(completed) => completed,
            Err(incomplete) => return self.give_up(arrival, incomplete, browser).await,
        };
        let admitted = self.admit(hook, &mut completed).await;
        let end = match &admitted {
            Ok(()) => End::SignedIn,
            Err(Error::SignInRefused(_)) => End::Refused,
            Err(_) => End::Interrupted,
        };
        browser.end(state, end);
        append(arrival.answer, [self.browser_cookie(&browser)?]);
        if let Err(error) = admitted {
            let taken = respond::headers_len(arrival.answer);
            append(arrival.answer, self.cookies.clear(arrival.cookies, taken));
            return Err(error);
        }
        self.arrive(arrival, completed)
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
        // If the storage fails, this process still refuses the session, and its handle was never sent.
        drop(completed.session.discard().await);
        admitted
    }

    /// What follows a sign-in that this callback did not complete. The browser's cookie records how it ended,
    /// unless the same callback may still complete it.
    async fn give_up(
        &self,
        mut arrival: Arrival<'_>,
        incomplete: IncompleteSignIn,
        mut browser: Browser,
    ) -> Result<CallbackOutcome, Error> {
        let IncompleteSignIn { error, next } = incomplete;
        let end = match &next {
            NextStep::SameCallback(_) => return Err(error),
            NextStep::StartAgain(_) => End::Interrupted,
            NextStep::Cancelled { .. } => End::Cancelled,
            NextStep::None => End::Refused,
        };
        browser.end(arrival.state, end);
        // While the storage fails, a new sign-in would fail at once too: a reload starts it.
        if let (NextStep::StartAgain(again), false) = (&next, matches!(error, Error::Storage(_))) {
            // If that fails, a reload starts again.
            if let Ok(outcome) = self
                .redirect_again(&mut arrival, &browser, again, &error)
                .await
            {
                return Ok(outcome);
            }
        }
        append(arrival.answer, [self.browser_cookie(&browser)?]);
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
        arrival: Arrival<'_>,
        mut completed: CompletedSignIn,
    ) -> Result<CallbackOutcome, Error> {
        let Arrival {
            cookies, answer, ..
        } = arrival;
        let handle = completed.session.handle();
        let write = |return_to: &str| {
            let location = respond::header_len(header::LOCATION.as_str().len(), return_to.len());
            let taken = respond::headers_len(answer).saturating_add(location);
            self.cookies.write(cookies, &handle, taken)
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
        mut arrival: Arrival<'_>,
        browser: &Browser,
    ) -> Result<CallbackOutcome, Error> {
        let Start { at, sign_in, .. } = arrival.start;
        let age = self.client.clock().now().since(*at);
        let again = sign_in.again().filter(|_| age < PendingSignIn::LIFETIME);
        let again = again.ok_or(CallbackError::NoPendingSignIn)?;
        let reason = CallbackError::NoPendingSignIn;
        self.redirect_again(&mut arrival, browser, &again, &reason)
            .await
    }

    async fn redirect_again(
        &self,
        arrival: &mut Arrival<'_>,
        browser: &Browser,
        again: &SignIn,
        reason: &impl ToString,
    ) -> Result<CallbackOutcome, Error> {
        let (url, set_cookie) = self.start(arrival.config, browser, again, 0).await?;
        append(arrival.answer, [set_cookie]);
        let reason = reason.to_string();
        let observer = self.client.observer();
        observer.on_event(&Event::SignInStartedAgain { reason });
        Ok(CallbackOutcome::StartsAgain(url))
    }

    fn destination(&self, start: &Start) -> String {
        let destination = start.sign_in.destination(self.client.config());
        destination.as_str().to_owned()
    }
}

/// A callback of a sign-in that was started here, and the response to it.
struct Arrival<'a> {
    config: &'a LogtoConfig,
    cookies: &'a RequestCookies,
    start: &'a Start,
    /// The sealed start, as returned by Logto.
    state: &'a str,
    /// The headers of the response so far.
    answer: &'a mut HeaderMap,
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
