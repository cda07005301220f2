//! Keys of the four algorithms, and tokens that they sign.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
        VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use logto_core::jwt::{AwsLcVerifier, KeySet};
use serde_json::{Value, json};

/// The algorithms that are measured: Logto's default first.
pub const ALGORITHMS: [jsonwebtoken::Algorithm; 4] = [
    jsonwebtoken::Algorithm::ES384,
    jsonwebtoken::Algorithm::RS256,
    jsonwebtoken::Algorithm::ES256,
    jsonwebtoken::Algorithm::EdDSA,
];

/// The name of every key.
pub const KID: &str = "hUK3Pc0Nq9yUZGT7kUEP8eB4oYxNn2yYl8aQ0pQvJ0M";

/// A key in the forms that the contenders take it in.
pub struct Key {
    /// What it signs with.
    pub algorithm: jsonwebtoken::Algorithm,
    /// As a JSON Web Key.
    pub jwk: Value,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Key {
    /// A new key.
    pub fn generate(algorithm: jsonwebtoken::Algorithm) -> Self {
        use jsonwebtoken::Algorithm::{ES256, ES384, EdDSA, RS256};
        let (pair, numbers) = match algorithm {
            ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
                let PublicKeyComponents { n, e } =
                    PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let numbers = json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)});
                (Pair::Rsa(pair), numbers)
            }
            EdDSA => {
                let pair = Ed25519KeyPair::generate().expect("an Ed25519 key");
                let numbers = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())});
                (Pair::Ed(pair), numbers)
            }
            _ => unreachable!("not in ALGORITHMS"),
        };
        let mut jwk = numbers;
        jwk["kid"] = KID.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = json!(algorithm);
        Self {
            algorithm,
            jwk,
            pair,
        }
    }

    /// A token.
    pub fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm, "kid": KID});
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair
                .sign(&random, signed.as_bytes())
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Pair::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    signed.as_bytes(),
                    &mut signature,
                )
                .expect("a signature");
                signature
            }
        };
        format!("{signed}.{}", encode(signature))
    }

    /// The key as the SDK takes it, among `others` that sign nothing here.
    pub fn set(&self, others: impl IntoIterator<Item = Value>) -> KeySet {
        let mut keys: Vec<Value> = others.into_iter().collect();
        keys.push(self.jwk.clone());
        KeySet::parse(
            json!({ "keys": keys }).to_string().as_bytes(),
            &AwsLcVerifier,
        )
        .expect("a key set")
    }

    /// The key as aws-lc-rs takes it.
    pub fn parsed(&self) -> ParsedPublicKey {
        use jsonwebtoken::Algorithm::{ES256, ES384, EdDSA};
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
            ES384 => &ECDSA_P384_SHA384_FIXED,
            ES256 => &ECDSA_P256_SHA256_FIXED,
            EdDSA => &ED25519,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let bytes = match &self.pair {
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ed(pair) => pair.public_key().as_ref(),
        };
        ParsedPublicKey::new(algorithm, bytes).expect("the key of a key pair")
    }

    /// The key as jsonwebtoken takes it.
    pub fn decoding(&self) -> DecodingKey {
        DecodingKey::from_jwk(&serde_json::from_value(self.jwk.clone()).expect("a JWK"))
            .expect("a key")
    }
}

fn ec(
    algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
    curve: &str,
) -> (Pair, Value) {
    let pair = EcdsaKeyPair::generate(algorithm).expect("an EC key");
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    let numbers = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)});
    (Pair::Ec(pair), numbers)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
