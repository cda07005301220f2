//! The pages that people see on their way, and what they send from there.

mod consent;
mod device;
pub(crate) mod flow;
mod sign_in;

use bytes::Bytes;
use http::Response;

use crate::{context::Context, request::Incoming};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    match request.path.as_str() {
        "/consent" => consent::handle(cx, request),
        path if path.starts_with("/device") => device::handle(cx, request),
        _ => sign_in::handle(cx, request),
    }
}
