//! Weights on the Hugging Face hub: fetched once, pinned by their SHA-256, and held to it before every use.

mod choose;
mod fetch;
mod lock;

use std::path::{Path, PathBuf};

use config::{Environment, HubModel, TalonConfig};
use hf_hub::{Cache, Repo, RepoType};

use crate::digest::sha256;
use crate::failure::Failure;
use crate::output::say;
use choose::choose;
use fetch::Repository;
pub(crate) use lock::{Lock, Pin, PinnedFile};

const ENDPOINT: &str = "https://huggingface.co";

/// The hub, and what has come of it so far.
pub(crate) struct Hub {
    /// Where `models.lock` and the files are.
    folder: PathBuf,
    offline: bool,
    endpoint: String,
    token: Option<String>,
}

/// Which weights are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Those that are pinned; the first ones that come are.
    Pinned,
    /// Those that the hub has now, whatever is pinned.
    Newest,
}

impl Hub {
    /// The hub of this installation; `HF_ENDPOINT` names a mirror, `HF_TOKEN` says who asks.
    pub(crate) fn new(config: &TalonConfig) -> Self {
        let environment = Environment::of_process();
        Hub {
            folder: config.data_dir.join("models"),
            offline: config.offline,
            endpoint: environment.get("HF_ENDPOINT").unwrap_or(ENDPOINT).trim_end_matches('/').to_owned(),
            token: environment.get("HF_TOKEN").map(str::to_owned),
        }
    }

    /// The model's files, fetched if they are not here; with them, where they are.
    ///
    /// # Errors
    /// When they are not here and cannot be fetched, or when a file is not the one that is pinned.
    pub(crate) async fn files(&self, model: &HubModel, wish: Wish) -> Result<(Pin, PathBuf), Failure> {
        let pinned = Lock::read(&self.folder)?.pin(model).cloned();
        let held = pinned.as_ref().filter(|_| wish == Wish::Pinned);
        if let Some(pin) = held
            && let Some(paths) = self.paths(pin)
        {
            for (file, path) in pin.files.iter().zip(&paths) {
                self.check(model, file, path).await?;
            }
            return Ok((pin.clone(), self.path(pin)));
        }
        if self.offline {
            return Err(Failure::unavailable(format!(
                "{} would have to be fetched, and offline forbids that; `talon model pull` it where it is allowed, and \
                 copy {} here",
                told(model),
                self.folder.display()
            )));
        }
        let fetched = self.fetch(model, held, pinned.as_ref()).await?;
        if let Some(pin) = held {
            for (had, came) in pin.files.iter().zip(&fetched.files) {
                if had.sha256 != came.sha256 {
                    return Err(self.mismatch(model, had, &came.sha256, "came from the hub"));
                }
            }
        }
        self.pin(&fetched, pinned.as_ref())?;
        Ok((fetched.clone(), self.path(&fetched)))
    }

    /// Writes a pin down where there was `before` when the fetching began. That may have taken long, so the lock is read
    /// again: others may have pinned other models, or this one.
    fn pin(&self, fetched: &Pin, before: Option<&Pin>) -> Result<(), Failure> {
        let mut lock = Lock::read(&self.folder)?;
        match lock.pin(&fetched.model) {
            Some(other) if Some(other) != before && other != fetched => Err(Failure::unavailable(format!(
                "{} was pinned by another process meanwhile; run this again to be held to that",
                told(&fetched.model)
            ))),
            Some(_) | None => {
                lock.set(fetched.clone());
                lock.write(&self.folder)
            }
        }
    }

    /// Fetches at the commit of `held`, else at what the revision is now. Files that lie here as `pinned` says stay.
    async fn fetch(&self, model: &HubModel, held: Option<&Pin>, pinned: Option<&Pin>) -> Result<Pin, Failure> {
        let revision = held.map_or(model.revision.as_str(), |pin| &pin.commit);
        let (repository, present) = Repository::open(self, &model.repo, revision).await?;
        let names = match held {
            Some(pin) => pin.files.iter().map(|file| file.file.clone()).collect(),
            None => choose(model, &present)?,
        };
        let mut files = Vec::new();
        for name in names {
            let known = pinned.and_then(|pin| pin.files.iter().find(|file| file.file == name));
            say(format_args!("fetching {name} of {}", told(model)));
            files.push(repository.fetch(&name, known).await?);
        }
        Ok(Pin { model: model.clone(), commit: repository.commit().to_owned(), files })
    }

    /// Refuses a file that is not the pinned one.
    async fn check(&self, model: &HubModel, file: &PinnedFile, path: &Path) -> Result<(), Failure> {
        let found = sha256(path.to_owned()).await?;
        match found == file.sha256 {
            true => Ok(()),
            false => Err(self.mismatch(model, file, &found, &format!("lies at {}", path.display()))),
        }
    }

    fn mismatch(&self, model: &HubModel, pinned: &PinnedFile, found: &str, how: &str) -> Failure {
        Failure::negative(format!(
            "{} of {}: what {how} has the SHA-256 {found}, but pinned in {} is {}; delete what lies here and pull again \
             to have the pinned file, or accept what the hub has now: talon model pull {}{} --update",
            pinned.file,
            told(model),
            lock::path(&self.folder).display(),
            pinned.sha256,
            model.repo,
            model.file.as_ref().map(|file| format!(":{file}")).unwrap_or_default(),
        ))
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.join("hub"))
    }

    /// Where each pinned file lies; `None` unless all of them are here.
    fn paths(&self, pin: &Pin) -> Option<Vec<PathBuf>> {
        let snapshot = self.snapshot(pin);
        let path = |file: &PinnedFile| Some(snapshot.join(&file.file)).filter(|path| path.exists());
        pin.files.iter().map(path).collect()
    }

    /// What a model is loaded from: its only file, or the folder of all.
    fn path(&self, pin: &Pin) -> PathBuf {
        match &pin.files[..] {
            [only] => self.snapshot(pin).join(&only.file),
            _ => self.snapshot(pin),
        }
    }

    fn snapshot(&self, pin: &Pin) -> PathBuf {
        let repo = Repo::with_revision(pin.model.repo.clone(), RepoType::Model, pin.commit.clone());
        self.cache().repo(repo).pointer_path(&pin.commit)
    }
}

/// How a model of the hub is called in messages.
fn told(model: &HubModel) -> String {
    let HubModel { repo, file, revision } = model;
    let file = file.as_ref().map(|file| format!(":{file}")).unwrap_or_default();
    format!("{repo}{file} (revision {revision})")
}
