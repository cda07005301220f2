//! The way back to the application: query, fragment or form post.

use bytes::Bytes;
use http::Response;
use url::{Url, form_urlencoded};

use crate::{error::OAuthError, page, reply};

/// How the parameters travel (OAuth 2.0 Multiple Response Types and Form Post Response Mode).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

/// Where the browser goes back to, once the redirect URI has been checked.
#[derive(Clone)]
pub(crate) struct ReturnAddress {
    pub(crate) redirect_uri: Url,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
    pub(crate) issuer: String,
}

/// An answer on its way back: an address and parameters.
#[derive(Clone)]
pub(crate) struct Callback {
    pub(crate) redirect_uri: Url,
    pub(crate) mode: ResponseMode,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl ReturnAddress {
    /// Back without a word, as the button "Cancel" of Logto's consent page goes.
    pub(crate) fn bare(&self) -> Callback {
        Callback {
            redirect_uri: self.redirect_uri.clone(),
            mode: ResponseMode::Query,
            parameters: Vec::new(),
        }
    }

    pub(crate) fn with_code(&self, code: String) -> Callback {
        self.with(vec![("code", code)])
    }

    pub(crate) fn with_error(&self, error: &OAuthError) -> Callback {
        let mut parameters = vec![
            ("error", error.error.to_owned()),
            ("error_description", error.description.clone()),
        ];
        parameters.extend(error.scope.clone().map(|scope| ("scope", scope)));
        self.with(parameters)
    }

    /// Every answer ends with the `state`, if there was one, and the issuer (RFC 9207).
    fn with(&self, mut parameters: Vec<(&'static str, String)>) -> Callback {
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        parameters.push(("iss", self.issuer.clone()));
        Callback {
            redirect_uri: self.redirect_uri.clone(),
            mode: self.mode,
            parameters,
        }
    }
}

impl Callback {
    /// The URL that a browser arrives at; for a form post the address alone.
    pub(crate) fn url(&self) -> Url {
        let mut url = self.redirect_uri.clone();
        match self.mode {
            _ if self.parameters.is_empty() => {}
            ResponseMode::Query => {
                url.query_pairs_mut().extend_pairs(&self.parameters);
            }
            ResponseMode::Fragment => {
                let mut fragment = form_urlencoded::Serializer::new(String::new());
                url.set_fragment(Some(&fragment.extend_pairs(&self.parameters).finish()));
            }
            ResponseMode::FormPost => {}
        }
        url
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let response = match self.mode {
            ResponseMode::Query | ResponseMode::Fragment => reply::redirect(self.url().as_str()),
            ResponseMode::FormPost => reply::html(page::self_submitting(
                self.redirect_uri.as_str(),
                &self.parameters,
            )),
        };
        reply::no_store(response)
    }
}
