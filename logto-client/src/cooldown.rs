//! Leaving a provider alone that asked for it.

use std::{sync::Mutex, time::Duration};

use logto_core::{UnixTime, error::OAuthErrorCode};

use crate::{error::Error, single_flight::lock};

/// After our credentials were refused nobody is bothered for this long: every session would only hear
/// the same.
const CREDENTIALS_PAUSE: Duration = Duration::from_secs(10);

/// Until when the token endpoint is left alone, and what it said.
#[derive(Debug, Default)]
pub(crate) struct Cooldown {
    until: Mutex<Option<(UnixTime, UnixTime, Error)>>,
}

impl Cooldown {
    /// The provider's last word, while it holds.
    pub(crate) fn check(&self, now: UnixTime) -> Result<(), Error> {
        match &*lock(&self.until) {
            Some((since, until, error)) if *since <= now && now < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Remembers an error that asks for a pause.
    pub(crate) fn learn(&self, error: &Error, now: UnixTime) {
        let pause = if error.is_oauth(&OAuthErrorCode::InvalidClient) {
            Some(CREDENTIALS_PAUSE)
        } else {
            error.retry_after()
        };
        if let Some(pause) = pause {
            *lock(&self.until) = Some((now, now.plus(pause), error.clone()));
        }
    }
}
