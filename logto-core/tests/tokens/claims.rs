//! Claims: recorded ones, and unexpected ones.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_core::{UnixTime, claims::*};
use logto_recordings::Recording;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[test]
fn g12_g14_recorded_id_token_is_typed() {
    let payload = recorded_id_token();
    let claims: IdTokenClaims = serde_json::from_value(payload.clone()).unwrap();

    assert_eq!(claims.iss, "http://localhost:3001/oidc");
    assert_eq!(claims.sub, "dknhv6vsaxt5");
    assert_eq!(claims.aud, ["q5z3x46nt51n2jydi4jkh"]);
    assert_eq!(claims.exp, UnixTime::from_secs(1_795_339_365));
    assert_eq!(claims.iat, UnixTime::from_secs(1_795_335_765));
    assert_eq!(claims.nonce.as_deref(), Some("Q1rSyedAWtL-IMwx0D7kOw"));
    assert_eq!(
        (
            claims.auth_time,
            &claims.acr,
            &claims.azp,
            &claims.sid,
            &claims.at_hash
        ),
        (None, &None, &None, &None, &None)
    );

    let user = &claims.user;
    assert_eq!(user.name.as_deref(), Some("Alice Lab"));
    assert_eq!(user.birthdate.as_deref(), Some("1990-01-02"));
    assert_eq!(user.zoneinfo.as_deref(), Some("Europe/Berlin"));
    assert_eq!(user.email_verified, Claim::Value(true));
    assert_eq!(
        user.roles.as_deref(),
        Some(["shopper".to_owned()].as_slice())
    );
    assert_eq!(
        user.organization_role_pairs().collect::<Vec<_>>(),
        [("8z8fuwxwnifo", "logistics-member")]
    );
    assert!(user.middle_name.is_absent());
    assert!(user.custom_data.is_absent());
    assert!(user.extra.is_empty());
    assert_eq!(serde_json::to_value(&claims).unwrap(), payload);
}

#[test]
fn g14_logto_timestamps_are_milliseconds_and_protocol_dates_seconds() {
    let claims: IdTokenClaims = serde_json::from_value(recorded_id_token()).unwrap();
    let updated_at = *claims.user.updated_at.value().unwrap();
    assert_eq!(updated_at, UnixMillis::from_millis(1_795_335_765_405));
    assert_eq!(updated_at.as_millis(), 1_795_335_765_405);
    assert_eq!(updated_at.to_unix_time(), claims.iat);
    assert_eq!(
        UnixMillis::from_millis(-1).to_unix_time(),
        UnixTime::from_secs(-1)
    );
    assert_eq!(
        UnixMillis::from_millis(i64::MIN).to_unix_time(),
        UnixTime::from_secs(i64::MIN / 1000 - 1)
    );
}

#[test]
fn g13_recorded_userinfo_has_what_the_id_token_leaves_out() {
    let body = Recording::load(8).json();
    let info: UserInfo = serde_json::from_value(body.clone()).unwrap();

    assert_eq!(info.sub, "dknhv6vsaxt5");
    let data = info.user.organization_data.as_deref().unwrap();
    assert_eq!(
        data.iter()
            .map(|it| (&*it.id, &*it.name, it.description.as_deref()))
            .collect::<Vec<_>>(),
        [
            ("8z8fuwxwnifo", "Acme", Some("Acme (lab)")),
            ("nsa935aaxlak", "Initech", Some("Initech (lab)")),
        ]
    );
    assert_eq!(serde_json::to_value(&info).unwrap(), body);
}

#[test]
fn g13_recorded_userinfo_with_every_scope() {
    let body = Recording::load(116).json();
    let info: UserInfo = serde_json::from_value(body.clone()).unwrap();

    let address = info.user.address.value().unwrap();
    assert_eq!(address.country(), Some("US"));
    assert_eq!(address.formatted(), Some("1 Lab St, Testville"));
    assert_eq!(
        (
            address.region(),
            address.locality(),
            address.street_address()
        ),
        (None, None, None)
    );
    assert_eq!(info.user.phone_number.as_deref(), Some("12025550123"));
    assert_eq!(info.user.phone_number_verified, Claim::Value(true));
    assert_eq!(info.user.custom_data.value().unwrap()["plan"], "gold");
    assert!(info.user.identities.value().unwrap().is_empty());
    assert_eq!(info.user.sso_identities.as_deref(), Some(&[][..]));
    assert!(info.user.extra.is_empty());
    assert_eq!(serde_json::to_value(&info).unwrap(), body);
}

/// Every claim that has a field, with a value of the documented type.
fn every_user_claim() -> Value {
    json!({
        "name": "n", "given_name": "g", "family_name": "f", "middle_name": "m", "nickname": "k",
        "preferred_username": "p", "profile": "https://a", "picture": "https://b",
        "website": "https://c", "email": "a@b", "email_verified": false, "gender": "x",
        "birthdate": "1990", "zoneinfo": "UTC", "locale": "en", "phone_number": "1",
        "phone_number_verified": false,
        "address": {"streetAddress": "1 Way", "postalCode": "10115", "planet": 3},
        "updated_at": 1, "username": "u", "roles": ["r"], "organizations": ["o"],
        "organization_data": [{"id": "o", "name": "O", "description": null, "logo": {"x": 1}}],
        "organization_roles": ["o:admin:all", "nonsense"],
        "custom_data": {"deep": {"a": [1, 2.5, null]}},
        "identities": {"github": {"userId": "7", "details": {"login": "a", "n": 1.5}, "new": 1}},
        "sso_identities": [{"issuer": "i", "identityId": "9", "detail": {}}],
        "created_at": 0,
    })
}

#[test]
fn g14_each_of_the_28_claims_has_a_typed_field() {
    let all = every_user_claim();
    assert_eq!(all.as_object().unwrap().len(), 28);
    let user: UserClaims = serde_json::from_value(all.clone()).unwrap();

    assert!(user.extra.is_empty(), "not typed: {:?}", user.extra.keys());
    let address = user.address.value().unwrap();
    assert_eq!(
        (address.street_address(), address.postal_code()),
        (Some("1 Way"), Some("10115"))
    );
    assert_eq!(address.as_map()["planet"], 3);
    let identity = &user.identities.value().unwrap()["github"];
    assert_eq!(identity.user_id, "7");
    assert_eq!(identity.details.value().unwrap()["login"], "a");
    let sso = &user.sso_identities.value().unwrap()[0];
    assert_eq!((&*sso.issuer, &*sso.identity_id), ("i", "9"));
    let organization = &user.organization_data.value().unwrap()[0];
    assert!(organization.description.is_null());
    assert_eq!(organization.extra["logo"], json!({"x": 1}));
    assert_eq!(
        user.organization_role_pairs().collect::<Vec<_>>(),
        [("o", "admin:all")]
    );
    assert_eq!(serde_json::to_value(&user).unwrap(), all);
}

#[test]
fn g14_the_standard_address_spelling_is_read_too() {
    let address: Address =
        serde_json::from_value(json!({"street_address": "2 Way", "postal_code": "1"})).unwrap();
    assert_eq!(
        (address.street_address(), address.postal_code()),
        (Some("2 Way"), Some("1"))
    );
}

#[test]
fn g14_null_is_told_from_absent() {
    let user: UserClaims =
        serde_json::from_value(json!({"name": null, "roles": null, "email": "a@b"})).unwrap();
    assert!(user.name.is_null() && !user.name.is_absent());
    assert!(user.roles.is_null());
    assert!(user.picture.is_absent() && !user.picture.is_null());
    assert_eq!(user.name.value(), None);
    assert_eq!(user.picture.value(), None);
    assert_eq!(user.email.clone().into_value().as_deref(), Some("a@b"));
    assert_eq!(
        serde_json::to_value(&user).unwrap(),
        json!({"name": null, "roles": null, "email": "a@b"})
    );
}

/// A claim of an unexpected type never stops a sign-in: it is kept as it came.
#[test]
fn g14_user_claims_of_unexpected_types_are_kept_untyped() {
    let strange = [
        json!({"n": 1}),
        json!([["x"], 2]),
        json!(["a", 1]),
        json!("text"),
        json!(1.5),
        json!(u64::MAX),
        json!(true),
        json!([{"id": "o"}]),
        json!({"github": "7"}),
    ];
    let mut kept = 0;
    for name in UserClaims::NAMES {
        for value in &strange {
            let object = json!({ *name: value });
            let user: UserClaims = serde_json::from_value(object.clone()).unwrap();
            kept += user.extra.len();
            assert_eq!(serde_json::to_value(&user).unwrap(), object, "{name}");
        }
    }
    // Sixteen texts and two booleans fit one of the nine each, two objects (`address`, `custom_data`)
    // fit both objects; lists, timestamps and `identities` fit none.
    let fitting = 16 + 2 + 2 * 2;
    assert_eq!(kept, UserClaims::NAMES.len() * strange.len() - fitting);
}

#[test]
fn g10_unknown_claims_are_kept_and_custom_types_read_them() {
    let mut payload = recorded_id_token();
    payload["https://example.com/tenant"] = json!({"id": 7});
    let claims: IdTokenClaims = serde_json::from_value(payload.clone()).unwrap();

    #[derive(Deserialize)]
    struct Mine {
        sub: String,
        exp: u64,
        name: String,
        #[serde(rename = "https://example.com/tenant")]
        tenant: Tenant,
    }
    #[derive(Deserialize)]
    struct Tenant {
        id: u32,
    }
    let mine: Mine = claims.custom().unwrap();
    assert_eq!(
        (&*mine.sub, &*mine.name, mine.tenant.id),
        ("dknhv6vsaxt5", "Alice Lab", 7)
    );
    assert_eq!(mine.exp, 1_795_339_365);
    assert!(claims.custom::<Vec<String>>().is_err());

    assert_eq!(claims.user.extra["https://example.com/tenant"]["id"], 7);
    assert_eq!(Value::Object(claims.to_map()), payload);

    let body = Recording::load(116).json();
    let info: UserInfo = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(info.custom::<Value>().unwrap(), body);
}

#[test]
fn b18_debug_shows_names_of_claims_but_no_values() {
    let mut payload = every_user_claim();
    let values = [
        "a@b",
        "https://b",
        "1 Way",
        "10115",
        "admin:all",
        "deep",
        "login",
        "nonce-1",
        "hash-1",
        "secret-sauce",
    ];
    payload.as_object_mut().unwrap().extend(
        json!({"iss": "https://issuer", "sub": "sub-1", "aud": "app", "exp": 1, "iat": 1,
               "nonce": "nonce-1", "at_hash": "hash-1", "unknown": "secret-sauce"})
        .as_object()
        .unwrap()
        .clone(),
    );
    let claims: IdTokenClaims = serde_json::from_value(payload.clone()).unwrap();
    let info: UserInfo = serde_json::from_value(payload).unwrap();
    for shown in [
        format!("{claims:?}"),
        format!("{info:?}"),
        format!("{:?}", claims.user),
        format!("{:#?}", claims.user.address),
        format!("{:?}", claims.user.identities),
        format!("{:?}", claims.user.sso_identities),
        format!("{:?}", claims.user.organization_data),
    ] {
        for value in values {
            assert!(!shown.contains(value), "{value} in {shown}");
        }
    }
    let shown = format!("{claims:?}");
    for expected in [
        "https://issuer",
        "sub-1",
        "email",
        "custom_data",
        "unknown",
        "at_hash",
    ] {
        assert!(shown.contains(expected), "{expected} not in {shown}");
    }
}

fn minimal() -> Map<String, Value> {
    let payload = json!({"iss": "https://i", "sub": "s", "aud": "a", "exp": 2, "iat": 1});
    payload.as_object().unwrap().clone()
}

fn read(claims: Map<String, Value>) -> Result<IdTokenClaims, String> {
    serde_json::from_value(Value::Object(claims)).map_err(|error| error.to_string())
}

#[test]
fn c67_dates_are_finite_numbers_that_fit() {
    for (value, seconds) in [
        (json!(0), 0),
        (json!(-0.0), 0),
        (json!(1_795_339_365), 1_795_339_365),
        (json!(1_795_339_365.0), 1_795_339_365),
        (json!(1_795_339_365.999), 1_795_339_365),
        (json!(1.795339365e9), 1_795_339_365),
        (json!(i64::MAX), i64::MAX),
    ] {
        for claim in ["exp", "iat", "auth_time"] {
            let mut payload = minimal();
            payload.insert(claim.to_owned(), value.clone());
            let claims = read(payload.clone()).unwrap();
            let date = match claim {
                "exp" => claims.exp,
                "iat" => claims.iat,
                _ => claims.auth_time.unwrap(),
            };
            assert_eq!(date, UnixTime::from_secs(seconds), "{claim} {value}");
            assert_eq!(claims.to_map(), payload, "{claim} {value}");
        }
    }
    for value in [
        json!(null),
        json!(true),
        json!("1795339365"),
        json!(""),
        json!([1]),
        json!({}),
        json!(-1),
        json!(-0.5),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(9_223_372_036_854_775_808_u64),
        json!(9.3e18),
        json!(1e300),
    ] {
        for claim in ["exp", "iat", "auth_time"] {
            let mut payload = minimal();
            payload.insert(claim.to_owned(), value.clone());
            let message = read(payload).expect_err(&format!("{claim} {value}"));
            assert_eq!(
                message,
                format!("the claim `{claim}` is not a number of seconds since 1970")
            );
        }
    }
}

#[test]
fn c66_audience_is_a_string_or_strings() {
    for (value, audience) in [
        (json!("a"), vec!["a"]),
        (json!(["a"]), vec!["a"]),
        (json!(["a", "b"]), vec!["a", "b"]),
        (json!([]), vec![]),
    ] {
        let mut payload = minimal();
        payload.insert("aud".to_owned(), value);
        let claims = read(payload.clone()).unwrap();
        assert_eq!(claims.aud, audience);
        assert_eq!(claims.to_map(), payload);
    }
    for value in [
        json!(null),
        json!(1),
        json!({"a": 1}),
        json!([1]),
        json!(["a", null]),
    ] {
        let mut payload = minimal();
        payload.insert("aud".to_owned(), value.clone());
        assert!(read(payload).is_err(), "{value}");
    }
}

#[test]
fn c67_c69_protocol_claims_are_required_and_named() {
    for claim in ["iss", "sub", "aud", "exp", "iat"] {
        let mut payload = minimal();
        payload.remove(claim);
        assert_eq!(
            read(payload).unwrap_err(),
            format!("the claim `{claim}` is missing")
        );
    }
    for claim in ["iss", "sub", "nonce", "acr", "azp", "sid", "at_hash"] {
        for value in [json!(1), json!(false), json!([]), json!({"secret": "x"})] {
            let mut payload = minimal();
            payload.insert(claim.to_owned(), value);
            let message = read(payload).unwrap_err();
            assert!(
                message.contains(claim) && !message.contains("secret"),
                "{message}"
            );
        }
    }
    for claim in ["iss", "sub", "nonce"] {
        let mut payload = minimal();
        payload.insert(claim.to_owned(), Value::Null);
        assert!(read(payload).is_err(), "{claim} may not be null");
    }
    for claim in ["acr", "azp", "sid", "at_hash"] {
        let mut payload = minimal();
        payload.insert(claim.to_owned(), Value::Null);
        assert_eq!(read(payload.clone()).unwrap().to_map(), payload);
    }
    let mut payload = minimal();
    payload.insert("iss".to_owned(), json!(""));
    assert!(read(payload).is_err(), "iss may not be empty");
}

#[test]
fn c69_c77_sub_has_1_to_255_characters() {
    for (sub, accepted) in [
        (json!("s"), true),
        (json!("s".repeat(255)), true),
        (json!(""), false),
        (json!("s".repeat(256)), false),
        (json!(null), false),
        (json!(1), false),
    ] {
        let mut payload = minimal();
        payload.insert("sub".to_owned(), sub.clone());
        assert_eq!(read(payload).is_ok(), accepted, "ID token: {sub}");
        let info = serde_json::from_value::<UserInfo>(json!({ "sub": sub }));
        assert_eq!(info.is_ok(), accepted, "userinfo: {sub}");
    }
    assert!(serde_json::from_value::<UserInfo>(json!({"name": "n"})).is_err());
    for not_an_object in [json!(null), json!([]), json!("sub"), json!(1)] {
        assert!(serde_json::from_value::<UserInfo>(not_an_object.clone()).is_err());
        assert!(serde_json::from_value::<UserClaims>(not_an_object.clone()).is_err());
        assert!(serde_json::from_value::<IdTokenClaims>(not_an_object).is_err());
    }
}

fn recorded_id_token() -> Value {
    let body = Recording::load(6).json();
    let token = body["id_token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
