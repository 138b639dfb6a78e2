//! Each contradiction in a file is named.

use gguf::{Array, ModelFile, TensorSpec, Value};

use crate::support::{bytes, bytes_with, model};

#[track_caller]
fn check(bytes: Vec<u8>, expected: &str) {
    let error = ModelFile::from_bytes("model.gguf", bytes).err().expect("the file should be refused");
    assert_eq!(error.to_string(), format!("model.gguf{expected}"));
}

/// Where the table's fields of a tensor with two dimensions begin: their number, they, the format, the offset.
fn fields(bytes: &[u8], name: &str) -> usize {
    bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len()
}

#[track_caller]
fn check_field(name: &str, field: usize, value: &[u8], expected: &str) {
    let mut bytes = bytes(&model());
    let at = fields(&bytes, name) + field;
    bytes[at..at + value.len()].copy_from_slice(value);
    check(bytes, expected);
}

const QUERY: &str = "blk.0.attn_q.weight";

#[test]
fn counts_that_the_file_has_no_room_for() {
    for (at, part) in [(8, "the number of its tensors"), (16, "the number of its keys")] {
        let mut bytes = bytes(&model());
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let length = bytes.len();
        check(
            bytes,
            &format!(
                " has {length} bytes, too few for {part} (18446744073709551615); \
                 the download is incomplete: fetch it again"
            ),
        );
    }
}

#[test]
fn names_that_are_there_twice() {
    let twice = |metadata: &mut Vec<(String, Value)>| metadata.push(metadata[0].clone());
    check(
        bytes_with(&model(), twice),
        " is damaged: the key general.architecture is there twice; fetch or convert it again",
    );
    let mut tensors = model().tensors();
    tensors.push(TensorSpec { name: QUERY.to_owned(), ..tensors[3].clone() });
    let mut bytes = Vec::new();
    gguf::write(&mut bytes, &model().metadata(), &tensors, |tensor, out| {
        out.resize(out.len() + tensor.byte_len()?, 0);
        Ok(())
    })
    .unwrap();
    check(bytes, " is damaged: the tensor blk.0.attn_q.weight is there twice; fetch or convert it again");
}

#[test]
fn dimensions_that_no_tensor_has() {
    check_field(QUERY, 0, &[5], " is damaged: tensor blk.0.attn_q.weight has 5 dimensions; fetch or convert it again");
    check_field(
        QUERY,
        4,
        &[0],
        " is damaged: tensor blk.0.attn_q.weight has an impossible dimension; fetch or convert it again",
    );
    check_field(
        QUERY,
        4,
        &[63],
        " is damaged: tensor blk.0.attn_q.weight of shape [64, 63] cannot be in format Q8_0; fetch or convert it again",
    );
    check_field(
        QUERY,
        4 + 15,
        &[0x80],
        " is damaged: tensor blk.0.attn_q.weight of shape [9223372036854775872, 64] cannot be in format Q8_0; \
         fetch or convert it again",
    );
}

#[test]
fn formats_that_nobody_knows() {
    check_field(
        QUERY,
        20,
        &[200],
        ": tensor blk.0.attn_q.weight is in format number 200; \
         use F32, F16, BF16, Q4_0, Q4_K, Q5_K, Q6_K or Q8_0",
    );
}

#[test]
fn places_that_a_tensor_cannot_have() {
    check_field(
        QUERY,
        24,
        &1_u64.to_le_bytes(),
        " is damaged: tensor blk.0.attn_q.weight begins at 1, not a multiple of 32; fetch or convert it again",
    );
    check_field(
        QUERY,
        24,
        &0_u64.to_le_bytes(),
        " is damaged: the tensors blk.0.attn_q.weight and token_embd.weight overlap; fetch or convert it again",
    );
    let length = bytes(&model()).len();
    check_field(
        QUERY,
        24,
        &(u64::MAX - 31).to_le_bytes(),
        &format!(
            " has {length} bytes, too few for tensor blk.0.attn_q.weight; the download is incomplete: fetch it again"
        ),
    );
}

#[test]
fn values_that_no_key_has() {
    let broken = |value: &str, bytes: &[u8]| {
        let mut file = bytes_with(&model(), |metadata| {
            metadata.insert(0, ("note".to_owned(), Value::String(value.to_owned())));
        });
        let at = fields(&file, "note");
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let list_of_lists = [9, 0, 0, 0, 9];
    check(
        broken("abcdefgh", &list_of_lists),
        " is damaged: note is a list of lists, which no model needs; fetch or convert it again",
    );
    check(
        broken("abcdefgh", &[77]),
        " is damaged: note has type 77, which GGUF does not know; fetch or convert it again",
    );
    check(broken("abcdefgh", &[7]), " is damaged: note is a truth value of 8; fetch or convert it again");
    let mut text = broken("abcdefgh", &[8]);
    let at = fields(&text, "note") + 12;
    text[at] = 0xff;
    check(text, " is damaged: note holds a string that is not UTF-8; fetch or convert it again");
}

#[test]
fn lists_of_the_wrong_type() {
    let numbers: Array = (0..300).map(Value::U32).collect();
    let model = model();
    let file = bytes_with(&model, |metadata| {
        metadata.retain(|(key, _)| key != "tokenizer.ggml.tokens");
        metadata.push(("tokenizer.ggml.tokens".to_owned(), Value::Array(numbers)));
    });
    check(
        file,
        ": tokenizer.ggml.tokens is a list of another type, expected the type that the format prescribes; \
         use a plain Mistral or Llama model",
    );
}

#[test]
fn positions_that_are_scaled() {
    for key in ["llama.rope.scaling.factor", "llama.rope.scale_linear"] {
        let with = |factor| bytes_with(&model(), |metadata| metadata.push((key.to_owned(), Value::F32(factor))));
        ModelFile::from_bytes("model.gguf", with(1.0)).unwrap();
        let plain = "expected 1: scaled positions are not supported; use a plain Mistral or Llama model";
        check(with(4.0), &format!(": {key} is 4, {plain}"));
    }
    let no_text = ("llama.rope.scaling.type".to_owned(), Value::U32(2));
    check(
        bytes_with(&model(), |metadata| metadata.push(no_text)),
        ": llama.rope.scaling.type is an integer, expected a string; use a plain Mistral or Llama model",
    );
}

#[test]
fn heads_that_have_no_width() {
    let file = |heads| {
        bytes_with(&model(), |metadata| {
            metadata
                .retain(|(key, _)| !key.contains("_length") || key.contains("embedding") || key.contains("forward"));
            metadata.retain(|(key, _)| !key.starts_with("llama.attention.head_count"));
            metadata.push(("llama.context_length".to_owned(), Value::U32(64)));
            metadata.push(("llama.attention.head_count".to_owned(), Value::U32(heads)));
        })
    };
    check(
        file(128),
        ": llama.attention.head_count is 128, expected a divisor of the hidden size; \
         use a plain Mistral or Llama model",
    );
}
