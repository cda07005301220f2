//! Pushed authorization requests ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)).

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use url::Url;

use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, UsageError},
    exchange::{self, Exchange},
    json::Given as _,
    metadata::ProviderMetadata,
    time::UnixTime,
};

/// Sends the parameters of a sign-in to the provider directly, so that the URL in the browser contains only a
/// reference to them: they cannot be read or changed on the way.
///
/// [`SignIn::start_pushed`](crate::SignIn::start_pushed) creates it.
#[derive(Clone)]
pub struct PushAuthorization {
    endpoint: ClientEndpoint,
    authorization_endpoint: Url,
    client_id: String,
    parameters: Vec<(String, String)>,
}

/// An authorization request that the provider stores.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedAuthorization {
    /// The URL to send the browser to, once.
    pub url: Url,
    /// When the provider deletes the request; Logto does after a minute. The browser must arrive before that;
    /// the sign-in itself may take longer.
    pub expires_at: UnixTime,
}

impl PushAuthorization {
    /// With the parameters that would otherwise be in the URL.
    pub(crate) fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        parameters: Vec<(String, String)>,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            endpoint: ClientEndpoint::new(
                metadata.endpoint(Endpoint::PushedAuthorization)?,
                config,
            ),
            authorization_endpoint: metadata.authorization_endpoint().clone(),
            client_id: config.app_id().to_owned(),
            parameters,
        })
    }
}

impl Exchange for PushAuthorization {
    const ENDPOINT: Endpoint = Endpoint::PushedAuthorization;

    type Output = PushedAuthorization;

    fn request(&self) -> Request<Bytes> {
        let parameters: Vec<(&str, &str)> = self
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.endpoint.post(&parameters)
    }

    fn accept(
        self,
        response: Response<Bytes>,
        now: UnixTime,
    ) -> Result<PushedAuthorization, Error> {
        let members = exchange::json_object(Self::ENDPOINT, &response, now)?;
        let unusable = |problem| exchange::unusable(Self::ENDPOINT, &response, problem);
        let request_uri = members
            .given("request_uri")
            .and_then(Value::as_str)
            .filter(|uri| !uri.is_empty())
            .ok_or_else(|| unusable("`request_uri` is missing or not a string"))?;
        let expires_in = members
            .given("expires_in")
            .and_then(exchange::seconds)
            .ok_or_else(|| unusable("`expires_in` is missing or not a number of seconds"))?;
        let mut url = self.authorization_endpoint;
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("request_uri", request_uri);
        Ok(PushedAuthorization {
            url,
            expires_at: now.plus(expires_in),
        })
    }
}

impl fmt::Debug for PushAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .parameters
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("PushAuthorization")
            .field("endpoint", &self.endpoint)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PushedAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedAuthorization")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
