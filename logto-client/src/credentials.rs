//! Client authentication, also while a secret is being replaced.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use logto_core::{
    LogtoConfig, UnixTime, client_authentication, config::ClientAuthentication, error::ConfigError,
};

use crate::{
    entropy::{Entropy, random},
    error::Error,
};

/// The configured client authentication, and those to try when it is refused. While a secret is being
/// replaced, Logto accepts both for a time, but the program may switch too early or too late.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// One configuration for each authentication; they differ in nothing else.
    configs: Vec<LogtoConfig>,
    /// Which of them was accepted last.
    current: AtomicUsize,
}

impl Credentials {
    pub(crate) fn new(
        config: &LogtoConfig,
        others: Vec<ClientAuthentication>,
    ) -> Result<Self, ConfigError> {
        let mut configs = vec![config.clone()];
        for other in others {
            configs.push(config.with_client_authentication(other)?);
        }
        Ok(Self {
            configs,
            current: AtomicUsize::new(0),
        })
    }

    /// How many authentications there are.
    pub(crate) fn len(&self) -> usize {
        self.configs.len()
    }

    /// The authentication to try first.
    pub(crate) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// Authenticates a request. One that needs no authentication is returned unchanged.
    pub(crate) fn authenticate(
        &self,
        which: usize,
        request: Request<Bytes>,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Request<Bytes>, Error> {
        match self.configs.get(which) {
            Some(config) => {
                let random = random(entropy)?;
                Ok(client_authentication::authenticate(
                    request, config, now, &random,
                )?)
            }
            None => Ok(request),
        }
    }

    /// The authentication to try after `refused`, now and first from now on.
    pub(crate) fn after(&self, refused: usize) -> usize {
        let next = (refused + 1) % self.configs.len().max(1);
        // Of several requests that are refused at the same time only the first one switches, so that they
        // do not skip one.
        let _ = self
            .current
            .compare_exchange(refused, next, Ordering::Relaxed, Ordering::Relaxed);
        next
    }
}
