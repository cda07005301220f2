//! Shared by the tests of the core: an application, a provider, and signing keys.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "no binary of tests needs all of it"
)]

pub mod provider;
pub mod refreshing;
pub mod sessions;
pub mod signing;
pub mod token_endpoint;

use std::sync::OnceLock;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_core::jwt::{Algorithm, AwsLcVerifier, JwsVerifier, KeySet, RustCryptoVerifier};
use serde_json::{Value, json};

pub const ALL_ALGORITHMS: [Algorithm; 10] = [
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

/// Both verifiers that come with the crate.
pub const VERIFIERS: [&dyn JwsVerifier; 2] = [&AwsLcVerifier, &RustCryptoVerifier];

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A provider's private key.
pub struct SigningKey {
    pub algorithm: Algorithm,
    pub kid: String,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    pub fn generate(algorithm: Algorithm, kid: &str) -> Self {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Ecdsa(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            Algorithm::Es384 => Pair::Ecdsa(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            Algorithm::Es512 => Pair::Ecdsa(ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)),
            Algorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::generate().unwrap()),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self {
            algorithm,
            kid: kid.to_owned(),
            pair,
        }
    }

    /// The ES384 key, named `es384`, that all tests of a binary share.
    pub fn es384() -> &'static Self {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| Self::generate(Algorithm::Es384, "es384"))
    }

    /// The RSA key, named `rs256`, that all tests of a binary share.
    pub fn rs256() -> &'static Self {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| Self::generate(Algorithm::Rs256, "rs256"))
    }

    /// The public half as Logto publishes it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ecdsa(pair) => {
                let (x, y) = split_point(pair.public_key().as_ref());
                let curve = match self.algorithm {
                    Algorithm::Es256 => "P-256",
                    Algorithm::Es384 => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
            Pair::Rsa(pair) => {
                // PKCS#1 of a 2,048-bit key: nine bytes before the modulus, two before the exponent.
                let der = pair.public_key().as_ref();
                json!({"kty": "RSA", "n": base64url(&der[9..265]), "e": base64url(&der[267..])})
            }
        };
        jwk["alg"] = json!(self.algorithm.name());
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A set with this key only.
    pub fn key_set(&self, verifier: &dyn JwsVerifier) -> KeySet {
        key_set(&[self.jwk()], verifier)
    }

    /// The header that Logto writes on ID tokens.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid})
    }

    /// A token as Logto signs it.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with_header(&self.header(), claims)
    }

    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs any header and payload, JSON or not.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        self.sign_encoded(&format!("{}.{}", base64url(header), base64url(payload)))
    }

    /// Signs any text and appends the signature.
    pub fn sign_encoded(&self, message: &str) -> String {
        format!(
            "{message}.{}",
            base64url(self.signature(message.as_bytes()))
        )
    }

    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = rsa_encoding(self.algorithm);
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

fn ecdsa(algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(algorithm).unwrap()
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        other => panic!("{other} is not an RSA algorithm"),
    }
}

/// The coordinates of an uncompressed point.
pub fn split_point(point: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(point[0], 4);
    point[1..].split_at(point.len() / 2)
}

/// The document that a provider serves at its `jwks_uri`.
pub fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

pub fn key_set(keys: &[Value], verifier: &dyn JwsVerifier) -> KeySet {
    KeySet::parse(&jwks(keys), verifier).unwrap()
}
