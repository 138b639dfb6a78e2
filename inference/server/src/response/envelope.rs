//! What every answer says of itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use inference::ModelInfo;

/// The same in an answer and in all chunks of a stream.
pub(crate) struct Envelope {
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: String,
    /// What the answer depends on besides the request: this program and the model.
    pub(crate) system_fingerprint: String,
}

impl Envelope {
    /// `kind` begins the id: `chatcmpl` or `cmpl`.
    pub(crate) fn new(kind: &str, model: String, info: &ModelInfo) -> Self {
        let mut hasher = DefaultHasher::new();
        (env!("CARGO_PKG_VERSION"), &info.name, info.weight_bytes, info.vocab_size).hash(&mut hasher);
        Envelope {
            id: format!("{kind}-{:032x}", rand::random::<u128>()),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()),
            model,
            system_fingerprint: format!("fp_{:016x}", hasher.finish()),
        }
    }
}
