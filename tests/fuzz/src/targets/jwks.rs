//! A provider's keys, as both verifiers read them.

use logto_core::jwt::{Algorithm, AwsLcVerifier, KeySet, RustCryptoVerifier};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::{Verdict, application::public_jwk};

const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::EdDsa,
];
/// Members that only a private or a symmetric key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let keys = KeySet::parse(data, &AwsLcVerifier);
    let peer = KeySet::parse(data, &RustCryptoVerifier);
    let (Ok(keys), Ok(peer)) = (&keys, &peer) else {
        assert_eq!(keys.err(), peer.err());
        return Verdict::Refused;
    };
    let document: Value = serde_json::from_slice(data).expect("a key set is JSON");
    let listed = document["keys"].as_array().expect("a key set has keys");
    let mut is_any_usable = false;
    let names = listed.iter().map(|jwk| jwk["kid"].as_str());
    for kid in names.chain([None]) {
        for algorithm in ALGORITHMS {
            let found = keys.find(algorithm, kid);
            is_any_usable |= found.is_ok();
            // The other one does not know EdDSA.
            if algorithm != Algorithm::EdDsa {
                let other = peer.find(algorithm, kid);
                assert_eq!(found.is_ok(), other.is_ok(), "{algorithm} {kid:?}");
            }
            if let (Ok(key), Some(kid)) = (found, kid) {
                let named = || listed.iter().filter(|jwk| jwk["kid"] == kid);
                let is_for = |alg: &str| is_named(algorithm, alg);
                assert!(
                    named()
                        .any(|jwk| jwk["alg"].is_null() || jwk["alg"].as_str().is_some_and(is_for))
                );
                assert!(named().any(|jwk| PRIVATE.iter().all(|name| jwk[name].is_null())));
                assert!(!key.verify(b"message", b"no signature"));
            }
        }
    }
    Verdict::accepted_if(is_any_usable)
}

/// EdDSA has two names.
pub(super) fn is_named(algorithm: Algorithm, name: &str) -> bool {
    name == algorithm.name() || (algorithm == Algorithm::EdDsa && name == "Ed25519")
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let recorded = |number| Recording::load(number).response.body().to_vec();
    let twice = json!({ "keys": [public_jwk(), public_jwk()] });
    let mut private = public_jwk();
    private["d"] = json!("c2VjcmV0");
    vec![
        recorded(2),
        recorded(118),
        recorded(119),
        twice.to_string().into(),
        json!({ "keys": [private] }).to_string().into(),
        b"{\"keys\":[]}".to_vec(),
    ]
}
