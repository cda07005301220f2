//! The web edge: from the parts of a request to the headers of a response.

pub mod cookies;
