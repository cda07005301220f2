//! The refreshes that were recorded from a real Logto.

use logto_core::{
    LogtoConfig, Machine, Session, TokenTarget, metadata::ProviderMetadata, refresh::Demand,
    sign_in::CompleteSignIn,
};
use logto_recordings::Recording;
use serde_json::json;

use crate::support::{
    provider::{self, NOW, done, pending_record, recorded_metadata, resumed, sent},
    refreshing::{Refreshing, job},
    signing::provider_keys,
};

/// The session of the recorded sign-in.
fn recorded_session(config: &LogtoConfig, metadata: &ProviderMetadata) -> Session {
    let recording = Recording::load(6);
    let mut record = pending_record(config);
    record["nonce"] = json!("Q1rSyedAWtL-IMwx0D7kOw");
    record["scopes"] = json!(["openid", "read:products", "read:shipments"]);
    record["resources"] = json!([
        "https://shopping.your-app.com/api",
        "urn:logto:resource:organizations",
    ]);
    let resumed = resumed(record, config, metadata, "c");
    let mut machine = CompleteSignIn::new(config, metadata, resumed, provider_keys(None));
    sent(&mut machine);
    machine.handle(recording.response, NOW);
    sent(&mut machine);
    machine.handle(Recording::load(2).response, NOW);
    done(&mut machine).unwrap().session
}

#[test]
fn t20_the_recorded_refreshes_are_replayed_on_the_recorded_session() {
    let config = provider::recorded_builder().build().unwrap();
    let metadata = recorded_metadata();
    let shopping = || TokenTarget::resource("https://shopping.your-app.com/api");
    let template = || TokenTarget::resource("urn:logto:resource:organizations");
    let mut session = recorded_session(&config, &metadata);
    for (number, target) in [
        (13, TokenTarget::user_info()),
        (14, shopping()),
        (15, shopping().with_scopes(["read:products"])),
        (16, TokenTarget::organization("8z8fuwxwnifo")),
        (
            17,
            TokenTarget::organization("8z8fuwxwnifo").with_scopes(["read:shipments"]),
        ),
        (18, shopping().in_organization("8z8fuwxwnifo")),
        (19, template()),
        (20, template().in_organization("8z8fuwxwnifo")),
        (22, TokenTarget::organization("nsa935aaxlak")),
    ] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let job = job(config.clone(), &target, Demand::New);
        let mut refreshing = Refreshing::of(job, metadata.clone(), &session, None, NOW);
        assert_eq!(
            provider::form(&refreshing.sent()),
            provider::form(&recording.request),
            "{number}"
        );
        refreshing.respond(recording.response, NOW);
        if answer["id_token"].is_string() {
            assert_eq!(refreshing.sent().uri().path(), "/oidc/jwks", "{number}");
            refreshing.respond(Recording::load(2).response, NOW);
        }
        let refreshed = refreshing.done();
        let token = refreshed.token.unwrap();
        assert_eq!(Some(token.token.expose()), answer["access_token"].as_str());
        assert!(refreshed.delta.refresh_token.is_none(), "Logto kept it");
        session.apply(&refreshed.delta);
        assert_eq!(refreshed.session, session, "{number}");
        assert!(session.usable_token(&config, &target, NOW).is_some());
    }
    assert_eq!(session.access_tokens().len(), 9);
    assert_eq!(
        session.refresh_token().unwrap().expose(),
        "4iZh2nzm7ul2gUqLsvOLfPEBtGFGbaVO80XGa9yAxOL"
    );
}
