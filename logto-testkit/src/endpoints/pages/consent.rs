//! The consent page of third-party applications.

use bytes::Bytes;
use http::{Method, Response};

use super::flow;
use crate::{
    authorize::consent,
    context::Context,
    error::OAuthError,
    interactions::Errand,
    page::{self, ConsentPage},
    reply,
    request::Incoming,
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    if request.method == Method::POST {
        submit(cx, request)
    } else {
        show(cx, request)
    }
}

fn show(cx: &Context<'_>, request: &Incoming) -> Response<Bytes> {
    let (errand, session) = (flow::errand(cx, request), flow::session(cx, request));
    let Some(((id, errand), (_, session))) = errand.zip(session) else {
        return flow::not_found();
    };
    let wanted = errand.wanted();
    let organizations = consent::organizations(cx, wanted, &session.user_id);
    let organizations: Vec<(&str, &str)> = organizations
        .iter()
        .map(|organization| (organization.id.as_str(), organization.name.as_str()))
        .collect();
    let scopes = consent::listed(cx, wanted, &session.user_id);
    let html = page::consent(&ConsentPage {
        client_id: &wanted.client_id,
        action: &format!("{}/consent", cx.addresses.base),
        interaction: id,
        scopes: &scopes,
        organizations: &organizations,
        cancel: match errand {
            Errand::Authorize(request) => Some(&request.redirect_uri),
            Errand::ApproveDevice { .. } => None,
        },
    });
    reply::no_store(reply::html(html))
}

fn submit(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let form = match request.form() {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let id = form.get("interaction").unwrap_or_default();
    let errand = cx.state.interactions.get(id, cx.now).cloned();
    let session = flow::session(cx, request).map(|(id, _)| id);
    let Some((errand, session)) = errand.zip(session) else {
        return flow::not_found();
    };
    let selected: Vec<&str> = form.all("organization_id").collect();
    if consent::to_organizations(cx, &errand, session, &selected).is_err() {
        let error = OAuthError::invalid_request("user is not a member of the organization");
        return reply::no_store(error.into_response());
    }
    cx.state.interactions.end(id);
    flow::finish(cx, &errand, session)
}
