//! The claims about a user, by scope, in the order in which Logto sends them.

use serde_json::Value;

use crate::{
    json::{Json, Members},
    model::{ORGANIZATIONS_SCOPE, Tenant, User},
};

/// The scopes that Logto knows without any API resource.
pub(crate) const OIDC_SCOPES: [&str; 13] = [
    "openid",
    "offline_access",
    "profile",
    "email",
    "phone",
    "address",
    "custom_data",
    "identities",
    "roles",
    ORGANIZATIONS_SCOPE,
    "urn:logto:scope:organization_roles",
    "urn:logto:scope:sessions",
    "urn:logto:scope:trusted_devices",
];

/// Where claims are sent: the ID token leaves out what is large.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    IdToken,
    UserInfo,
}

/// `sub` and what the scopes ask for.
pub(crate) fn of_user(
    tenant: &Tenant,
    user: &User,
    scopes: &[String],
    destination: Destination,
) -> Members {
    let asked = |scope: &str| scopes.iter().any(|granted| granted == scope);
    let full = destination == Destination::UserInfo;
    let mut claims = Members::new().with("sub", user.id.as_str());
    if asked("profile") {
        profile(&mut claims, user);
    }
    if asked("email") {
        claims.push("email", user.email.clone());
        claims.push("email_verified", user.email.is_some());
    }
    if asked("phone") {
        claims.push("phone_number", user.phone.clone());
        claims.push("phone_number_verified", user.phone.is_some());
    }
    if asked("address") {
        standard(&mut claims, user, "address");
    }
    if full && asked("custom_data") {
        claims.push("custom_data", user.custom_data.clone());
    }
    if full && asked("identities") {
        claims.push("identities", Value::Object(serde_json::Map::new()));
        claims.push("sso_identities", Vec::<String>::new());
    }
    if asked("roles") {
        claims.push("roles", user.roles.clone());
    }
    organizations(&mut claims, tenant, user, asked, full);
    claims
}

fn profile(claims: &mut Members, user: &User) {
    claims.push("name", user.name.clone());
    for name in [
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
    ] {
        standard(claims, user, name);
    }
    claims.push("picture", user.picture.clone());
    for name in ["website", "gender", "birthdate", "zoneinfo", "locale"] {
        standard(claims, user, name);
    }
    claims.push("updated_at", user.updated_at);
    claims.push("username", user.username.as_str());
    claims.push("created_at", user.created_at);
}

fn standard(claims: &mut Members, user: &User, name: &'static str) {
    if let Some(value) = user.profile.get(name) {
        claims.push(name, value.clone());
    }
}

fn organizations(
    claims: &mut Members,
    tenant: &Tenant,
    user: &User,
    asked: impl Fn(&str) -> bool,
    full: bool,
) {
    let organizations = tenant.organizations_of(&user.username);
    if asked(ORGANIZATIONS_SCOPE) {
        let ids: Vec<_> = organizations
            .iter()
            .map(|organization| organization.id.clone())
            .collect();
        claims.push("organizations", ids);
        if full {
            let data = organizations
                .iter()
                .map(|organization| {
                    Members::new()
                        .with("id", organization.id.as_str())
                        .with("name", organization.name.as_str())
                        .with("description", organization.description.clone())
                })
                .collect();
            claims.push("organization_data", Json::Array(data));
        }
    }
    if asked("urn:logto:scope:organization_roles") {
        let roles: Vec<_> = organizations
            .iter()
            .flat_map(|organization| {
                let of_user = organization.members.get(&user.username);
                of_user
                    .into_iter()
                    .flatten()
                    .map(|role| format!("{}:{role}", organization.id))
            })
            .collect();
        claims.push("organization_roles", roles);
    }
}
