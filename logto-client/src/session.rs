//! Open sessions: the writable one, which can refresh and store, and the read-only one, which cannot.

mod read_only;
mod user;
mod writable;

pub use self::{
    read_only::{Cached, ReadOnlySession},
    writable::WritableSession,
};
