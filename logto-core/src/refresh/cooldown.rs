//! Leaving an endpoint alone that asked for it.

use std::time::Duration;

/// The longest that one answer can keep requests away from an endpoint, whatever its `Retry-After` says:
/// the answer may have been meant for one user, or come from something in front of the provider.
pub const MAX_COOLDOWN: Duration = Duration::from_secs(10);
/// How often a request finds out whether the endpoint answers again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Until when an endpoint is left alone, and the error that asked for it. Times are monotonic.
///
/// Meanwhile one request at a time, and one a second, goes through as a probe. The first answer that does
/// not ask for another pause ends the cooldown for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cooldown<E> {
    until: Option<(Duration, E)>,
    next_probe_at: Duration,
    is_probing: bool,
}

/// Whether a request may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission<E> {
    /// There is no cooldown.
    Free,
    /// There is one, and this request finds out whether the endpoint answers again. Its end must be
    /// reported by [`Cooldown::probed`].
    Probe,
    /// There is one, and it is another request's turn to be the probe.
    Refused(E),
}

impl<E> Default for Cooldown<E> {
    fn default() -> Self {
        Self {
            until: None,
            next_probe_at: Duration::ZERO,
            is_probing: false,
        }
    }
}

impl<E: Clone> Cooldown<E> {
    /// Asks to send a request.
    pub fn admit(&mut self, now: Duration) -> Admission<E> {
        match &self.until {
            Some((until, error)) if now < *until => {
                if self.is_probing || now < self.next_probe_at {
                    return Admission::Refused(error.clone());
                }
                self.is_probing = true;
                self.next_probe_at = now.saturating_add(PROBE_INTERVAL);
                Admission::Probe
            }
            _ => {
                *self = Self::default();
                Admission::Free
            }
        }
    }

    /// Keeps requests away for `pause`, at most [`MAX_COOLDOWN`].
    pub fn begin(&mut self, pause: Duration, error: E, now: Duration) {
        let until = now.saturating_add(pause.min(MAX_COOLDOWN));
        self.until = Some((until, error));
        self.next_probe_at = now.saturating_add(PROBE_INTERVAL);
    }

    /// The probe has ended; `answered` if the endpoint did not ask for another pause.
    pub fn probed(&mut self, answered: bool) {
        self.is_probing = false;
        if answered {
            self.until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_one_probe_at_a_time_and_an_answer_ends_the_cooldown() {
        let secs = Duration::from_secs;
        let mut cooldown = Cooldown::default();
        assert_eq!(cooldown.admit(secs(0)), Admission::Free);
        cooldown.begin(secs(3_600), "429", secs(0));
        assert_eq!(cooldown.admit(secs(0)), Admission::Refused("429"));
        assert_eq!(cooldown.admit(secs(1)), Admission::Probe);
        assert_eq!(cooldown.admit(secs(1)), Admission::Refused("429"));
        cooldown.probed(false);
        assert_eq!(cooldown.admit(secs(2)), Admission::Probe);
        cooldown.probed(true);
        assert_eq!(cooldown.admit(secs(2)), Admission::Free);
        cooldown.begin(secs(3_600), "429", secs(2));
        let after = secs(2) + MAX_COOLDOWN;
        assert_eq!(cooldown.admit(after), Admission::Free);
    }
}
