//! Sign-ins on devices without a browser ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).

use std::time::Duration;

use logto_core::{
    session::SessionId,
    sign_in::{CompleteSignIn, DeviceAuthorization, DevicePoll, DeviceSignIn},
};
use sha2::{Digest, Sha256};

use super::LogtoClient;
use crate::{
    entropy::random,
    error::{DeviceEnd, Error},
    provider::Patience,
    runtime::BoxedFuture,
    session::WritableSession,
};

/// How long an approved sign-in waits for its caller: as long as a device code is valid at Logto.
const MAX_APPROVAL_AGE: Duration = Duration::from_secs(600);

/// The result of a sign-in on a device whose code is spent.
pub(super) type Completed = Result<WritableSession, Error>;

/// The result of one poll, for all its callers.
#[derive(Clone)]
pub(super) enum Polled {
    Pending,
    SlowDown,
    Ended(DeviceEnd),
    Approved(Completed),
}

impl LogtoClient {
    /// Starts a sign-in on a device without a browser, and returns what to show to the user ([RFC
    /// 8628](https://www.rfc-editor.org/rfc/rfc8628)).
    ///
    /// # Errors
    /// If the provider's metadata cannot be fetched, or the provider refuses the request.
    pub async fn sign_in_on_device(
        &self,
        sign_in: &DeviceSignIn,
    ) -> Result<DeviceAuthorization, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let authorize = sign_in.start(&provider.config, &metadata, provider.now())?;
        provider.exchange(authorize).await
    }

    /// Waits until the user has responded on another device. Polls as often as the provider allows, and
    /// continues polling after temporary failures.
    ///
    /// A poll continues if its caller stops waiting. If the user approves, the session is stored, and the next
    /// call for the same device within ten minutes returns it: the device code is spent and is never sent
    /// again.
    ///
    /// # Errors
    /// [`Error::Device`] if the user denied or was too late, or if the session was returned before. Any failure
    /// that is not temporary.
    pub async fn complete_device_sign_in(
        &self,
        mut device: DeviceAuthorization,
    ) -> Result<WritableSession, Error> {
        let provider = &self.inner.provider;
        let code = Sha256::digest(device.device_code().expose()).into();
        loop {
            // A poll under way is joined at once, without the pause between two polls.
            if !self.inner.shared.device_polls.is_in_flight(&code) && self.approved(&code).is_none()
            {
                let pause = device.next_poll().since(provider.now());
                provider.context.runtime.sleep(pause).await;
            }
            match self.poll(&device, code).await {
                Ok(Polled::Approved(completed)) => {
                    self.remember_approved(code, None);
                    return completed;
                }
                Ok(Polled::Ended(end)) => return Err(Error::Device(end)),
                Ok(Polled::Pending) => device.note(&DevicePoll::Pending, provider.now()),
                Ok(Polled::SlowDown) => device.note(&DevicePoll::SlowDown, provider.now()),
                Err(error) if error.advice().is_retry() => {
                    device.back_off(error.retry_after(), provider.now());
                }
                Err(error) => return Err(error),
            }
            if device.is_expired(provider.now()) {
                return Err(Error::Device(DeviceEnd::Expired));
            }
        }
    }

    /// Polls once, shared by all callers for this device.
    async fn poll(&self, device: &DeviceAuthorization, code: [u8; 32]) -> Result<Polled, Error> {
        let shared = &self.inner.shared;
        let runtime = &*self.inner.provider.context.runtime;
        let polled = shared.device_polls.join(runtime, code, || {
            let (client, device) = (self.clone(), device.clone());
            async move { client.poll_once(device, code).await }.boxed_future()
        });
        polled.await
    }

    async fn poll_once(
        &self,
        device: DeviceAuthorization,
        code: [u8; 32],
    ) -> Result<Polled, Error> {
        if let Some(polled) = self.approved(&code) {
            return Ok(polled);
        }
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        // The keys come first: an approved poll spends the device code, so a failure to fetch them must cost
        // no more than a poll.
        let keys = provider.machine_keys().await?;
        let session_id = SessionId::from_random(random(&*provider.context.entropy)?);
        let poll = device.poll(&provider.config, &metadata, provider.now());
        // The response to an approved poll is the only copy of the tokens.
        let tokens = match provider.exchange_with(Patience::Listen, poll).await? {
            DevicePoll::Approved(tokens) => tokens,
            DevicePoll::Denied => return Ok(Polled::Ended(DeviceEnd::Denied)),
            DevicePoll::Expired => return Ok(Polled::Ended(DeviceEnd::Expired)),
            DevicePoll::SlowDown => return Ok(Polled::SlowDown),
            _ => return Ok(Polled::Pending),
        };
        let resumed = device.resume(tokens, session_id);
        let machine = CompleteSignIn::new(&provider.config, &metadata, resumed, keys);
        let completed = self.finish(machine, &[]).await;
        let completed = completed
            .map(|completed| completed.session)
            .map_err(|interrupted| interrupted.error);
        self.remember_approved(code, Some(completed.clone()));
        Ok(Polled::Approved(completed))
    }

    /// The result of a sign-in whose code is spent.
    fn approved(&self, code: &[u8; 32]) -> Option<Polled> {
        let now = self.inner.provider.now();
        let completed = self.inner.shared.approved_devices.get(code, now)?;
        Some(completed.map_or(Polled::Ended(DeviceEnd::Spent), Polled::Approved))
    }

    /// Remembers that a device code is spent, with the result that no caller has received yet.
    fn remember_approved(&self, code: [u8; 32], completed: Option<Completed>) {
        let now = self.inner.provider.now();
        let approved = &self.inner.shared.approved_devices;
        approved.insert(code, completed, now.plus(MAX_APPROVAL_AGE), now);
    }
}
