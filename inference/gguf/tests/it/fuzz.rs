//! Thousands of damaged files, the same ones each time: none may panic, none may take more memory than its size
//! justifies, and each is either refused with a reason or a model that is whole.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gguf::{Format, ModelFile};

use crate::allocations::peak;
use crate::support::{bytes, check_read, folder, model};

const NUM_FILES: u64 = 60_000;
const NUM_FOLDERS: u64 = 10_000;
/// Keys and tokens are held several times while they are read; the rest is for small files.
const MEMORY_PER_BYTE: usize = 4;
const MEMORY_AT_LEAST: usize = 1 << 16;

/// A sequence of numbers: the same seed, the same damage.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Mostly in the header, where the file speaks of itself.
    fn place(&mut self, header: usize, length: usize) -> usize {
        match self.below(8) {
            0 => self.below(length),
            1..4 => self.below(header.min(length)),
            // The first keys, and the table of tensors.
            4..6 => self.below(1000.min(length)),
            _ => (header.saturating_sub(self.below(800) + 1)).min(length - 1),
        }
    }
}

fn damage(bytes: &mut Vec<u8>, header: usize, numbers: &mut Numbers) {
    let at = numbers.place(header, bytes.len());
    match numbers.below(6) {
        0 => {
            for _ in 0..=numbers.below(8) {
                let at = numbers.place(header, bytes.len());
                bytes[at] ^= 1 << numbers.below(8);
            }
        }
        1 => bytes.truncate(at + 1),
        2 | 3 => {
            let length = bytes.len() as u64;
            let extremes = [0, 1, 2, 31, 32, 255, length, length - 1, 1 << 31, u64::from(u32::MAX)];
            let extremes =
                extremes.into_iter().chain([1 << 32, 1 << 40, 1 << 62, i64::MAX as u64, u64::MAX - 31, u64::MAX]);
            let extremes: Vec<u64> = extremes.collect();
            let value = extremes[numbers.below(extremes.len())].to_le_bytes();
            let width = [1, 4, 8][numbers.below(3)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&value[..width]);
        }
        4 => {
            let from = numbers.place(header, bytes.len());
            let length = (1 + numbers.below(64)).min(bytes.len() - from.max(at));
            bytes.copy_within(from..from + length, at);
        }
        _ => {
            let from = numbers.place(header, bytes.len());
            let piece = bytes[from..(from + numbers.below(64)).min(bytes.len())].to_vec();
            let removed = numbers.below(64).min(bytes.len() - at);
            bytes.splice(at..at + removed, piece);
        }
    }
}

/// Puts something else in the place of a JSON number.
fn damage_number(bytes: &mut Vec<u8>, header: usize, numbers: &mut Numbers) {
    const OTHERS: [&str; 10] =
        ["0", "1", "3", "-1", "0.5", "4294967296", "9223372036854775807", "18446744073709551615", "null", "[[7]]"];
    let at = numbers.place(header, bytes.len());
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|skipped| at + skipped) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..start + length, OTHERS[numbers.below(OTHERS.len())].bytes());
}

/// Opens a damaged model, and gives the name of the problem that it has.
fn outcome(seed: u64, bound: usize, open: impl FnOnce() -> Result<ModelFile, gguf::Error>) -> String {
    let (opened, memory) = peak(|| catch_unwind(AssertUnwindSafe(open)));
    let opened = opened.unwrap_or_else(|_| panic!("model {seed} panics"));
    assert!(memory <= bound, "model {seed} takes {memory} bytes, more than {bound}");
    match opened.and_then(|file| check_read(&file)) {
        Ok(()) => "none".to_owned(),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("damaged") && text.contains(';'), "model {seed}: {text}");
            let problem = format!("{:?}", error.problem);
            problem.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}

/// The damage is of all kinds: each of these occurs, and so do models that are still whole.
#[track_caller]
fn check_kinds(found: &BTreeMap<String, usize>, expected: &[&str]) {
    for problem in expected {
        assert!(found.contains_key(*problem), "{problem} is not among {found:?}");
    }
}

#[test]
fn no_damage_to_a_file_is_more_than_an_error() {
    let whole = bytes(&model());
    let data: usize = model().tensors().iter().map(|tensor| tensor.byte_len().unwrap()).sum();
    let header = whole.len() - data;
    let mut found = BTreeMap::<String, usize>::new();
    for seed in 0..NUM_FILES {
        let mut numbers = Numbers(seed);
        let mut bytes = whole.clone();
        for _ in 0..=numbers.below(3) {
            damage(&mut bytes, header, &mut numbers);
        }
        let bound = MEMORY_PER_BYTE * bytes.len() + MEMORY_AT_LEAST;
        *found.entry(outcome(seed, bound, || ModelFile::from_bytes("damaged", bytes))).or_default() += 1;
    }
    let kinds = ["none", "NotGguf", "Version", "Truncated", "Damaged", "MissingKey", "BadKey", "MissingTensor"];
    check_kinds(&found, &kinds);
    check_kinds(&found, &["ExtraTensor", "TensorShape", "TensorFormat"]);
}

#[test]
fn no_damage_to_a_folder_is_more_than_an_error() {
    let whole = folder(&model());
    let mut found = BTreeMap::<String, usize>::new();
    for seed in 0..NUM_FOLDERS {
        let mut numbers = Numbers(seed);
        let mut files = whole.clone();
        let (_, bytes) = files.iter_mut().nth(numbers.below(whole.len())).unwrap();
        // All of a JSON file is header; a safetensors file has one of a few kilobytes.
        let header = bytes.len().min(2000);
        for _ in 0..=numbers.below(3) {
            match numbers.below(3) {
                0 => damage(bytes, header, &mut numbers),
                _ => damage_number(bytes, header, &mut numbers),
            }
        }
        let size: usize = files.values().map(Vec::len).sum();
        let bound = MEMORY_PER_BYTE * size + MEMORY_AT_LEAST;
        let open = || ModelFile::from_folder_bytes("damaged", &files, Format::Q8_0);
        *found.entry(outcome(seed, bound, open)).or_default() += 1;
    }
    let kinds = ["none", "Truncated", "Damaged", "MissingKey", "BadKey", "MissingTensor", "ExtraTensor"];
    check_kinds(&found, &kinds);
    check_kinds(&found, &["TensorShape", "VocabSize", "NotFinite"]);
}
