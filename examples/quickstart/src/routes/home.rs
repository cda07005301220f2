//! The page.

use axum::extract::State;
use axum::response::Response;
use logto::{
    LogtoConfig, ReadOnlySession, TokenTarget, WritableSession,
    axum::{ReadOnly, Session},
    core::vocabulary::ReservedResource,
};

use crate::{
    app::App,
    claims::ClaimsTable,
    page::{self, MachineRow, PartRow, Problem, SignedInPage, SignedOutPage, TokenRow},
    routes::machine,
    span::ago,
};

/// Of how many organizations the page fetches tokens; `/organizations` has all.
const ORGANIZATIONS_SHOWN: usize = 3;

/// `GET /`: who is signed in, and everything the session can give. The read-only view is taken first and
/// stays as it was.
pub(crate) async fn page(
    State(app): State<App>,
    read_only: Option<ReadOnly>,
    session: Option<Session>,
) -> Response {
    let Some((read_only, session)) = read_only.zip(session) else {
        return signed_out(&app, None);
    };
    let page = signed_in(&app, &read_only, &session).await;
    match session.ended() {
        Some(ended) => signed_out(&app, Some(ended.to_string())),
        None => page::html(&page),
    }
}

async fn signed_in<'a>(
    app: &'a App,
    read_only: &ReadOnlySession,
    session: &WritableSession,
) -> SignedInPage<'a> {
    let now = app.logto.client().clock().now();
    let claims = session.claims();
    let user_info = session.user_info().await;
    let organizations = session.organizations().await.unwrap_or_default();
    let shown = organizations
        .get(..ORGANIZATIONS_SHOWN)
        .unwrap_or(&organizations);

    let mut tokens = Vec::new();
    for target in targets(app.logto.client().config(), shown) {
        let outcome = session.access_token(&target).await;
        tokens.push(TokenRow::new(&target, read_only, outcome, now));
    }
    let mut machine_tokens = Vec::new();
    for resource in apis(app.logto.client().config()) {
        if let Some(outcome) = machine::fetch(app, resource).await {
            machine_tokens.push(MachineRow::new(resource, outcome, now));
        }
    }
    let snapshot = session.snapshot();
    let parts = PartRow::all(&snapshot, read_only, now);
    let known_as = [&claims.user.name, &claims.user.username, &claims.user.email];
    let name = known_as
        .iter()
        .find_map(|claim| claim.as_deref())
        .unwrap_or(&claims.sub);
    SignedInPage {
        initial: name.chars().take(1).flat_map(char::to_uppercase).collect(),
        name: name.to_owned(),
        signed_in: ago(snapshot.created_at(), now),
        storage: app.storage().as_str(),
        tokens,
        has_machine: app.machine.is_some(),
        machine_tokens,
        device: app
            .device
            .as_ref()
            .map(|device| device.progress(&claims.sub)),
        can_approve: app.embedded.is_some(),
        hidden_organizations: organizations.len().saturating_sub(shown.len()),
        claims: ClaimsTable::new("claims", claims.to_map(), now),
        user_info: match user_info {
            Ok(user_info) => Ok(ClaimsTable::new("user-info", user_info.to_map(), now)),
            Err(error) => Err(Problem::new(&error)),
        },
        characters: parts.iter().map(|part| part.length).sum(),
        parts,
    }
}

/// Userinfo, each resource, each organization, and each resource within each organization.
fn targets(config: &LogtoConfig, organizations: &[String]) -> Vec<TokenTarget> {
    let resources: Vec<&String> = apis(config).collect();
    let mut targets = vec![TokenTarget::user_info()];
    targets.extend(resources.iter().copied().map(TokenTarget::resource));
    for organization in organizations {
        targets.push(TokenTarget::organization(organization));
        let within =
            |resource: &&String| TokenTarget::resource(*resource).in_organization(organization);
        targets.extend(resources.iter().map(within));
    }
    targets
}

/// The resources that stand for APIs.
fn apis(config: &LogtoConfig) -> impl Iterator<Item = &String> {
    let organizations = ReservedResource::Organizations.as_str();
    config
        .resources()
        .iter()
        .filter(move |resource| *resource != organizations)
}

fn signed_out(app: &App, notice: Option<String>) -> Response {
    let config = app.logto.client().config();
    page::html(&SignedOutPage {
        endpoint: config.endpoint().as_str(),
        app_id: config.app_id(),
        storage: app.storage().as_str(),
        demo_users: app.demo_users,
        notice,
    })
}
