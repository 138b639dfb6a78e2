//! Text of a known number of tokens.

/// So many words, the same for a seed. Each is one token of the models that `talon model synth` makes in its larger
/// shapes: their vocabularies hold all strings of three letters up to v.
pub(crate) fn words(seed: u64, count: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + ((state >> 33) % 22) as u8)
    };
    let mut word = || [letter(), letter(), letter()].iter().collect::<String>();
    (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
}
