//! Jobs of several round trips, chosen while they run. [`Machine`](crate::Machine) says how to drive
//! them.

mod complete_device_sign_in;
mod complete_sign_in;
mod key_search;
mod obtain_token;

pub use complete_device_sign_in::{CompleteDeviceSignIn, DeviceSignedIn};
pub use complete_sign_in::{CompleteSignIn, SignedIn};
pub use key_search::ProviderKeys;
pub use obtain_token::{ObtainToken, Obtained};
