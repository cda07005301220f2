//! Devices that wait for their users (RFC 8628).

use std::collections::HashMap;

use crate::{authorization_request::Wanted, clock::Moment, store::Authority};

pub(crate) struct Device {
    pub(crate) user_code: String,
    pub(crate) wanted: Wanted,
    pub(crate) expires_at: Moment,
    pub(crate) progress: Progress,
}

#[derive(Clone)]
pub(crate) enum Progress {
    Pending,
    Denied,
    Approved(Box<Authority>),
    Consumed,
}

/// Devices by device code.
#[derive(Default)]
pub(crate) struct Devices(HashMap<String, Device>);

impl Devices {
    pub(crate) fn insert(&mut self, device_code: String, device: Device) {
        self.0.insert(device_code, device);
    }

    pub(crate) fn get_mut(&mut self, device_code: &str) -> Option<&mut Device> {
        self.0.get_mut(device_code)
    }

    /// What the device wants that waits with a user code, typed in whatever case and with or without the hyphen.
    pub(crate) fn waiting(&self, user_code: &str, now: Moment) -> Option<&Device> {
        self.0.values().find(|device| device.waits(user_code, now))
    }

    /// Ends the waiting of the device with a user code; `false` when none waits with it.
    pub(crate) fn answer(&mut self, user_code: &str, progress: Progress, now: Moment) -> bool {
        let mut devices = self.0.values_mut();
        let device = devices.find(|device| device.waits(user_code, now));
        device.is_some_and(|device| {
            device.progress = progress;
            true
        })
    }
}

impl Device {
    fn waits(&self, user_code: &str, now: Moment) -> bool {
        normalized(&self.user_code) == normalized(user_code)
            && now < self.expires_at
            && matches!(self.progress, Progress::Pending)
    }
}

fn normalized(user_code: &str) -> String {
    let letters = user_code.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}
