//! Shapes that are known by name.

use crate::shape::Shape;

/// A known shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The bundled model's.
    Pocket,
    /// Two layers, for tests.
    Small,
    /// TinyLlama's: 1.1 billion weights.
    OneB,
    /// Mistral 7B's, with a vocabulary of 32,000.
    SevenB,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 4] = [Preset::Pocket, Preset::Small, Preset::OneB, Preset::SevenB];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Pocket => "pocket",
            Preset::Small => "small",
            Preset::OneB => "1b",
            Preset::SevenB => "7b",
        }
    }

    /// Its dimensions.
    pub fn shape(self) -> Shape {
        let (layers, hidden, feed_forward, heads, kv_heads) = match self {
            Preset::Pocket => (6, 256, 768, 8, 4),
            Preset::Small => (2, 256, 512, 8, 4),
            Preset::OneB => (22, 2048, 5632, 32, 4),
            Preset::SevenB => (32, 4096, 14336, 32, 8),
        };
        let (vocab_size, context_len, rope_base) = match self {
            Preset::Pocket => (3072, 2048, 1e4),
            Preset::Small => (512, 512, 1e4),
            Preset::OneB => (32_000, 32_768, 1e4),
            Preset::SevenB => (32_000, 32_768, 1e6),
        };
        Shape {
            name: format!("random-{}", self.name()),
            layers,
            hidden,
            feed_forward,
            heads,
            kv_heads,
            head_dim: hidden / heads,
            vocab_size,
            context_len,
            sliding_window: None,
            rope_base,
            rms_epsilon: 1e-5,
        }
    }
}
