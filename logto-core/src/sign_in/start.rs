//! The authorization request
//! ([OpenID Connect Core 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).

use base64_simd::URL_SAFE_NO_PAD;
use url::Url;

use super::{
    PendingSignIn, SignIn,
    authorization_request::AuthorizationRequest,
    requested::{Requested, invalid},
};
use crate::{
    config::LogtoConfig,
    error::UsageError,
    metadata::ProviderMetadata,
    pushed_authorization::PushAuthorization,
    secret::Secret,
    session::SessionId,
    time::UnixTime,
    vocabulary::{FirstScreen, Prompt},
};

/// The number of random bytes of a sign-in: 32 each for verifier, state and nonce, 16 for the session id.
pub const SIGN_IN_RANDOM_BYTES: usize = 112;

impl SignIn {
    /// Starts the sign-in. Returns the URL to send the browser to, and what to keep until the callback.
    ///
    /// `random` must be fresh bytes from the operating system's random source that are used for nothing else.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if parameters are malformed or contradict each other.
    pub fn start(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<(Url, PendingSignIn), UsageError> {
        let pending = self.pending(config, metadata, random, now)?;
        let url = self.url(metadata.authorization_endpoint(), config, &pending)?;
        Ok((url, pending))
    }

    /// Starts the sign-in with a pushed authorization request ([RFC
    /// 9126](https://www.rfc-editor.org/rfc/rfc9126)). Returns the request to send to the provider, whose
    /// response contains the URL to send the browser to, and what to keep until the callback. The parameters
    /// are the same as those of [`start`](Self::start).
    ///
    /// # Errors
    /// The same as [`start`](Self::start), and [`UsageError::EndpointNotAdvertised`].
    pub fn start_pushed(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<(PushAuthorization, PendingSignIn), UsageError> {
        let pending = self.pending(config, metadata, random, now)?;
        let mut endpoint = metadata.authorization_endpoint().clone();
        endpoint.set_query(None);
        let url = self.url(&endpoint, config, &pending)?;
        let parameters = url.query_pairs().into_owned().collect();
        let push = PushAuthorization::new(config, metadata, parameters)?;
        Ok((push, pending))
    }

    fn url(
        &self,
        endpoint: &Url,
        config: &LogtoConfig,
        pending: &PendingSignIn,
    ) -> Result<Url, UsageError> {
        let request = AuthorizationRequest {
            endpoint,
            client_id: config.app_id(),
            redirect_uri: &pending.redirect_uri,
            state: pending.state.expose(),
            code_verifier: pending.code_verifier.expose(),
            scopes: &pending.scopes,
            parameters: &self.parameters(config, pending)?,
        };
        Ok(request.url())
    }

    fn pending(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<PendingSignIn, UsageError> {
        let (verifier, rest) = random.split_at(32);
        let (state, rest) = rest.split_at(32);
        let (nonce, name) = rest.split_at(32);
        let mut session_id = [0; 16];
        session_id.copy_from_slice(name);
        let text = |bytes: &[u8]| Secret::new(URL_SAFE_NO_PAD.encode_to_string(bytes));

        let Requested { scopes, resources } = self.additions.merge(config)?;
        Ok(PendingSignIn {
            issuer: metadata.issuer().to_owned(),
            client_id: config.app_id().to_owned(),
            redirect_uri: match &self.redirect_uri {
                Some(redirect_uri) if redirect_uri.fragment().is_some() => {
                    return Err(invalid("redirect_uri contains a fragment: remove it"));
                }
                Some(redirect_uri) => redirect_uri.clone(),
                None => config.redirect_uri()?.clone(),
            },
            state: self.state.clone().unwrap_or_else(|| text(state)),
            nonce: text(nonce),
            code_verifier: text(verifier),
            session_id: SessionId::from_random(session_id),
            scopes,
            resources,
            return_to: self.destination(config),
            sign_in: Self {
                return_to: None,
                ..self.reusable()
            },
            created_at: now,
        })
    }

    /// The optional parameters of an authorization request.
    fn parameters(
        &self,
        config: &LogtoConfig,
        pending: &PendingSignIn,
    ) -> Result<Vec<(String, String)>, UsageError> {
        let prompts = self.additions.prompts(config)?;
        let is_silent = prompts.contains(&Prompt::None);
        if is_silent && self.max_age.is_some_and(|age| age.as_secs() == 0) {
            return Err(invalid(
                "a max_age of zero demands a login, which prompt `none` forbids",
            ));
        }
        let mut parameters = Parameters(Vec::new());
        parameters.add("nonce", pending.nonce.expose());
        parameters.add_list("prompt", prompts.iter().map(|prompt| prompt.as_str()));
        for resource in &pending.resources {
            parameters.add("resource", resource);
        }
        parameters.add_some("login_hint", self.login_hint.as_deref());
        parameters.add_some("first_screen", self.first_screen.map(FirstScreen::as_str));
        parameters.add_list(
            "identifier",
            self.identifiers
                .iter()
                .map(|identifier| identifier.as_str()),
        );
        parameters.add_some(
            "direct_sign_in",
            self.direct_sign_in
                .as_ref()
                .map(ToString::to_string)
                .as_deref(),
        );
        parameters.add_some(
            "one_time_token",
            self.one_time_token.as_ref().map(Secret::expose),
        );
        parameters.add_list("ui_locales", self.ui_locales.iter().map(String::as_str));
        parameters.add_some("organization_id", self.organization_id.as_deref());
        parameters.add_some(
            "google_one_tap_credential",
            self.google_one_tap_credential.as_ref().map(Secret::expose),
        );
        parameters.add_some(
            "max_age",
            self.max_age.map(|age| age.as_secs().to_string()).as_deref(),
        );
        parameters.add_list("acr_values", self.acr_values.iter().map(String::as_str));
        parameters.add_some("response_mode", self.form_post.then_some("form_post"));
        parameters.0.extend(self.extra.iter().cloned());
        Ok(parameters.0)
    }
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn add_list<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<&str> = values.collect();
        if !values.is_empty() {
            self.add(name, &values.join(" "));
        }
    }
}
