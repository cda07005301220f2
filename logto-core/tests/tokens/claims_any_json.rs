//! Arbitrary JSON as claims: no panic, nothing lost.

use logto_core::claims::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

proptest! {
    #[test]
    fn any_object_is_user_claims_and_comes_back(claims in any_claims()) {
        let object = Value::Object(claims);
        let user: UserClaims = serde_json::from_value(object.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&user).unwrap(), object);
    }

    #[test]
    fn any_object_with_a_subject_is_userinfo_and_comes_back(mut claims in any_claims()) {
        claims.insert("sub".to_owned(), json!("s"));
        let object = Value::Object(claims);
        let info: UserInfo = serde_json::from_value(object.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&info).unwrap(), object);
    }

    #[test]
    fn any_object_is_refused_as_id_token_or_comes_back(
        claims in any_claims(),
        complete in prop::bool::weighted(0.8),
    ) {
        let mut object = if complete { minimal() } else { Map::new() };
        object.extend(claims);
        if let Ok(read) = read(object.clone()) {
            prop_assert_eq!(read.to_map(), object);
        }
    }

    #[test]
    fn user_claims_of_any_type_never_stop_a_sign_in(claims in any_claims()) {
        let mut object = claims;
        for name in ["auth_time", "nonce", "acr", "azp", "sid", "at_hash"] {
            object.remove(name);
        }
        object.extend(minimal());
        prop_assert_eq!(read(object.clone()).unwrap().to_map(), object);
    }
}

fn minimal() -> Map<String, Value> {
    let payload = json!({"iss": "https://i", "sub": "s", "aud": "a", "exp": 2, "iat": 1});
    payload.as_object().unwrap().clone()
}

fn read(claims: Map<String, Value>) -> Result<IdTokenClaims, String> {
    serde_json::from_value(Value::Object(claims)).map_err(|error| error.to_string())
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let member = prop_oneof![
            Just("id"),
            Just("name"),
            Just("description"),
            Just("userId"),
            Just("details"),
            Just("issuer"),
            Just("identityId"),
            Just("detail"),
            Just("street_address"),
            Just("other"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_claims() -> impl Strategy<Value = Map<String, Value>> {
    let protocol = [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "acr",
        "azp",
        "sid",
        "at_hash",
    ];
    let known: Vec<&str> = UserClaims::NAMES.iter().copied().chain(protocol).collect();
    let name = prop_oneof![
        4 => prop::sample::select(known).prop_map(str::to_owned),
        1 => ".{0,6}",
    ];
    prop::collection::btree_map(name, any_json(), 0..12).prop_map(|it| it.into_iter().collect())
}
