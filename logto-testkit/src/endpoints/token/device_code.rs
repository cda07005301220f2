//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 section 3.4).

use super::authorization_code;
use crate::{
    context::Context, endpoints::device, error::Outcome, json::Members, model::App, request::Params,
};

pub(super) fn redeem(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let authority = device::poll(cx, &app.id, form.required("device_code")?)?;
    authorization_code::respond(cx, app, &authority, form)
}
