//! The pages for a device that has no browser of its own.

use super::{
    Browser, BrowserError,
    sign_in::{begin_session, consent_to},
};
use crate::{devices::Progress, endpoints::device, interactions::Errand};

impl Browser {
    /// Enters the code that a device shows, in whatever case, and confirms it. When the browser has no session,
    /// `username` signs in. Consents as [`Browser::sign_in`] does.
    ///
    /// # Errors
    ///
    /// [`BrowserError::UnknownUserCode`] when no device waits with that code, [`BrowserError::UnknownUser`] when
    /// the user may not sign in.
    pub fn approve_device(&self, user_code: &str, username: &str) -> Result<(), BrowserError> {
        let unknown = || BrowserError::UnknownUserCode(user_code.to_owned());
        let mut session = self.session();
        self.logto.with(|cx| {
            let device = cx.state.devices.waiting(user_code, cx.now);
            let wanted = device.ok_or_else(unknown)?.wanted.clone();
            let current = session.as_deref().filter(|id| {
                let session = cx.state.store.session(id, cx.now);
                session.is_some_and(|session| cx.active_user(&session.user_id).is_some())
            });
            let id = match current {
                Some(id) => id.to_owned(),
                None => begin_session(cx, session.as_deref(), username)?,
            };
            *session = Some(id.clone());
            let errand = Errand::ApproveDevice {
                user_code: user_code.to_owned(),
                wanted,
            };
            consent_to(cx, &errand, &id, None)?;
            device::approve(cx, user_code, &id)
                .then_some(())
                .ok_or_else(unknown)
        })
    }

    /// Enters the code that a device shows, and refuses it: the device is told `access_denied`.
    ///
    /// # Errors
    ///
    /// [`BrowserError::UnknownUserCode`] when no device waits with that code.
    pub fn deny_device(&self, user_code: &str) -> Result<(), BrowserError> {
        let known = self.logto.with(|cx| {
            let devices = &mut cx.state.devices;
            devices.answer(user_code, Progress::Denied, cx.now)
        });
        known
            .then_some(())
            .ok_or_else(|| BrowserError::UnknownUserCode(user_code.to_owned()))
    }
}
