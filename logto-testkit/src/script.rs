//! Setting faults.

use crate::{faults::Fault, journal::Endpoint, logto::Logto};

impl Logto {
    /// Sets a fault for one exchange with an endpoint: the next one without a fault.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.once(endpoint, fault);
    }

    /// Sets a fault for every exchange with an endpoint until [`Logto::recover`]. Faults set by
    /// [`Logto::fault`] come first.
    pub fn break_down(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.always(endpoint, fault);
    }

    /// Removes all faults of an endpoint.
    pub fn recover(&self, endpoint: Endpoint) {
        self.state().faults.clear(endpoint);
    }
}
