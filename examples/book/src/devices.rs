//! Devices without a browser.

use logto::core::sign_in::{DeviceAuthorization, DeviceSignIn};
use logto::{Error, LogtoClient, WritableSession};

// ANCHOR: device
/// Shows a code, and waits until the user has entered it on a phone or a computer.
pub async fn sign_in(
    client: &LogtoClient,
    show: impl FnOnce(&DeviceAuthorization),
) -> Result<WritableSession, Error> {
    let device = client.sign_in_on_device(&DeviceSignIn::new()).await?;
    // `device.verification_uri` and `device.user_code`, or a QR code of `verification_uri_complete`.
    show(&device);
    client.complete_device_sign_in(device).await
}
// ANCHOR_END: device
