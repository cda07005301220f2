//! Consent. The tenant's own applications have it; for a third party the user is asked.

use super::grant;
use crate::{
    authorization_request::Wanted,
    context::Context,
    error::OAuthError,
    interactions::Errand,
    model::{AppKind, ORGANIZATIONS_SCOPE, Organization},
    store::Session,
};

/// Whether the consent page is shown to the session's user. Native applications ask every time.
pub(crate) fn is_asked(cx: &Context<'_>, errand: &Errand, session: &Session) -> bool {
    let wanted = errand.wanted();
    let app = cx.state.tenant.apps.get(&wanted.client_id);
    app.filter(|app| app.third_party.is_some())
        .is_some_and(|app| {
            app.kind == AppKind::Native
                || errand.prompts_for_consent()
                || missing(cx, wanted, session).is_some()
        })
}

/// What the consent page lists: scopes about the user, then permissions.
pub(crate) fn listed(cx: &Context<'_>, wanted: &Wanted, user_id: &str) -> Vec<String> {
    let mut listed = wanted.oidc_scopes();
    listed.retain(|scope| scope != "openid" && scope != "offline_access");
    for scope in grant::resource_grants(cx, wanted, user_id)
        .into_values()
        .flatten()
    {
        if !listed.contains(&scope) {
            listed.push(scope);
        }
    }
    listed
}

/// The organizations that the consent page offers.
pub(crate) fn organizations<'a>(
    cx: &'a Context<'_>,
    wanted: &Wanted,
    user_id: &str,
) -> Vec<&'a Organization> {
    let tenant = &cx.state.tenant;
    let user = tenant.user(user_id);
    match user.filter(|_| is_third_party(cx, wanted) && wanted.has_scope(ORGANIZATIONS_SCOPE)) {
        Some(user) => tenant.organizations_of(&user.username),
        None => Vec::new(),
    }
}

/// Consents, if that is asked for, with the organization that the page has selected when it opens: the first.
pub(crate) fn to_preselected(cx: &mut Context<'_>, errand: &Errand, session_id: &str) {
    let session = cx.state.store.session(session_id, cx.now);
    let Some(session) = session.filter(|session| is_asked(cx, errand, session)) else {
        return;
    };
    let user_id = session.user_id.clone();
    let offered = organizations(cx, errand.wanted(), &user_id);
    if let Some(first) = offered.first().map(|first| first.id.clone()) {
        let client_id = &errand.wanted().client_id;
        let store = &mut cx.state.store;
        store.consent_to_organization(client_id, &user_id, &first);
    }
}

/// Consents with these organizations; when the page does not offer one of them, gives it and does nothing.
pub(crate) fn to_organizations<'a>(
    cx: &mut Context<'_>,
    errand: &Errand,
    session_id: &str,
    selected: &[&'a str],
) -> Result<(), &'a str> {
    let session = cx.state.store.session(session_id, cx.now);
    let user_id = session.map_or_else(String::new, |session| session.user_id.clone());
    let offered = organizations(cx, errand.wanted(), &user_id);
    let is_offered = |id: &str| offered.iter().any(|organization| organization.id == id);
    if let Some(stranger) = selected.iter().find(|id| !is_offered(id)) {
        return Err(stranger);
    }
    for id in selected {
        let client_id = &errand.wanted().client_id;
        let store = &mut cx.state.store;
        store.consent_to_organization(client_id, &user_id, id);
    }
    Ok(())
}

fn is_third_party(cx: &Context<'_>, wanted: &Wanted) -> bool {
    let app = cx.state.tenant.apps.get(&wanted.client_id);
    app.is_some_and(|app| app.third_party.is_some())
}

/// Why a request with `prompt=none` cannot be answered from this session.
pub(crate) fn missing(cx: &Context<'_>, wanted: &Wanted, session: &Session) -> Option<OAuthError> {
    let store = &cx.state.store;
    let app = session.apps.get(&wanted.client_id);
    let grant = app.and_then(|app| store.grant(&app.grant_id, cx.now));
    let covered = grant.is_some_and(|grant| {
        let known = |scope| grant.scopes.contains(scope);
        wanted.oidc_scopes().iter().all(known)
            && grant::resource_grants(cx, wanted, &session.user_id)
                .iter()
                .all(|(resource, scopes)| {
                    let granted = grant.resources.get(resource);
                    granted
                        .is_some_and(|granted| scopes.iter().all(|scope| granted.contains(scope)))
                })
    });
    (!covered).then(|| OAuthError::new("consent_required", "requested scopes not granted"))
}
