//! Sign-ins on devices without a browser ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).

use logto_core::{
    grants::{DeviceAuthorization, DevicePoll, DeviceSignIn, RedeemedTokens},
    machine::{CompleteDeviceSignIn, DeviceSignedIn},
    session::SessionId,
};

use super::LogtoClient;
use crate::{
    entropy::random,
    error::{DeviceEnd, Error},
    session::WritableSession,
};

impl LogtoClient {
    /// Starts a sign-in on a device without a browser: what to show to the user
    /// ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).
    ///
    /// # Errors
    /// When the provider's metadata cannot be had, or its verdict.
    pub async fn sign_in_on_device(
        &self,
        sign_in: &DeviceSignIn,
    ) -> Result<DeviceAuthorization, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let authorize = sign_in.start(&provider.config, &metadata, provider.now())?;
        provider.exchange(authorize).await
    }

    /// Waits until the user has answered on another device. Asks as often as the provider allows, and
    /// goes on asking through trouble that passes.
    ///
    /// # Errors
    /// [`Error::Device`] when the user denied or was too late, and everything that does not pass.
    pub async fn complete_device_sign_in(
        &self,
        mut device: DeviceAuthorization,
    ) -> Result<WritableSession, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        loop {
            provider
                .runtime
                .sleep(device.next_poll().since(provider.now()))
                .await;
            let poll = device.poll(&provider.config, &metadata, provider.now());
            match provider.exchange(poll).await {
                Ok(DevicePoll::Approved(tokens)) => return self.admit_device(device, tokens).await,
                Ok(DevicePoll::Denied) => return Err(Error::Device(DeviceEnd::Denied)),
                Ok(DevicePoll::Expired) => return Err(Error::Device(DeviceEnd::Expired)),
                Ok(answer) => device.note(&answer, provider.now()),
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

    async fn admit_device(
        &self,
        device: DeviceAuthorization,
        tokens: RedeemedTokens,
    ) -> Result<WritableSession, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let keys = provider.machine_keys().await?;
        let id = SessionId::from_random(random(&*provider.entropy)?);
        let machine =
            CompleteDeviceSignIn::new(&provider.config, &metadata, device, tokens, id, keys);
        let DeviceSignedIn { session, keys, .. } = provider.drive(machine).await??;
        provider.put_keys(keys);
        self.admit(session).await
    }
}
