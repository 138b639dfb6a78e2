//! Which format each matrix gets.

use crate::format::Format;
use crate::shape::{EMBEDDING, OUTPUT};

/// A model's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// One for all matrices.
    All(Format),
    /// Q4_K, with Q6_K where it matters most, as llama.cpp's `Q4_K_M`.
    Q4KM,
}

impl Mix {
    /// `F32` for vectors; rows that are not whole blocks get Q8_0, or F16, instead.
    pub(super) fn format(self, name: &str, dims: &[usize], layers: usize, tied: bool) -> Format {
        let [_, columns] = dims else { return Format::F32 };
        let wanted = match self {
            Mix::All(format) => format,
            Mix::Q4KM if matters_most(name, layers, tied) => Format::Q6K,
            Mix::Q4KM => Format::Q4K,
        };
        let fitting = [wanted, Format::Q8_0].into_iter().find(|format| format.row_bytes(*columns).is_some());
        fitting.unwrap_or(Format::F16)
    }
}

/// As llama.cpp's `llama_tensor_get_type`: the output, and values and downs of the layers that `use_more_bits` names.
fn matters_most(name: &str, layers: usize, tied: bool) -> bool {
    if name == OUTPUT || (tied && name == EMBEDDING) {
        return true;
    }
    let Some((layer, part)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else { return false };
    let Ok(layer) = layer.parse::<usize>() else { return false };
    let eighth = layers / 8;
    let more_bits = layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
    more_bits && matches!(part, "attn_v.weight" | "ffn_down.weight")
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::synth::{Mix, Preset, RandomModel};

    #[test]
    fn a_7b_in_q4_k_m_is_as_large_as_the_published_files() {
        let tensors = RandomModel::new(Preset::SevenB, Mix::Q4KM, 0).tensors();
        let bytes: usize = tensors.iter().map(|tensor| tensor.byte_len().unwrap()).sum();
        // Mistral-7B-v0.1 in Q4_K_M is 4,368,439,584 bytes with its keys.
        assert!((4_367_000_000..4_368_439_584).contains(&bytes), "{bytes}");
        let more: Vec<&str> = tensors
            .iter()
            .filter(|tensor| tensor.format == Format::Q6K)
            .filter_map(|tensor| tensor.name.strip_suffix(".attn_v.weight"))
            .collect();
        let layers = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31];
        assert_eq!(more, layers.map(|layer| format!("blk.{layer}")));
    }

    #[test]
    fn rows_that_are_not_whole_blocks_get_smaller_ones() {
        let format = |columns| Mix::Q4KM.format("blk.0.attn_q.weight", &[8, columns], 4, false);
        assert_eq!([512, 96, 50].map(format), [Format::Q4K, Format::Q8_0, Format::F16]);
    }
}
