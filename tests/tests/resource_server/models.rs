//! Logto's three permission models.

use logto_client::{
    LogtoConfig, TokenTarget,
    core::api_token::{AccessTokenVerification, Caller},
    m2m::M2mClient,
};
use logto_storage::MemoryStorage;
use logto_testkit::demo::{ACME, GLOBEX, SHOPPING_API};

use crate::api::{Api, MACHINE, MACHINE_SECRET, bearer, challenge, refused, status, users_token};

async fn machines_token(api: &Api) -> String {
    let config = LogtoConfig::builder(api.world.logto.endpoint(), MACHINE)
        .app_secret(MACHINE_SECRET)
        .build()
        .unwrap();
    let machine = M2mClient::new(config, api.world.context()).unwrap();
    let target = TokenTarget::resource(SHOPPING_API).with_scopes(["read:products"]);
    machine
        .token(&target)
        .await
        .unwrap()
        .token
        .expose()
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn r6_r3_l8_a_token_passes_the_model_it_is_for_and_no_other() {
    let api = Api::new();
    let world = &api.world;
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let id_token = session.snapshot().id_token().unwrap().expose().to_owned();
    let shopping = TokenTarget::resource(SHOPPING_API);
    let tokens = [
        ("api", users_token(world, &shopping).await),
        (
            "organization",
            users_token(world, &TokenTarget::organization(ACME)).await,
        ),
        (
            "organization api",
            users_token(world, &shopping.clone().in_organization(ACME)).await,
        ),
        ("machine", machines_token(&api).await),
        (
            "opaque",
            users_token(world, &TokenTarget::user_info()).await,
        ),
        ("id token", id_token),
    ];
    let issuer = api.server.issuer();
    let models = [
        AccessTokenVerification::api(issuer, SHOPPING_API),
        AccessTokenVerification::api(issuer, "https://billing.your-app.com/api"),
        AccessTokenVerification::organization(issuer, ACME),
        AccessTokenVerification::organization(issuer, GLOBEX),
        AccessTokenVerification::any_organization(issuer),
        AccessTokenVerification::organization_api(issuer, SHOPPING_API, ACME),
        AccessTokenVerification::organization_api(issuer, SHOPPING_API, GLOBEX),
        AccessTokenVerification::any_organization_api(issuer, SHOPPING_API),
    ];
    let expected = [
        [200, 401, 401, 401, 401, 403, 403, 403],
        [401, 401, 200, 403, 200, 401, 401, 401],
        [403, 401, 401, 401, 401, 200, 403, 200],
        [200, 401, 401, 401, 401, 403, 403, 403],
        [401; 8],
        [401; 8],
    ];
    // Twice: a token that was verified before is judged anew by what is demanded.
    for _ in 0..2 {
        for ((name, token), expected) in tokens.iter().zip(expected) {
            for (model, expected) in models.iter().zip(expected) {
                let found = status(api.server.authorize(&bearer(token), model).await);
                assert_eq!(found, expected, "{name}: {model:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r6_r7_claims_say_who_calls_and_within_which_organization() {
    let api = Api::new();
    let shopping = TokenTarget::resource(SHOPPING_API);
    let issuer = api.server.issuer();

    let token = users_token(&api.world, &shopping).await;
    let claims = api.server.verify(&token, &api.demands()).await.unwrap();
    assert_eq!(claims.caller(), Caller::User("user-alice"));
    assert_eq!(claims.client_id, api.world.config().app_id());
    assert_eq!(claims.organization_id, None);
    assert!(claims.scopes.contains("write:products"));

    let token = machines_token(&api).await;
    let claims = api.server.verify(&token, &api.demands()).await.unwrap();
    assert_eq!(claims.caller(), Caller::Application(MACHINE));

    let token = users_token(&api.world, &TokenTarget::organization(ACME)).await;
    let demands = AccessTokenVerification::any_organization(issuer);
    let claims = api.server.verify(&token, &demands).await.unwrap();
    assert_eq!(claims.organization_id.as_deref(), Some(ACME));
    assert_eq!(claims.scopes.iter().collect::<Vec<_>>(), ["read:shipments"]);

    let token = users_token(&api.world, &shopping.in_organization(ACME)).await;
    let demands = AccessTokenVerification::any_organization_api(issuer, SHOPPING_API);
    let claims = api.server.verify(&token, &demands).await.unwrap();
    assert_eq!(claims.organization_id.as_deref(), Some(ACME));
}

#[tokio::test(start_paused = true)]
async fn r5_a_missing_scope_is_403_and_says_which() {
    let api = Api::new();
    let token = users_token(
        &api.world,
        &TokenTarget::resource(SHOPPING_API).with_scopes(["read:products"]),
    )
    .await;
    let demands = api.demands().require_scopes(["read:products"]);
    assert!(api.server.verify(&token, &demands).await.is_ok());
    for missing in [
        "write:products",
        "read",
        "products",
        "read:product",
        "READ:PRODUCTS",
    ] {
        let demands = api.demands().require_scopes([missing]);
        let response = refused(api.server.authorize(&bearer(&token), &demands).await);
        assert_eq!(response.status(), 403, "{missing}");
        let challenge = challenge(&response);
        assert!(
            challenge.contains(r#"error="insufficient_scope""#),
            "{challenge}"
        );
        assert!(
            challenge.contains(&format!(r#"scope="{missing}""#)),
            "{challenge}"
        );
    }
    // `read` does not match `readonly`, and a list is not guessed at.
    let read = api.demands().require_scopes(["read"]);
    let scopes = [
        (serde_json::json!("readonly"), 403),
        (serde_json::json!(""), 403),
        (serde_json::json!(null), 403),
        (serde_json::json!("write read"), 200),
        (serde_json::json!(["read"]), 401),
    ];
    for (scope, expected) in scopes {
        let token = api.with("scope", scope.clone());
        assert_eq!(
            status(api.server.verify(&token, &read).await),
            expected,
            "{scope}"
        );
    }
}
