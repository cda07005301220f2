//! What a test lets go wrong.

use crate::{faults::Fault, journal::Endpoint, logto::Logto};

impl Logto {
    /// Lets one exchange with an endpoint go wrong: the next one that no earlier fault is waiting for.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.once(endpoint, fault);
    }

    /// Lets every exchange with an endpoint go wrong until [`Logto::recover`]; what [`Logto::fault`] scripted
    /// comes first.
    pub fn break_down(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.always(endpoint, fault);
    }

    /// Ends what [`Logto::fault`] and [`Logto::break_down`] began at an endpoint.
    pub fn recover(&self, endpoint: Endpoint) {
        self.state().faults.clear(endpoint);
    }
}
