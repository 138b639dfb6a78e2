//! Signatures of messages, as Standard Webhooks has them: HMAC-SHA256 over id, timestamp and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// Bytes that the standard allows.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that sender and receiver share.
#[derive(Clone)]
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(PREFIX).ok_or_else(|| format!("it does not begin with {PREFIX}"))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| format!("what follows {PREFIX} is not base64"))?;
        match LENGTHS.contains(&bytes.len()) {
            true => Ok(SigningKey(bytes)),
            false => {
                Err(format!("it has {} bytes but must have {} to {}", bytes.len(), LENGTHS.start(), LENGTHS.end()))
            }
        }
    }

    /// The header `webhook-signature` of a message.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length will do");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's reference libraries.
    #[test]
    fn a_signature_is_the_standards() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for text in ["", "hunter2", "whsec_hunter2", "whsec_c2hvcnQ="] {
            let said = SigningKey::parse(text).err().expect("no key");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
