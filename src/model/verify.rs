//! `talon model verify`: everything of a model file that can be wrong, from the header to the tokens that it writes.
//! Later checks go on where earlier ones found something, as far as they can.

mod agreement;

use std::path::Path;

use gguf::{Format, ModelFile};
use inference::{BackendChoice, LoadError, LoadOptions, Model};
use serde::Serialize;
use serde_json::json;

use super::inspect::{Tensor, tensors};
use crate::cli::VerifyArgs;
use crate::digest::sha256_here;
use crate::failure::{Failure, with_causes};
use crate::output::{print, print_json};
use crate::progress::Bytes;
use crate::show;
use agreement::{Run, compare};

/// What the tokenizer has to give back.
const SAMPLE: &str = "Invoice No. 17:\n\t{\"total\": 1.250,00 €}  größer, 東京 🙂";

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    check: &'static str,
    fine: bool,
    found: String,
}

impl Check {
    fn new(check: &'static str, found: Result<String, String>) -> Self {
        let fine = found.is_ok();
        Check { check, fine, found: found.unwrap_or_else(|wrong| wrong) }
    }
}

pub(super) fn run(arguments: &VerifyArgs, json: bool) -> Result<(), Failure> {
    let path = &arguments.file;
    let mut checks = Vec::new();
    if !path.is_dir() {
        checks.push(Check::new("sha-256", sha256(path, arguments.sha256.as_deref())?));
    } else if arguments.sha256.is_some() {
        return Err(Failure::usage(format!("{} is a folder and has no SHA-256; leave --sha256 out", path.display())));
    }
    match ModelFile::open(path) {
        Ok(file) => checks.extend(contents(&file)?),
        Err(error) => checks.push(Check::new("header and tensors", Err(with_causes(&error)))),
    }
    let wrong = checks.iter().filter(|check| !check.fine).count();
    if json {
        print_json(&json!({"file": path, "fine": wrong == 0, "checks": checks}))?;
    } else {
        let mut table = show::table(["check", "", "found"]);
        for Check { check, fine, found } in &checks {
            table.add_row([*check, if *fine { "fine" } else { "wrong" }, found.as_str()]);
        }
        print(table)?;
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::negative(format!("{} fails {wrong} of {} checks", path.display(), checks.len()))),
    }
}

/// The file's digest, held against the expected one.
fn sha256(path: &Path, expected: Option<&str>) -> Result<Result<String, String>, Failure> {
    let found = sha256_here(path)?;
    Ok(match expected {
        Some(expected) if expected != found => Err(format!("{found}, expected {expected}; fetch the file again")),
        _ => Ok(found),
    })
}

fn contents(file: &ModelFile) -> Result<Vec<Check>, Failure> {
    let tensors = tensors(file)?;
    let whole = format!("{} tensors, in their shapes, inside the file, apart from each other", tensors.len());
    let numbers = Check::new("numbers", numbers(file, &tensors));
    let are_numbers = numbers.fine;
    let mut checks = vec![Check::new("header and tensors", Ok(whole)), numbers];
    let (is_packed, model) = match load(file, BackendChoice::Packed) {
        Err(LoadError::NotPackable { .. }) => (false, load(file, BackendChoice::Candle)),
        loaded => (true, loaded),
    };
    match model {
        Ok(model) => {
            checks.push(Check::new("tokenizer", tokenizer(&model)));
            checks.push(Check::new("control tokens", Ok(model.renderer().format_name().to_owned())));
            if are_numbers {
                checks.extend(backends(file, model, is_packed, is_rounded(&tensors)));
            }
        }
        Err(error) => {
            let check = match error {
                LoadError::Tokenizer { .. } => "tokenizer",
                LoadError::PromptFormat { .. } => "control tokens",
                _ => "loading",
            };
            checks.push(Check::new(check, Err(with_causes(&error))));
        }
    }
    Ok(checks)
}

fn load(file: &ModelFile, backend: BackendChoice) -> Result<Model, LoadError> {
    let packed = Bytes::new("packed");
    let progress = |bytes, total| packed.reach(bytes, total);
    Model::load_with(file.path(), LoadOptions { backend, progress: Some(&progress), ..LoadOptions::default() })
}

/// Whether a few tokens are written without trouble, and by both backends alike. `model` is loaded with the packed one,
/// or with candle where that does not compute it.
fn backends(file: &ModelFile, model: Model, is_packed: bool, is_rounded: bool) -> [Check; 2] {
    let prompt = agreement::prompt(model.tokenizer(), file.shape());
    let run = Run::write(model.into_backend(), &prompt);
    let written = |run: Run| format!("{} tokens, all logits finite", run.tokens.len());
    if !is_packed {
        let other = Ok("does not compute this model; candle does".to_owned());
        return [Check::new("packed backend", other), Check::new("candle backend", run.map(written))];
    }
    let candle = load(file, BackendChoice::Candle).map_err(|error| with_causes(&error)).and_then(|model| {
        let backend = model.into_backend();
        match &run {
            Ok(run) => compare(&Run::follow(backend, &prompt, &run.tokens)?, run, is_rounded),
            Err(_) => Run::write(backend, &prompt).map(written),
        }
    });
    [Check::new("packed backend", run.map(written)), Check::new("candle backend", candle)]
}

/// Whether every tensor stands for finite numbers; else those that do not.
fn numbers(file: &ModelFile, tensors: &[Tensor]) -> Result<String, String> {
    let (progress, mut done) = (Bytes::new("checked"), 0);
    let mut wrong = Vec::new();
    for tensor in tensors {
        match file.matrix(&tensor.name) {
            Ok(matrix) => wrong.extend(
                bad_blocks(matrix.format, &matrix.bytes, matrix.columns).map(|bad| format!("{}: {bad}", tensor.name)),
            ),
            Err(error) => wrong.push(error.to_string()),
        }
        file.release(&tensor.name);
        done += tensor.bytes;
        progress.reach(done, file.tensor_bytes());
    }
    match wrong.is_empty() {
        true => Ok("all finite".to_owned()),
        false => Err(wrong.join("\n")),
    }
}

/// How many blocks of a matrix hold something that is no finite number, and where the first one is.
fn bad_blocks(format: Format, bytes: &[u8], columns: usize) -> Option<String> {
    let mut values = vec![0.0_f32; format.block_len()];
    let (mut bad, mut first) = (0_usize, 0);
    for (index, block) in bytes.chunks_exact(format.block_bytes()).enumerate() {
        format.dequantize(block, &mut values);
        if !values.iter().all(|value| value.is_finite()) {
            if bad == 0 {
                first = index;
            }
            bad += 1;
        }
    }
    let blocks = bytes.len() / format.block_bytes();
    let (row, column) = (first * format.block_len() / columns, first * format.block_len() % columns);
    (bad > 0).then(|| {
        format!(
            "{bad} of {blocks} blocks of {} are not finite, the first one at row {row}, column {column}",
            format.name()
        )
    })
}

/// Whether text comes back as it went in.
fn tokenizer(model: &Model) -> Result<String, String> {
    let tokenizer = model.tokenizer();
    let ids = tokenizer.encode_text(SAMPLE);
    let back = tokenizer.decode(&ids);
    match back.trim_start_matches(' ') == SAMPLE {
        true => Ok(format!("{} tokens; text comes back as it went in", tokenizer.vocab_size())),
        false => Err(format!("{SAMPLE:?} comes back as {back:?}; convert the model anew")),
    }
}

/// Whether products are of rounded activations.
fn is_rounded(tensors: &[Tensor]) -> bool {
    tensors.iter().any(|tensor| !matches!(tensor.format, Format::F32 | Format::F16 | Format::BF16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_are_not_finite_are_counted_and_found() {
        let block = Format::Q8_0.block_bytes();
        let mut bytes = vec![0; 6 * block];
        assert_eq!(bad_blocks(Format::Q8_0, &bytes, 64), None);
        // f16 infinities; a weight of 0 makes them no number.
        for index in [3, 4] {
            bytes[index * block..][..2].copy_from_slice(&[0x00, 0x7c]);
        }
        let found = bad_blocks(Format::Q8_0, &bytes, 64);
        assert_eq!(found.as_deref(), Some("2 of 6 blocks of Q8_0 are not finite, the first one at row 1, column 32"));
    }
}
