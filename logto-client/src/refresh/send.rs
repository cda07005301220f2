//! Sending the refresh request, and when to send it again.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use logto_core::{error::Endpoint, exchange, session::SessionId};

use super::Refresher;
use crate::{error::Error, event::Event, http::TransportError};

/// Logto accepts a spent refresh token again for three seconds. A replay has to reach it within that
/// time, counted from when the first request can have been processed at the earliest: when it was
/// sent.
const REPLAY_WINDOW: Duration = Duration::from_millis(2500);
/// How often a request that did not leave is sent again.
const RECONNECTS: u32 = 2;

impl Refresher {
    /// Sends the refresh request: again if it never left, and once more if its answer was lost and
    /// Logto still accepts the spent token. It takes no longer than three request timeouts from the moment that
    /// it has a place, which it keeps, so that the second time does not have to wait for one.
    pub(super) async fn send(
        &self,
        session: &SessionId,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let clock = &self.provider.clock;
        let timeout = self.provider.limits.request_timeout;
        let permit = self.provider.permit(Endpoint::Token).await?;
        let started = clock.monotonic();
        self.shared.retries.deposit();
        let mut reconnects = 0;
        let mut lost_since = None;
        loop {
            let sent_at = clock.monotonic();
            let answer = self
                .provider
                .send_from(&permit, Endpoint::Token, request.clone())
                .await;
            let early = clock.monotonic().saturating_sub(started) < timeout;
            let again = match Fate::of(&answer) {
                Fate::Answered => return answer,
                Fate::NotSent
                    if reconnects < RECONNECTS && early && self.shared.retries.withdraw() =>
                {
                    reconnects += 1;
                    self.provider.runtime.sleep(self.jitter(reconnects)).await;
                    true
                }
                Fate::Lost if lost_since.is_none() => {
                    lost_since = Some(sent_at);
                    self.shared.retries.withdraw()
                }
                Fate::NotSent | Fate::Lost => false,
            };
            let Some(lost_since) = lost_since else {
                if again {
                    continue;
                }
                return answer;
            };
            if !again || clock.monotonic().saturating_sub(lost_since) >= REPLAY_WINDOW {
                self.provider.observer.on_event(&Event::RefreshUncertain {
                    session: session.clone(),
                });
                return answer;
            }
        }
    }

    /// 50 to 100 ms, doubled each time.
    pub(super) fn jitter(&self, attempt: u32) -> Duration {
        let mut byte = [0; 1];
        // Without randomness the pause is the same each time, which is no harm.
        let _ = self.provider.entropy.fill(&mut byte);
        Duration::from_millis((50 + u64::from(byte[0]) / 5) << attempt.min(4).saturating_sub(1))
    }
}

/// What became of a request that must not be processed twice too late.
enum Fate {
    /// It was answered, for better or worse.
    Answered,
    /// It never left.
    NotSent,
    /// It may have been processed, and nobody can read what came of it: no answer, a garbled one, or an
    /// error of a server that may have failed after it replaced the refresh token.
    Lost,
}

impl Fate {
    fn of(answer: &Result<Response<Bytes>, Error>) -> Self {
        match answer {
            Err(Error::Transport {
                source: TransportError::NotSent(_),
                ..
            }) => Self::NotSent,
            Err(Error::Transport { .. }) => Self::Lost,
            // Something is missing here; nothing was sent.
            Err(_) => Self::Answered,
            Ok(response) => match response.status() {
                StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT => Self::Lost,
                status if status.is_success() && !exchange::is_json_object(response.body()) => {
                    Self::Lost
                }
                _ => Self::Answered,
            },
        }
    }
}
