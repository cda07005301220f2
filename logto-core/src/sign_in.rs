//! Signing in, from the start to the session.
//!
//! In a browser: [`SignIn::start`] returns the URL to send the browser to, and a [`PendingSignIn`], which
//! must be kept, sealed and bound to this browser, until the callback. [`PendingSignIn::resume`] consumes it
//! together with the [`Callback`].
//!
//! On a device without a browser: [`DeviceSignIn::start`] leads to a [`DeviceAuthorization`], whose
//! [`resume`](DeviceAuthorization::resume) consumes it after the user approved the sign-in elsewhere.
//!
//! Both return a [`ResumedSignIn`], which [`CompleteSignIn`] turns into a session, or into an
//! [`IncompleteSignIn`], which says what can be done.

mod authorization_request;
mod callback;
mod complete;
mod device;
mod kept;
mod key_search;
mod options;
mod pending;
mod requested;
mod retries;
mod return_to;
mod start;

pub use self::{
    callback::Callback,
    complete::{CompleteSignIn, IncompleteSignIn, Remedy, ResumedSignIn, SignedIn},
    device::{AuthorizeDevice, DeviceAuthorization, DevicePoll, DeviceSignIn, PollDevice},
    key_search::ProviderKeys,
    options::SignIn,
    pending::PendingSignIn,
    retries::Retries,
    return_to::ReturnTo,
    start::SIGN_IN_RANDOM_BYTES,
};
