//! API keys as text: made here, shown once, kept nowhere; the store has their digests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const PREFIX: &str = "talon_";
const RANDOM_BYTES: usize = 32;
/// `RANDOM_BYTES` in base64url without padding.
const RANDOM_CHARS: usize = 43;

/// The secret text of a key. What prints it by accident prints dots.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl KeySecret {
    /// A new key: `talon_` and 43 characters.
    pub fn random() -> Self {
        let bytes: [u8; RANDOM_BYTES] = rand::random();
        KeySecret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A key that someone else made, in any form.
    pub fn given(text: impl Into<String>) -> Self {
        KeySecret(text.into())
    }

    /// The key itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the key, in hexadecimal digits: what the store keeps. The key is as random as a digest, so that
    /// nothing slower is needed.
    pub fn digest(&self) -> String {
        Sha256::digest(self.0.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it can be one that was made here; saves asking the store about anything else.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.0.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.len() == RANDOM_CHARS
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    }
}

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_well_formed_and_never_the_same() {
        let (one, two) = (KeySecret::random(), KeySecret::random());
        assert!(one.is_well_formed() && two.is_well_formed());
        assert_ne!(one, two);
        for other in ["", "talon_", "talon_short", "sk-0123456789012345678901234567890123456789012"] {
            assert!(!KeySecret::given(other).is_well_formed(), "{other:?}");
        }
    }

    #[test]
    fn a_digest_is_sha_256_in_hexadecimal_digits() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeySecret::given("abc").digest(), expected);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", KeySecret::given("abc")), "KeySecret(…)");
    }
}
