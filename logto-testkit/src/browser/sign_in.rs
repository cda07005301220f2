//! Signing in at the provider, and consenting or not.

use http::StatusCode;
use url::Url;

use super::{Browser, BrowserError, FormPost, error_page};
use crate::{
    authorization_request::AuthorizationRequest,
    authorize::{
        consent, grant,
        one_time_token::{self, Refused},
        refusal::Refusal,
        session,
    },
    callback::{Callback, ResponseMode},
    context::Context,
    endpoints::authorization::decision::{self, Decision},
    error::OAuthError,
    interactions::Errand,
    journal::{Endpoint, RequestRecord},
    request::Incoming,
};

/// What the user does on the consent page.
#[derive(Clone, Copy)]
enum Answer<'a> {
    Preselected,
    Organizations(&'a [&'a str]),
    Denied,
    Cancelled,
}

impl Browser {
    /// Opens an authorization URL. When the session does not answer it, `username` signs in. Consents, to a
    /// third-party application with the organization that Logto's consent page has preselected: the first of
    /// the user's. Gives the callback URL that the browser is sent to.
    ///
    /// A one-time token in the URL signs in its own user, whichever user is named. Logto asks before it
    /// replaces the session of another user; here, nothing asks.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in(&self, authorization_url: &Url, username: &str) -> Result<Url, BrowserError> {
        redirected(self.callback(authorization_url, username, Answer::Preselected)?)
    }

    /// As [`Browser::sign_in`], for `response_mode=form_post`.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in_form_post(
        &self,
        authorization_url: &Url,
        username: &str,
    ) -> Result<FormPost, BrowserError> {
        let callback = self.callback(authorization_url, username, Answer::Preselected)?;
        if callback.mode != ResponseMode::FormPost {
            return Err(BrowserError::Redirect);
        }
        let fields = callback.parameters.into_iter();
        Ok(FormPost {
            action: callback.redirect_uri,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    /// As [`Browser::sign_in`], and lets a third-party application act in these organizations, by their ids.
    /// A consent lasts: it holds in later sign-ins too.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in_with_organizations(
        &self,
        authorization_url: &Url,
        username: &str,
        organization_ids: &[&str],
    ) -> Result<Url, BrowserError> {
        let answer = Answer::Organizations(organization_ids);
        redirected(self.callback(authorization_url, username, answer)?)
    }

    /// As [`Browser::sign_in`], but the user does not consent: the callback carries `access_denied`. When the
    /// session answers the request, nobody asks and there is nothing to deny.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn deny(&self, authorization_url: &Url, username: &str) -> Result<Url, BrowserError> {
        redirected(self.callback(authorization_url, username, Answer::Denied)?)
    }

    /// As [`Browser::deny`], by the button "Cancel" of Logto's consent page. That leads to the redirect URI
    /// without any parameter: no `error` and no `state`.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn cancel(&self, authorization_url: &Url, username: &str) -> Result<Url, BrowserError> {
        redirected(self.callback(authorization_url, username, Answer::Cancelled)?)
    }

    /// Opens an authorization URL and does nothing more: the callback URL when the session, a one-time token or
    /// `prompt=none` answers it, `None` when the sign-in page or the consent page is shown.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn visit(&self, authorization_url: &Url) -> Result<Option<Url>, BrowserError> {
        let incoming = self.incoming(authorization_url)?;
        let mut session = self.session();
        let decision = self.logto.with(|cx| {
            open(cx, &incoming, |cx, request| {
                unattended(cx, request, &mut session)
            })
        })?;
        match decision {
            Decision::Callback(callback) => redirected(callback).map(Some),
            Decision::SignIn | Decision::Consent { .. } => Ok(None),
        }
    }

    /// Sends the browser back with an error at once.
    pub(super) fn fail(
        &self,
        authorization_url: &Url,
        error: &'static str,
    ) -> Result<Url, BrowserError> {
        let incoming = self.incoming(authorization_url)?;
        redirected(
            self.logto
                .with(|cx| authorize(cx, &incoming, |_, request| Ok(aborted(request, error))))?,
        )
    }

    fn callback(
        &self,
        url: &Url,
        username: &str,
        answer: Answer<'_>,
    ) -> Result<Callback, BrowserError> {
        let incoming = self.incoming(url)?;
        let mut session = self.session();
        self.logto.with(|cx| {
            authorize(cx, &incoming, |cx, request| {
                let errand = Errand::Authorize(Box::new(request.clone()));
                let id = match decision::decide(cx, request, session.as_deref()) {
                    Decision::Callback(callback) => return Ok(callback),
                    Decision::Consent { session_id } => session_id,
                    Decision::SignIn => match sign_in_by_token(cx, &errand, session.as_deref())? {
                        Some(session_id) => session_id,
                        None => begin_session(cx, session.as_deref(), username)?,
                    },
                };
                *session = Some(id.clone());
                match answer {
                    Answer::Denied => return Ok(aborted(request, "access_denied")),
                    Answer::Cancelled => return Ok(request.return_address.bare()),
                    Answer::Preselected => consent_to(cx, &errand, &id, None)?,
                    Answer::Organizations(ids) => consent_to(cx, &errand, &id, Some(ids))?,
                }
                grant::grant(cx, request, &id)
                    .ok_or_else(|| BrowserError::UnknownUser(username.to_owned()))
            })
        })
    }
}

/// Signs a user in; gives the session's id.
pub(super) fn begin_session(
    cx: &mut Context<'_>,
    current: Option<&str>,
    username: &str,
) -> Result<String, BrowserError> {
    let user = cx.state.tenant.user_by_identifier(username);
    let user = user.filter(|user| !user.suspended);
    let user = user.ok_or_else(|| BrowserError::UnknownUser(username.to_owned()))?;
    let user_id = user.id.clone();
    Ok(session::sign_in(cx, current, &user_id))
}

/// Signs in the user of the request's one-time token, if it has one; gives the session's id.
fn sign_in_by_token(
    cx: &mut Context<'_>,
    errand: &Errand,
    current: Option<&str>,
) -> Result<Option<String>, BrowserError> {
    match one_time_token::redeem(cx, errand) {
        None => Ok(None),
        Some(Ok(user_id)) => Ok(Some(session::sign_in(cx, current, &user_id))),
        Some(Err(Refused::Token(invalid))) => Err(BrowserError::InvalidLink(invalid.code())),
        Some(Err(Refused::User(email))) => Err(BrowserError::UnknownUser(email)),
    }
}

/// Where a request leads when nobody does anything at a page.
fn unattended(
    cx: &mut Context<'_>,
    request: &AuthorizationRequest,
    session: &mut Option<String>,
) -> Result<Decision, BrowserError> {
    let decision = decision::decide(cx, request, session.as_deref());
    let Decision::SignIn = decision else {
        return Ok(decision);
    };
    let errand = Errand::Authorize(Box::new(request.clone()));
    let Some(session_id) = sign_in_by_token(cx, &errand, session.as_deref())? else {
        return Ok(Decision::SignIn);
    };
    *session = Some(session_id.clone());
    let signed_in = cx.state.store.session(&session_id, cx.now);
    if signed_in.is_some_and(|session| consent::is_asked(cx, &errand, session)) {
        return Ok(Decision::Consent { session_id });
    }
    let callback = grant::grant(cx, request, &session_id);
    Ok(callback.map_or(Decision::SignIn, Decision::Callback))
}

/// Answers the consent page, if there is one: with these organizations, or with what it has preselected.
pub(super) fn consent_to(
    cx: &mut Context<'_>,
    errand: &Errand,
    session_id: &str,
    organization_ids: Option<&[&str]>,
) -> Result<(), BrowserError> {
    let Some(ids) = organization_ids else {
        consent::to_preselected(cx, errand, session_id);
        return Ok(());
    };
    let session = cx.state.store.session(session_id, cx.now);
    if session.is_some_and(|session| consent::is_asked(cx, errand, session)) {
        consent::to_organizations(cx, errand, session_id, ids)
    } else {
        // Without a page no organization can be selected.
        ids.first().copied().map_or(Ok(()), Err)
    }
    .map_err(|id| BrowserError::UnknownOrganization(id.to_owned()))
}

fn aborted(request: &AuthorizationRequest, error: &'static str) -> Callback {
    let error = OAuthError::new(error, "End-User aborted interaction");
    request.return_address.with_error(&error)
}

/// Continues with a valid authorization request. The errors of invalid ones go to the callback too.
fn authorize(
    cx: &mut Context<'_>,
    incoming: &Incoming,
    go_on: impl FnOnce(&mut Context<'_>, &AuthorizationRequest) -> Result<Callback, BrowserError>,
) -> Result<Callback, BrowserError> {
    let decision = open(cx, incoming, |cx, request| {
        go_on(cx, request).map(Decision::Callback)
    })?;
    match decision {
        Decision::Callback(callback) => Ok(callback),
        Decision::SignIn | Decision::Consent { .. } => Err(BrowserError::Redirect),
    }
}

/// Parses the request, records it, and continues.
fn open(
    cx: &mut Context<'_>,
    incoming: &Incoming,
    go_on: impl FnOnce(&mut Context<'_>, &AuthorizationRequest) -> Result<Decision, BrowserError>,
) -> Result<Decision, BrowserError> {
    let mut record = RequestRecord::new(Endpoint::Authorization, incoming);
    let decision = match decision::parse(cx, &incoming.query) {
        Ok(request) => go_on(cx, &request),
        Err(Refusal::Callback { callback, .. }) => Ok(Decision::Callback(callback)),
        Err(Refusal::Page { error, .. }) => Err(error_page(error)),
    };
    record.answered(match &decision {
        Err(BrowserError::ErrorPage { status, .. }) => *status,
        _ => StatusCode::SEE_OTHER,
    });
    cx.state.journal.push(record);
    decision
}

fn redirected(callback: Callback) -> Result<Url, BrowserError> {
    if callback.mode == ResponseMode::FormPost {
        return Err(BrowserError::FormPost);
    }
    Ok(callback.url())
}
