//! Access tokens at a resource server.

use std::{collections::BTreeSet, time::Duration};

use http::StatusCode;
use logto_core::{
    UnixTime,
    api_token::{AccessTokenVerification, ApiTokenClaims, ApiTokenError, Caller},
    error::TokenError,
    jwt::{Algorithm, AwsLcVerifier, KeySet},
};
use logto_recordings::Recording;
use serde_json::{Map, Value, json};

use crate::support::{SigningKey, VERIFIERS, base64url, provider::ISSUER};

const API: &str = "https://shop.example.com/api";
const ACME: &str = "8z8fuwxwnifo";
const NOW: UnixTime = UnixTime::from_secs(1500);

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "user-1",
        "client_id": "app-1",
        "jti": "token-1",
        "aud": API,
        "exp": 2000,
        "iat": 1000,
        "scope": "read:products write:products",
    })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn key() -> &'static SigningKey {
    SigningKey::es384()
}

fn keys() -> KeySet {
    key().key_set(&AwsLcVerifier)
}

fn header() -> Value {
    json!({"alg": "ES384", "typ": "at+jwt", "kid": "es384"})
}

fn token(claims: &Value) -> String {
    key().sign_with_header(&header(), claims)
}

fn api() -> AccessTokenVerification {
    AccessTokenVerification::api(ISSUER, API)
}

fn verify(
    verification: &AccessTokenVerification,
    claims: &Value,
) -> Result<ApiTokenClaims, ApiTokenError> {
    verification.verify(&token(claims), &keys(), NOW)
}

/// The token-level reason for which the API of [`api`] refuses these claims.
fn reason(claims: &Value) -> TokenError {
    match verify(&api(), claims).unwrap_err() {
        ApiTokenError::Token(error) => error,
        other => panic!("{claims}: {other}"),
    }
}

fn reason_of(token: &str) -> TokenError {
    match api().verify(token, &keys(), NOW).unwrap_err() {
        ApiTokenError::Token(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn r4_a_good_token_is_read_in_full() {
    let mut all = claims();
    all["nbf"] = json!(1000);
    all["act"] = json!({"sub": "support-agent"});
    all["tier"] = json!("gold");
    let read = verify(&api(), &all).unwrap();
    assert_eq!(read.iss, ISSUER);
    assert_eq!(
        (read.sub.as_str(), read.client_id.as_str()),
        ("user-1", "app-1")
    );
    assert_eq!(read.aud, [API]);
    assert_eq!(read.exp, UnixTime::from_secs(2000));
    assert_eq!(read.iat, UnixTime::from_secs(1000));
    assert_eq!(read.nbf, Some(UnixTime::from_secs(1000)));
    assert_eq!(read.jti.as_deref(), Some("token-1"));
    let scopes = ["read:products", "write:products"].map(str::to_owned);
    assert_eq!(read.scopes, BTreeSet::from(scopes));
    assert_eq!(read.organization_id, None);
    assert_eq!(read.act.unwrap().sub, "support-agent");
    assert_eq!(
        read.extra,
        Map::from_iter([("tier".to_owned(), json!("gold"))])
    );
}

#[test]
fn r1_only_the_type_of_an_access_token_is_accepted() {
    let typed = |typ: Value| {
        let mut header = header();
        header["typ"] = typ;
        key().sign_with_header(&header, &claims())
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert!(
            api().verify(&typed(json!(typ)), &keys(), NOW).is_ok(),
            "{typ}"
        );
    }
    for typ in [
        "JWT",
        "logout+jwt",
        "",
        "at+jwt ",
        "jwt+at",
        "client-authentication+jwt",
    ] {
        assert!(
            matches!(reason_of(&typed(json!(typ))), TokenError::WrongType { .. }),
            "{typ}"
        );
    }
    // An ID token of Logto has no `typ`.
    assert!(matches!(
        reason_of(&key().sign(&claims())),
        TokenError::WrongType { .. }
    ));
    assert!(matches!(
        reason_of(&typed(json!(7))),
        TokenError::Malformed { .. }
    ));
}

#[test]
fn r2_v5_dates_are_numbers_and_hold() {
    let date = UnixTime::from_secs;
    let table = [
        (
            with("exp", json!(1440)),
            TokenError::Expired {
                exp: date(1440),
                now: NOW,
            },
        ),
        (
            with("iat", json!(1561)),
            TokenError::IssuedInFuture {
                iat: date(1561),
                now: NOW,
            },
        ),
        (
            with("nbf", json!(1561)),
            TokenError::NotYetValid {
                nbf: date(1561),
                now: NOW,
            },
        ),
    ];
    for (claims, expected) in table {
        assert_eq!(reason(&claims), expected);
    }
    for within in [
        with("exp", json!(1441)),
        with("iat", json!(1560)),
        with("nbf", json!(1560.9)),
    ] {
        assert!(verify(&api(), &within).is_ok(), "{within}");
    }
    let exact = api().clock_skew(Duration::ZERO);
    assert!(verify(&exact, &with("exp", json!(1501))).is_ok());
    assert!(verify(&exact, &with("exp", json!(1500))).is_err());
    let generous = api().clock_skew(Duration::from_secs(86_400));
    assert!(
        verify(&generous, &with("exp", json!(1200))).is_err(),
        "five minutes at most"
    );

    for claim in ["exp", "iat", "nbf"] {
        for value in [
            json!("9999999999"),
            json!(true),
            json!(null),
            json!({}),
            json!([2000]),
            json!(-1),
            json!(1e300),
            json!(9_223_372_036_854_775_808_u64),
            json!(u64::MAX),
            json!("NaN"),
        ] {
            let claims = with(claim, value.clone());
            assert_eq!(
                reason(&claims),
                TokenError::BadClaim {
                    claim,
                    expected: "a number of seconds since 1970"
                },
                "{claim} {value}"
            );
        }
    }
}

#[test]
fn r2_v6_the_issuer_is_one_string_compared_byte_for_byte() {
    for issuer in [
        json!([ISSUER]),
        json!(format!("{ISSUER}/")),
        json!(ISSUER.to_uppercase()),
        json!(&ISSUER[..ISSUER.len() - 1]),
        json!(format!("x{ISSUER}")),
        json!("https://other.logto.app/oidc"),
        json!(""),
        json!(null),
        json!(7),
    ] {
        assert_eq!(
            reason(&with("iss", issuer.clone())),
            TokenError::Issuer,
            "{issuer}"
        );
    }
    assert_eq!(reason(&without("iss")), TokenError::Issuer);
}

#[test]
fn r22_the_issuer_is_compared_before_a_key_is_looked_up() {
    let stranger = SigningKey::generate(Algorithm::Es384, "unknown key");
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": "unknown key"});
    let foreign = with("iss", json!("https://evil.example"));
    let foreign = stranger.sign_with_header(&header, &foreign);
    assert_eq!(
        reason_of(&foreign),
        TokenError::Issuer,
        "nothing to fetch keys for"
    );
    let pretended = stranger.sign_with_header(&header, &claims());
    assert!(reason_of(&pretended).is_key_not_found());

    // The same `kid` in two issuers' sets: the keys of one do not verify tokens of the other.
    let same_kid = SigningKey::generate(Algorithm::Es384, "es384");
    let theirs = same_kid.sign_with_header(&self::header(), &claims());
    assert_eq!(reason_of(&theirs), TokenError::BadSignature);
}

#[test]
fn r2_v10_signature_algorithm_and_header_are_those_of_every_token() {
    let signed = |header: Value| key().sign_with_header(&header, &claims());
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "typ": "at+jwt"}).to_string();
        format!("{}.{}.", base64url(header), base64url(claims().to_string()))
    };
    for alg in ["none", "NONE", "HS256", "HS384", ""] {
        assert!(
            matches!(
                reason_of(&unsigned(alg)),
                TokenError::UnsupportedAlgorithm { .. }
            ),
            "{alg}"
        );
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        let mut header = header();
        header[name] = value;
        assert_eq!(reason_of(&signed(header)), TokenError::Extension(name));
    }
    // A key that the token brings along is not looked at.
    let stranger = SigningKey::generate(Algorithm::Es384, "mine");
    let mut header = header();
    header["kid"] = json!("mine");
    header["jwk"] = stranger.jwk();
    header["jku"] = json!("https://evil.example/jwks");
    let token = stranger.sign_with_header(&header, &claims());
    assert!(reason_of(&token).is_key_not_found());

    let good = self::token(&claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", base64url([0; 96]));
    assert_eq!(reason_of(&forged), TokenError::BadSignature);
    assert!(api().verify(&good, &keys(), NOW).is_ok());
}

#[test]
fn r2_v17_repeated_claims_are_refused() {
    let text = claims().to_string();
    for addition in [r#""aud":"other","#, r#""\u0073ub":"root","#] {
        let repeated = text.replacen('{', &format!("{{{addition}"), 1);
        let token = key().sign_text(&header().to_string(), &repeated);
        assert!(
            matches!(reason_of(&token), TokenError::Malformed { .. }),
            "{addition}"
        );
    }
}

#[test]
fn r3_v7_the_audience_is_this_api_byte_for_byte() {
    for aud in [
        json!(API),
        json!([API]),
        json!(["https://other.example", API]),
    ] {
        assert!(verify(&api(), &with("aud", aud.clone())).is_ok(), "{aud}");
    }
    for aud in [
        json!(format!("{API}/")),
        json!(&API[..API.len() - 1]),
        json!(API.to_uppercase()),
        json!("https://other.example"),
        json!(""),
        json!([]),
        json!([""]),
        json!(["https://other.example"]),
        json!(format!("{API} https://other.example")),
    ] {
        assert_eq!(
            reason(&with("aud", aud.clone())),
            TokenError::Audience,
            "{aud}"
        );
    }
    for aud in [json!(null), json!(7), json!({"a": API}), json!([API, 7])] {
        assert_eq!(
            reason(&with("aud", aud.clone())),
            TokenError::BadClaim {
                claim: "aud",
                expected: "a string or an array of strings"
            },
            "{aud}"
        );
    }
    assert_eq!(reason(&without("aud")), TokenError::MissingClaim("aud"));
    let slash = AccessTokenVerification::api(ISSUER, format!("{API}/"));
    assert!(verify(&slash, &claims()).is_err());
    let empty = AccessTokenVerification::api(ISSUER, "");
    assert!(
        verify(&empty, &with("aud", json!(""))).is_err(),
        "nothing is for nobody"
    );
}

#[test]
fn r4_what_rfc_9068_demands_has_to_be_there() {
    for claim in ["exp", "iat", "aud", "sub", "client_id", "jti"] {
        assert_eq!(reason(&without(claim)), TokenError::MissingClaim(claim));
    }
    for claim in ["sub", "client_id", "jti"] {
        for value in [
            json!(""),
            json!(7),
            json!(null),
            json!(["x"]),
            json!("x".repeat(256)),
        ] {
            assert_eq!(
                reason(&with(claim, value)),
                TokenError::BadClaim {
                    claim,
                    expected: "a string of 1 to 255 characters"
                }
            );
        }
    }
}

#[test]
fn r5_scopes_are_whole_words() {
    let check = |scope: Value, required: &[&str]| {
        verify(
            &api().require_scopes(required.iter().copied()),
            &with("scope", scope),
        )
        .map(|_| ())
    };
    let missing = |required: &[&str]| {
        Err(ApiTokenError::InsufficientScope {
            required: required.iter().map(|scope| (*scope).to_owned()).collect(),
        })
    };
    assert_eq!(check(json!("a b  c"), &["a", "b", "c"]), Ok(()));
    assert_eq!(check(json!("readonly"), &["read"]), missing(&["read"]));
    assert_eq!(check(json!("xread"), &["read"]), missing(&["read"]));
    assert_eq!(check(json!("READ"), &["read"]), missing(&["read"]));
    assert_eq!(check(json!("read\twrite"), &["read"]), missing(&["read"]));
    assert_eq!(
        check(json!("read"), &["read", "write"]),
        missing(&["read", "write"])
    );
    assert_eq!(check(json!(""), &["read"]), missing(&["read"]));
    assert_eq!(check(json!(""), &[]), Ok(()));
    assert_eq!(
        missing(&["read"]).map_err(|error| error.status()),
        Err(StatusCode::FORBIDDEN)
    );

    // An array of scopes is refused, by rule.
    let array = check(json!(["read"]), &["read"]);
    assert_eq!(
        array,
        Err(TokenError::BadClaim {
            claim: "scope",
            expected: "a string"
        }
        .into())
    );
    let none = verify(&api(), &without("scope")).unwrap();
    assert!(none.scopes.is_empty());
    assert!(none.require_scopes(["read"]).is_err());
    let some = verify(&api(), &claims()).unwrap();
    assert!(some.require_scopes(["read:products"]).is_ok());
    assert!(some.require_scopes(["read:products", "admin"]).is_err());
}

#[test]
fn r6_the_three_permission_models() {
    let global = claims();
    let organization = with("aud", json!("urn:logto:organization:acme"));
    let organization_api = with("organization_id", json!("acme"));
    let verifications = [
        ("api", api()),
        (
            "acme",
            AccessTokenVerification::organization(ISSUER, "acme"),
        ),
        (
            "globex",
            AccessTokenVerification::organization(ISSUER, "globex"),
        ),
        ("any", AccessTokenVerification::any_organization(ISSUER)),
        (
            "api acme",
            AccessTokenVerification::organization_api(ISSUER, API, "acme"),
        ),
        (
            "api globex",
            AccessTokenVerification::organization_api(ISSUER, API, "globex"),
        ),
        (
            "api any",
            AccessTokenVerification::any_organization_api(ISSUER, API),
        ),
    ];
    let accepted_by = |claims: &Value| -> Vec<&str> {
        let accepted = verifications
            .iter()
            .filter(|(_, it)| verify(it, claims).is_ok());
        accepted.map(|(name, _)| *name).collect()
    };
    assert_eq!(accepted_by(&global), ["api"]);
    assert_eq!(accepted_by(&organization), ["acme", "any"]);
    assert_eq!(accepted_by(&organization_api), ["api acme", "api any"]);
    let elsewhere = {
        let mut claims = with("organization_id", json!("acme"));
        claims["aud"] = json!("https://other.example");
        claims
    };
    assert!(accepted_by(&elsewhere).is_empty());
}

#[test]
fn r6_the_wrong_organization_is_403_and_the_wrong_audience_401() {
    let status = |verification: AccessTokenVerification, claims: &Value| {
        verify(&verification, claims).unwrap_err().status().as_u16()
    };
    let acme_api = || AccessTokenVerification::organization_api(ISSUER, API, "acme");
    let acme = || AccessTokenVerification::organization(ISSUER, "acme");
    let globex = with("organization_id", json!("globex"));
    assert_eq!(status(acme_api(), &globex), 403);
    assert_eq!(status(acme_api(), &claims()), 403, "no organization");
    assert_eq!(
        status(api(), &globex),
        403,
        "an organization where none may be"
    );
    let urn = with("aud", json!("urn:logto:organization:globex"));
    assert_eq!(status(acme(), &urn), 403);
    assert_eq!(status(acme(), &claims()), 401);
    assert_eq!(status(acme_api(), &urn), 401);
    for malformed in [json!(null), json!(""), json!(7), json!(["acme"])] {
        assert_eq!(status(acme_api(), &with("organization_id", malformed)), 401);
    }
}

#[test]
fn r6_an_organization_urn_is_compared_as_a_whole() {
    let acme = AccessTokenVerification::organization(ISSUER, "acme");
    for aud in [
        "urn:logto:organization:acme2",
        "urn:logto:organization:acm",
        "urn:logto:organization:",
        "URN:logto:organization:acme",
        "acme",
        "urn:logto:resource:organizations",
    ] {
        assert!(verify(&acme, &with("aud", json!(aud))).is_err(), "{aud}");
    }
    let nobody = AccessTokenVerification::organization(ISSUER, "");
    assert!(verify(&nobody, &with("aud", json!("urn:logto:organization:"))).is_err());
    // A token of two organizations would be ambiguous.
    let two = json!([
        "urn:logto:organization:acme",
        "urn:logto:organization:globex"
    ]);
    assert_eq!(
        reason(&with("aud", two)),
        TokenError::BadClaim {
            claim: "aud",
            expected: "for one organization at most"
        }
    );
}

#[test]
fn r6_the_audience_names_the_organization_before_any_claim_does() {
    let any = AccessTokenVerification::any_organization(ISSUER);
    let mut claims = with("aud", json!("urn:logto:organization:acme"));
    let read = verify(&any, &claims).unwrap();
    assert_eq!(read.organization_id.as_deref(), Some("acme"));
    // What a script of the tenant may have written.
    claims["organization_id"] = json!("globex");
    let read = verify(&any, &claims).unwrap();
    assert_eq!(read.organization_id.as_deref(), Some("acme"));
}

#[test]
fn r7_an_application_on_its_own_behalf_is_no_user() {
    let user = verify(&api(), &claims()).unwrap();
    assert_eq!(user.caller(), Caller::User("user-1"));
    let machine = verify(&api(), &with("sub", json!("app-1"))).unwrap();
    assert_eq!(machine.caller(), Caller::Application("app-1"));
}

#[test]
fn an_actor_is_an_object_with_a_subject() {
    for act in [
        json!("agent"),
        json!({}),
        json!({"sub": 7}),
        json!(null),
        json!([]),
    ] {
        assert_eq!(
            reason(&with("act", act)),
            TokenError::BadClaim {
                claim: "act",
                expected: "an object with a `sub`"
            }
        );
    }
}

#[test]
fn r10_v11_long_tokens_and_many_dots_are_refused() {
    for token in [
        ".".repeat(1_000_000),
        "a".repeat(10_000_000),
        format!(
            "{}.{}.{}",
            "a".repeat(6_000),
            "b".repeat(6_000),
            "c".repeat(6_000)
        ),
    ] {
        assert!(matches!(reason_of(&token), TokenError::TooLong { .. }));
    }
    assert!(matches!(
        reason_of(&".".repeat(16_000)),
        TokenError::Malformed { .. }
    ));
}

#[test]
fn r11_r35_opaque_and_encrypted_tokens_are_invalid_and_nothing_worse() {
    let five_parts = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d";
    for token in [
        "",
        "oUQwzVUKmiRqMIYwwOpzn-JNrZerkURItRA2oupzt9P",
        "a.b",
        "..",
        five_parts,
        "ü.ü.ü",
    ] {
        let error = api().verify(token, &keys(), NOW).unwrap_err();
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert!(matches!(error, ApiTokenError::Token(_)));
    }
}

#[test]
fn r41_kept_claims_are_judged_again_by_every_verification() {
    let kept = verify(&api(), &claims()).unwrap();
    assert_eq!(api().check(&kept, NOW), Ok(()));
    let later = UnixTime::from_secs(2060);
    assert!(matches!(
        api().check(&kept, later),
        Err(ApiTokenError::Token(TokenError::Expired { .. }))
    ));
    let other_api = AccessTokenVerification::api(ISSUER, "https://other.example");
    assert_eq!(
        other_api.check(&kept, NOW),
        Err(TokenError::Audience.into())
    );
    let other_issuer = AccessTokenVerification::api("https://evil.example", API);
    assert_eq!(
        other_issuer.check(&kept, NOW),
        Err(TokenError::Issuer.into())
    );
    let acme = AccessTokenVerification::organization_api(ISSUER, API, "acme");
    assert_eq!(acme.check(&kept, NOW), Err(ApiTokenError::Organization));
    let admin = api().require_scopes(["admin"]);
    assert!(matches!(
        admin.check(&kept, NOW),
        Err(ApiTokenError::InsufficientScope { .. })
    ));
    assert_ne!(admin, api());
}

#[test]
fn recorded_tokens_pass_the_model_they_were_issued_for_and_no_other() {
    let issuer = "http://localhost:3001/oidc";
    let shop = "https://shopping.your-app.com/api";
    let verifications = [
        ("global", AccessTokenVerification::api(issuer, shop)),
        (
            "organization",
            AccessTokenVerification::organization(issuer, ACME),
        ),
        (
            "organization api",
            AccessTokenVerification::organization_api(issuer, shop, ACME),
        ),
    ];
    for verifier in VERIFIERS {
        let keys = Recording::load(2).response.into_body();
        let keys = KeySet::parse(&keys, verifier).unwrap();
        for (number, model) in [
            (14, "global"),
            (16, "organization"),
            (18, "organization api"),
            (89, "global"),
            (91, "organization"),
            (93, "organization api"),
            (106, "global"),
            (108, "global"),
        ] {
            let answer = Recording::load(number).json();
            let token = answer["access_token"].as_str().unwrap();
            let now = UnixTime::from_secs(1_795_335_864);
            for (name, verification) in &verifications {
                let read = verification.verify(token, &keys, now);
                assert_eq!(read.is_ok(), *name == model, "{number} {name}: {read:?}");
                let is_machine = (89..=93).contains(&number);
                if let Ok(claims) = read {
                    assert_eq!(
                        matches!(claims.caller(), Caller::Application(_)),
                        is_machine
                    );
                }
            }
        }
    }
}

#[test]
fn claims_are_shown_by_name_only() {
    let read = verify(&api(), &with("ssn", json!("078-05-1120"))).unwrap();
    let shown = format!("{read:?}");
    assert!(shown.contains("ssn") && !shown.contains("078"), "{shown}");
    assert!(!shown.contains("token-1"), "{shown}");
}
