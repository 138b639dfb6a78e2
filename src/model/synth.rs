//! `talon model synth`: writes a model of random weights, whole or not at all.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gguf::synth::RandomModel;
use indicatif::BinaryBytes;
use serde_json::json;

use super::apart;
use crate::cli::{MIXES, SynthArgs, name_of};
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::progress::Bytes;

pub(super) async fn run(arguments: SynthArgs, json: bool) -> Result<(), Failure> {
    let SynthArgs { shape, format, seed, out } = arguments;
    let cannot = |error: std::io::Error| Failure::usage(format!("{} cannot be written: {error}", out.display()));
    if out.exists() {
        return Err(Failure::usage(format!("{} is there already; remove it or name another file", out.display())));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let readable = Permissions::from_mode(0o644);
    let part = tempfile::Builder::new().permissions(readable).tempfile_in(folder).map_err(cannot)?;
    let model = RandomModel::new(shape, format, seed);
    let file = part.reopen().map_err(cannot)?;
    let bytes = tokio::select! {
        written = apart(move || Ok(write(&model, &file))) => written?.map_err(cannot)?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::interrupted("interrupted; nothing was written")),
    };
    part.persist_noclobber(&out).map_err(|error| cannot(error.error))?;
    let format = name_of(&MIXES, format);
    if json {
        return print_json(
            &json!({"file": out, "shape": shape.name(), "format": format, "seed": seed, "bytes": bytes}),
        );
    }
    print(format_args!("{}: {} in {format}, {}", out.display(), shape.name(), BinaryBytes(bytes)))
}

/// Returns the file's size.
fn write(model: &RandomModel, file: &File) -> std::io::Result<u64> {
    let progress = Bytes::new("written");
    let mut writer = BufWriter::new(file);
    model.write(&mut writer, |written, total| progress.reach(written, total))?;
    writer.flush()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}
