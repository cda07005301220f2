//! The parameters with which the browser returns
//! ([RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).

use std::{borrow::Cow, fmt};

use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::{
    error::{CallbackError, Endpoint, MAX_CALLBACK_LENGTH, ServerError},
    secret::Secret,
};

/// The parameters of a callback, parsed but not verified. A parameter without a value counts as absent ([RFC
/// 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
pub struct Callback {
    pub(super) uri: Option<Url>,
    pub(super) state: Option<String>,
    pub(super) iss: Option<String>,
    pub(super) code: Option<Secret>,
    pub(super) error: Option<ServerError>,
}

impl Callback {
    /// The longest accepted query or form, in bytes.
    pub const MAX_LENGTH: usize = MAX_CALLBACK_LENGTH;

    /// Reads the query of a callback request, without the question mark.
    ///
    /// # Errors
    /// [`CallbackError::DuplicateParameter`], [`CallbackError::MalformedCode`] and
    /// [`CallbackError::TooLong`].
    pub fn from_query(query: &str) -> Result<Self, CallbackError> {
        Self::read(query.as_bytes())
    }

    /// Reads the body of a callback by `response_mode=form_post`
    /// ([OAuth 2.0 Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)).
    ///
    /// # Errors
    /// The same as [`from_query`](Self::from_query).
    pub fn from_form(body: &[u8]) -> Result<Self, CallbackError> {
        Self::read(body)
    }

    /// Reads a whole callback URL. Its scheme, host, port and path must equal those of the redirect URI that
    /// was sent, so take it from a source that knows the URL the browser used, not from an unchecked `Host`
    /// header.
    ///
    /// # Errors
    /// The same as [`from_query`](Self::from_query).
    pub fn from_url(url: &Url) -> Result<Self, CallbackError> {
        let mut callback = Self::read(url.query().unwrap_or_default().as_bytes())?;
        callback.uri = Some(url.clone());
        Ok(callback)
    }

    fn read(encoded: &[u8]) -> Result<Self, CallbackError> {
        if encoded.len() > Self::MAX_LENGTH {
            return Err(CallbackError::TooLong);
        }
        let [mut state, mut iss, mut code] = [None, None, None];
        let mut error = Map::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            match name.as_ref() {
                "state" => once("state", &mut state, value)?,
                "iss" => once("iss", &mut iss, value)?,
                "code" => once("code", &mut code, value)?,
                "error" => error_member("error", &mut error, value)?,
                "error_description" => error_member("error_description", &mut error, value)?,
                "error_uri" => error_member("error_uri", &mut error, value)?,
                _ => {}
            }
        }
        let given = |value: &String| !value.is_empty();
        let code = code.filter(given);
        if code.as_deref().is_some_and(|code| !is_visible_ascii(code)) {
            return Err(CallbackError::MalformedCode);
        }
        Ok(Self {
            uri: None,
            state: state.filter(given),
            iss: iss.filter(given),
            code: code.map(Secret::new),
            error: ServerError::from_members(Endpoint::Authorization, None, &error),
        })
    }

    /// The `state`, which identifies a pending sign-in. By itself it proves nothing.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The provider's error, not verified: anyone can send it. Show it only if there is no pending sign-in.
    pub fn error(&self) -> Option<&ServerError> {
        self.error.as_ref()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("has_state", &self.state.is_some())
            .field("iss", &self.iss)
            .field("code", &self.code)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// The characters of a code ([RFC 6749 appendix A.11](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.11)).
fn is_visible_ascii(code: &str) -> bool {
    code.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn once(
    name: &'static str,
    slot: &mut Option<String>,
    value: Cow<'_, str>,
) -> Result<(), CallbackError> {
    match slot.replace(value.into_owned()) {
        None => Ok(()),
        Some(_) => Err(CallbackError::DuplicateParameter(name)),
    }
}

fn error_member(
    name: &'static str,
    error: &mut Map<String, Value>,
    value: Cow<'_, str>,
) -> Result<(), CallbackError> {
    match error.insert(name.to_owned(), Value::String(value.into_owned())) {
        None => Ok(()),
        Some(_) => Err(CallbackError::DuplicateParameter(name)),
    }
}
