//! A pair of keys for assertions, good for one rehearsal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use crate::Secret;

/// In PEM.
pub(super) struct Pair {
    pub(super) private: Secret,
    pub(super) public: String,
}

/// What stands before the 65 bytes of a point on P-256 in a `SubjectPublicKeyInfo` (RFC 5480, section 2).
const BEFORE_THE_POINT: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Pair {
    pub(super) fn make() -> Result<Pair, String> {
        let random = SystemRandom::new();
        let failed = "the system's random number generator failed; check that this machine has one";
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(|_| failed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref(), &random);
        let public = [&BEFORE_THE_POINT, pair.map_err(|_| failed)?.public_key().as_ref()].concat();
        let private = Secret::from(pem("PRIVATE KEY", private.as_ref()));
        Ok(Pair { private, public: pem("PUBLIC KEY", &public) })
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}
