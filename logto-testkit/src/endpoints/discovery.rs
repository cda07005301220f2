//! `GET /oidc/.well-known/openid-configuration` and its OAuth twin.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    claims::OIDC_SCOPES,
    context::Context,
    json::Members,
    model::{DEVICE_CODE, TOKEN_EXCHANGE},
    reply,
};

const CLAIMS: [&str; 32] = [
    "sub",
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "username",
    "created_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
    "custom_data",
    "identities",
    "sso_identities",
    "roles",
    "organizations",
    "organization_data",
    "organization_roles",
    "sid",
    "auth_time",
    "iss",
];

const GRANT_TYPES: [&str; 6] = [
    "implicit",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    DEVICE_CODE,
    TOKEN_EXCHANGE,
];

pub(super) fn handle(cx: &Context<'_>) -> Response<Bytes> {
    let at = |path: &str| cx.addresses.oidc(path);
    let document = Members::new()
        .with("authorization_endpoint", at("/auth"))
        .with("device_authorization_endpoint", at("/device/auth"))
        .with("claims_parameter_supported", false)
        .with("claims_supported", list(&CLAIMS))
        .with("code_challenge_methods_supported", list(&["S256"]))
        .with("end_session_endpoint", at("/session/end"))
        .with("grant_types_supported", list(&GRANT_TYPES))
        .with("issuer", cx.issuer())
        .with("jwks_uri", at("/jwks"))
        .with("authorization_response_iss_parameter_supported", true)
        .with(
            "response_modes_supported",
            list(&["form_post", "fragment", "query"]),
        )
        .with(
            "response_types_supported",
            list(&["code id_token", "code", "id_token", "none"]),
        )
        .with("scopes_supported", list(&OIDC_SCOPES))
        .with("subject_types_supported", list(&["public"]))
        .with(
            "token_endpoint_auth_methods_supported",
            list(&[
                "client_secret_basic",
                "client_secret_jwt",
                "client_secret_post",
                "private_key_jwt",
                "none",
            ]),
        )
        .with(
            "token_endpoint_auth_signing_alg_values_supported",
            list(&["HS256", "RS256", "PS256", "ES256", "Ed25519", "EdDSA"]),
        )
        .with("token_endpoint", at("/token"))
        .with(
            "id_token_signing_alg_values_supported",
            list(&cx.state.keys.algorithms()),
        )
        .with("pushed_authorization_request_endpoint", at("/request"))
        .with("request_uri_parameter_supported", false)
        .with("userinfo_endpoint", at("/me"))
        .with("introspection_endpoint", at("/token/introspection"))
        .with("revocation_endpoint", at("/token/revocation"))
        .with("backchannel_logout_supported", true)
        .with("backchannel_logout_session_supported", true)
        .with("claim_types_supported", list(&["normal"]));
    reply::json(StatusCode::OK, &document)
}

fn list(words: &[&'static str]) -> Vec<&'static str> {
    words.to_vec()
}
