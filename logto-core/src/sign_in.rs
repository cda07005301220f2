//! Signing in, from the start to the session.
//!
//! In a browser: [`SignIn::start`] returns the URL to send the browser to, and a [`PendingSignIn`], which
//! must be kept, sealed and bound to this browser, until the callback. [`PendingSignIn::resume`] consumes it
//! together with the [`Callback`].
//!
//! On a device without a browser: [`DeviceSignIn::start`] leads to a [`DeviceAuthorization`], whose
//! [`resume`](DeviceAuthorization::resume) consumes it after the user approved the sign-in elsewhere.
//!
//! Both return a [`ResumedSignIn`], which [`CompleteSignIn`] turns into a session.

mod authorization_request;
mod callback;
mod complete;
mod device;
mod kept;
mod key_search;
mod pending;
mod requested;
mod return_to;
mod start;

pub use self::{
    callback::Callback,
    complete::{CompleteSignIn, ResumedSignIn, SignedIn},
    device::{AuthorizeDevice, DeviceAuthorization, DevicePoll, DeviceSignIn, PollDevice},
    key_search::ProviderKeys,
    pending::PendingSignIn,
    return_to::ReturnTo,
    start::{SIGN_IN_RANDOM_BYTES, SignIn},
};
