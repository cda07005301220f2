//! Proving to the provider who we are, also while a secret is being replaced.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use logto_core::{
    LogtoConfig, UnixTime, client_assertion,
    config::{ClientAuthentication, ConfigError},
};

use crate::{
    entropy::{Entropy, random},
    error::Error,
};

/// The configured way to prove who we are and others to try when it is refused: during a roll-over
/// Logto knows both secrets for a while, and the program may know the new one too early or too late.
#[derive(Debug)]
pub(crate) struct Credentials {
    configs: Vec<LogtoConfig>,
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

    /// How many ways there are.
    pub(crate) fn len(&self) -> usize {
        self.configs.len()
    }

    /// The way that is believed in now.
    pub(crate) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// The request with a proof made in the way `which`. A request that needs none stays as it is.
    pub(crate) fn prove(
        &self,
        which: usize,
        request: Request<Bytes>,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Request<Bytes>, Error> {
        match self.configs.get(which) {
            Some(config) => {
                let random = random(entropy)?;
                Ok(client_assertion::authenticate(
                    request, config, now, &random,
                )?)
            }
            None => Ok(request),
        }
    }

    /// The way to try after `refused`, which is believed in from now on. Of several requests that are
    /// refused at once, only the first one moves everybody on.
    pub(crate) fn after(&self, refused: usize) -> usize {
        let next = (refused + 1) % self.configs.len().max(1);
        let _ = self
            .current
            .compare_exchange(refused, next, Ordering::Relaxed, Ordering::Relaxed);
        next
    }
}
