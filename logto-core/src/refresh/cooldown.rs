//! Pausing requests to an endpoint at its request.

use std::time::Duration;

use crate::time::UnixTime;

/// The longest pause that one response can cause, whatever its `Retry-After` says: the response may be meant
/// for one user, or come from a proxy.
pub const MAX_COOLDOWN: Duration = Duration::from_secs(30);
/// How often a probe checks whether the endpoint has recovered.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The pause of an endpoint, and the error that asked for it.
///
/// During the pause one request a second, and one at a time, is sent as a probe. The first response that does
/// not ask for another pause ends the cooldown for all requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cooldown<E> {
    cooling: Option<Cooling<E>>,
    next_probe_at: UnixTime,
    is_probing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cooling<E> {
    since: UnixTime,
    until: UnixTime,
    error: E,
}

/// Whether a request may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission<E> {
    /// There is no cooldown.
    Free,
    /// There is one, and this request is the probe. Its end must be reported by [`Cooldown::probed`].
    Probe,
    /// There is one, and this request is not the probe.
    Refused(E),
}

impl<E> Default for Cooldown<E> {
    fn default() -> Self {
        Self {
            cooling: None,
            next_probe_at: UnixTime::from_secs(0),
            is_probing: false,
        }
    }
}

impl<E: Clone> Cooldown<E> {
    /// Asks to send a request.
    pub fn admit(&mut self, now: UnixTime) -> Admission<E> {
        // A clock that was set back ends a cooldown instead of prolonging it.
        let cooling = self
            .cooling
            .as_ref()
            .filter(|cooling| cooling.since <= now && now < cooling.until);
        let Some(cooling) = cooling else {
            *self = Self::default();
            return Admission::Free;
        };
        if self.is_probing || now < self.next_probe_at {
            return Admission::Refused(cooling.error.clone());
        }
        self.is_probing = true;
        self.next_probe_at = now.plus(PROBE_INTERVAL);
        Admission::Probe
    }

    /// Pauses requests for `pause`, at most [`MAX_COOLDOWN`].
    pub fn begin(&mut self, pause: Duration, error: E, now: UnixTime) {
        self.cooling = Some(Cooling {
            since: now,
            until: now.plus(pause.min(MAX_COOLDOWN)),
            error,
        });
        self.next_probe_at = now.plus(PROBE_INTERVAL);
    }

    /// The probe has ended; `answered` if the endpoint did not ask for another pause.
    pub fn probed(&mut self, answered: bool) {
        self.is_probing = false;
        if answered {
            self.cooling = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_one_probe_at_a_time_and_an_answer_ends_the_cooldown() {
        let at = UnixTime::from_secs;
        let hour = Duration::from_secs(3_600);
        let mut cooldown = Cooldown::default();
        assert_eq!(cooldown.admit(at(0)), Admission::Free);
        cooldown.begin(hour, "429", at(0));
        assert_eq!(cooldown.admit(at(0)), Admission::Refused("429"));
        assert_eq!(cooldown.admit(at(1)), Admission::Probe);
        assert_eq!(cooldown.admit(at(9)), Admission::Refused("429"));
        cooldown.probed(false);
        assert_eq!(cooldown.admit(at(9)), Admission::Probe);
        cooldown.probed(true);
        assert_eq!(cooldown.admit(at(9)), Admission::Free);

        cooldown.begin(hour, "429", at(9));
        assert_eq!(cooldown.admit(at(8)), Admission::Free, "clock went back");
        cooldown.begin(hour, "429", at(9));
        assert_eq!(cooldown.admit(at(9).plus(MAX_COOLDOWN)), Admission::Free);
    }
}
