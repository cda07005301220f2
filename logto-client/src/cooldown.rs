//! The cooldown of an endpoint, shared by all that send requests to it.

use std::{sync::Mutex, time::Duration};

use logto_core::{
    UnixTime,
    error::OAuthErrorCode,
    refresh::{Admission, Cooldown},
};

use crate::{clock::Clock, error::Error, single_flight::lock};

/// How long no request is sent after the credentials were refused: every request would get the same response.
const CREDENTIALS_COOLDOWN: Duration = Duration::from_secs(10);

/// Until when no request is sent to an endpoint.
#[derive(Debug, Default)]
pub(crate) struct SharedCooldown(Mutex<Cooldown<Error>>);

/// The right to send one request.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    cooldown: &'a SharedCooldown,
    is_probe: bool,
}

impl SharedCooldown {
    /// Asks to send a request at `now`.
    ///
    /// # Errors
    /// The error that began the cooldown.
    pub(crate) fn admit(&self, now: UnixTime) -> Result<Admitted<'_>, Error> {
        let is_probe = match lock(&self.0).admit(now) {
            Admission::Free => false,
            Admission::Probe => true,
            Admission::Refused(error) => return Err(error),
        };
        Ok(Admitted {
            cooldown: self,
            is_probe,
        })
    }

    /// For a request that no cooldown withholds. Its response is learned from all the same.
    pub(crate) fn bypass(&self) -> Admitted<'_> {
        Admitted {
            cooldown: self,
            is_probe: false,
        }
    }

    /// Sends a request, unless a cooldown forbids it, and learns from its result.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), if nothing was sent.
    pub(crate) async fn admitted<T>(
        &self,
        clock: &dyn Clock,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, Error> {
        let admitted = self.admit(clock.now())?;
        let result = request.await;
        match &result {
            // There was no answer, which ends no cooldown.
            Err(Error::Transport { .. }) => drop(admitted),
            answer => admitted.answered(answer.as_ref().err(), clock.now()),
        }
        Ok(result)
    }
}

impl Admitted<'_> {
    /// Records a response: an error may ask for a cooldown; anything else ends it.
    pub(crate) fn answered(mut self, error: Option<&Error>, now: UnixTime) {
        if std::mem::take(&mut self.is_probe) {
            lock(&self.cooldown.0).probed(true);
        }
        let pause = error.and_then(
            |error| match error.is_oauth(&OAuthErrorCode::InvalidClient) {
                true => Some(CREDENTIALS_COOLDOWN),
                false => error.retry_after(),
            },
        );
        if let (Some(error), Some(pause)) = (error, pause) {
            lock(&self.cooldown.0).begin(pause, error.clone(), now);
        }
    }
}

impl Drop for Admitted<'_> {
    /// A probe without a response, or one whose caller was cancelled, lets the next one through.
    fn drop(&mut self) {
        if self.is_probe {
            lock(&self.cooldown.0).probed(false);
        }
    }
}
