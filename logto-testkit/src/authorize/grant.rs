//! From a signed-in user to a code: the grant, the code.

use std::{collections::HashMap, time::Duration};

use crate::{
    authorization_request::{AuthorizationRequest, Wanted},
    callback::Callback,
    context::Context,
    store::{Authority, Code, GRANT_TTL, Grant, SESSION_TTL, SessionApp},
};

const CODE_TTL: Duration = Duration::from_secs(60);

/// Grants what was asked for and sends a code. `None` when the session or the application is gone.
pub(crate) fn grant(
    cx: &mut Context<'_>,
    request: &AuthorizationRequest,
    session_id: &str,
) -> Option<Callback> {
    let authority = authorize(cx, &request.wanted, session_id)?;
    let value = cx.state.random.token();
    let code = Code {
        authority,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        expires_at: cx.now.plus(CODE_TTL),
        consumed: false,
    };
    cx.state.store.codes.insert(value.clone(), code);
    Some(request.return_address.with_code(value))
}

/// Grants what was asked for and the user may have, and, to a third-party application, consented to.
pub(crate) fn authorize(
    cx: &mut Context<'_>,
    wanted: &Wanted,
    session_id: &str,
) -> Option<Authority> {
    let now = cx.now;
    let session = cx.state.store.session(session_id, now)?.clone();
    let includes_sid = cx.state.tenant.apps.get(&wanted.client_id)?.includes_sid();
    let scopes = wanted.oidc_scopes();
    let resources = resource_grants(cx, wanted, &session.user_id);
    let offline = scopes.iter().any(|scope| scope == "offline_access");

    let known = session.apps.get(&wanted.client_id);
    let usable = known.filter(|app| cx.state.store.grant(&app.grant_id, now).is_some());
    let (new_grant, new_sid) = (cx.state.random.token(), cx.state.random.token());
    let in_session = SessionApp {
        grant_id: usable.map_or(new_grant, |app| app.grant_id.clone()),
        sid: known.map_or(new_sid, |app| app.sid.clone()),
        persists: offline || usable.is_some_and(|app| app.persists),
    };
    let authority = Authority {
        grant_id: in_session.grant_id.clone(),
        app_id: wanted.client_id.clone(),
        user_id: session.user_id.clone(),
        scopes: with_resource_scopes(wanted, &scopes, &resources),
        resources: wanted.resources.clone(),
        nonce: wanted.nonce.clone(),
        auth_time: wanted.auth_time.then(|| session.signed_in_at.seconds()),
        sid: includes_sid.then(|| in_session.sid.clone()),
        bound_to: (!offline).then(|| session_id.to_owned()),
    };
    extend_grant(cx, &authority, scopes, resources);
    if let Some(session) = cx.state.store.sessions.get_mut(session_id) {
        session.apps.insert(wanted.client_id.clone(), in_session);
        session.expires_at = now.plus(SESSION_TTL);
    }
    Some(authority)
}

/// The permissions of each named API resource that were asked for and that the user can give to the application.
pub(crate) fn resource_grants(
    cx: &Context<'_>,
    wanted: &Wanted,
    user_id: &str,
) -> HashMap<String, Vec<String>> {
    let tenant = &cx.state.tenant;
    let user = tenant.user(user_id);
    let Some((user, app)) = user.zip(tenant.apps.get(&wanted.client_id)) else {
        return HashMap::new();
    };
    let selected = cx.state.store.consented_organizations(&app.id, user_id);
    let of_resource = |resource: &String| {
        let available = tenant.grantable_permissions(user, app, resource, &selected);
        let asked = wanted
            .scopes
            .iter()
            .filter(|scope| available.contains(scope));
        (resource.clone(), asked.cloned().collect())
    };
    wanted.resources.iter().map(of_resource).collect()
}

fn with_resource_scopes(
    wanted: &Wanted,
    oidc: &[String],
    resources: &HashMap<String, Vec<String>>,
) -> Vec<String> {
    let of_resources = wanted.scopes.iter().filter(|scope| {
        !oidc.contains(scope) && resources.values().any(|granted| granted.contains(scope))
    });
    oidc.iter().chain(of_resources).cloned().collect()
}

/// A later sign-in of the same application in the same session adds to the grant that it already has.
fn extend_grant(
    cx: &mut Context<'_>,
    authority: &Authority,
    scopes: Vec<String>,
    resources: HashMap<String, Vec<String>>,
) {
    let expires_at = cx.now.plus(GRANT_TTL);
    let grant = cx
        .state
        .store
        .grants
        .entry(authority.grant_id.clone())
        .or_insert_with(|| Grant {
            scopes: Vec::new(),
            resources: HashMap::new(),
            expires_at,
            revoked: false,
        });
    union(&mut grant.scopes, scopes);
    for (resource, scopes) in resources {
        union(grant.resources.entry(resource).or_default(), scopes);
    }
}

fn union(known: &mut Vec<String>, more: Vec<String>) {
    for scope in more {
        if !known.contains(&scope) {
            known.push(scope);
        }
    }
}
