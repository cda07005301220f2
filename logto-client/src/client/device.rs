//! Sign-ins on devices without a browser ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).

use logto_core::{
    metadata::ProviderMetadata,
    session::SessionId,
    sign_in::{CompleteSignIn, DeviceAuthorization, DevicePoll, DeviceSignIn, ProviderKeys},
};

use super::LogtoClient;
use crate::{
    entropy::random,
    error::{DeviceEnd, Error},
    provider::Patience,
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
        let session_id = SessionId::from_random(random(&*provider.entropy)?);
        loop {
            provider
                .runtime
                .sleep(device.next_poll().since(provider.now()))
                .await;
            match self.poll(&device, &metadata).await {
                Ok((DevicePoll::Approved(tokens), keys)) => {
                    let resumed = device.resume(tokens, session_id);
                    let machine = CompleteSignIn::new(&provider.config, &metadata, resumed, keys);
                    let completed = self.finish(machine, &[]).await;
                    return completed
                        .map(|completed| completed.session)
                        .map_err(|interrupted| interrupted.error);
                }
                Ok((DevicePoll::Denied, _)) => return Err(Error::Device(DeviceEnd::Denied)),
                Ok((DevicePoll::Expired, _)) => return Err(Error::Device(DeviceEnd::Expired)),
                Ok((answer, _)) => device.note(&answer, provider.now()),
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

    /// Asks once. The keys come first: an approved device code is spent by this, so a failure to fetch
    /// them must cost no more than a poll.
    async fn poll(
        &self,
        device: &DeviceAuthorization,
        metadata: &ProviderMetadata,
    ) -> Result<(DevicePoll, ProviderKeys), Error> {
        let provider = &self.inner.provider;
        let keys = provider.machine_keys().await?;
        let poll = device.poll(&provider.config, metadata, provider.now());
        // The response to an approved poll holds the only copy of the tokens.
        let polled = provider.exchange_with(Patience::Listen, poll).await?;
        Ok((polled, keys))
    }
}
