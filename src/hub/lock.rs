//! `models.lock`: what has come of the hub, file by file, with its SHA-256. It lies beside the files: whoever copies the
//! folder to another machine, or the lock alone, holds that machine to the same weights.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use config::HubModel;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// All pins, by model.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    /// Of the format.
    version: u32,
    models: Vec<Pin>,
}

/// What a model of the hub is held to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Pin {
    /// What was asked for.
    #[serde(flatten)]
    pub(crate) model: HubModel,
    /// What the revision was then.
    pub(crate) commit: String,
    pub(crate) files: Vec<PinnedFile>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedFile {
    /// Its place in the repository.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// 64 hexadecimal digits.
    pub(crate) sha256: String,
}

const VERSION: u32 = 1;

/// Where the lock of a folder of models is.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("models.lock")
}

impl Pin {
    /// Whether it says what to hold a model to, within the model's own folder.
    fn is_whole(&self) -> bool {
        let is_hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_good = |file: &PinnedFile| {
            HubModel::is_file_name(&file.file) && file.sha256.len() == 64 && is_hexadecimal(&file.sha256)
        };
        is_hexadecimal(&self.commit) && !self.files.is_empty() && self.files.iter().all(is_good)
    }
}

impl Lock {
    /// The pins of a folder; none where it has no lock yet.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = path(folder);
        let unusable = |why: String| {
            Failure::usage(format!("{} {why}; mend it, or delete it to pin anew what is fetched next", path.display()))
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Lock { version: VERSION, models: Vec::new() });
            }
            Err(error) => return Err(unusable(format!("cannot be read ({error})"))),
        };
        let lock: Lock =
            serde_json::from_str(&text).map_err(|error| unusable(format!("is not understood ({error})")))?;
        if let Some(pin) = lock.models.iter().find(|pin| !pin.is_whole()) {
            return Err(unusable(format!(
                "has a pin of {} without files, or with a name that leads elsewhere",
                pin.model.repo
            )));
        }
        match lock.version {
            VERSION => Ok(lock),
            version => Err(unusable(format!("has version {version}, and this program knows {VERSION}"))),
        }
    }

    pub(crate) fn pin(&self, model: &HubModel) -> Option<&Pin> {
        self.models.iter().find(|pin| pin.model == *model)
    }

    /// In place of what the same model was held to.
    pub(crate) fn set(&mut self, pin: Pin) {
        self.models.retain(|other| other.model != pin.model);
        self.models.push(pin);
        self.models.sort_by(|a, b| key(&a.model).cmp(&key(&b.model)));
    }

    /// Through a temporary file, so that it is there whole or as before.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut part = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut part, self)?;
            part.write_all(b"\n")?;
            part.as_file().sync_all()?;
            part.persist(path(folder))?;
            Ok(())
        };
        write().map_err(|error| {
            let path = path(folder);
            Failure::unavailable(format!("{} cannot be written ({error}); make room or set data_dir", path.display()))
        })
    }
}

fn key(model: &HubModel) -> (&str, &str, Option<&str>) {
    (&model.repo, &model.revision, model.file.as_deref())
}
