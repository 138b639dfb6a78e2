//! One repository of the hub at one commit, and its files one by one, over connections that break. What `hf-hub` leaves
//! open is done around it: it neither compares what came with what was announced, nor goes on by itself after a break,
//! nor gives up a server that falls silent.

use std::path::Path;
use std::time::Duration;

use config::HubModel;
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo, Metadata};
use hf_hub::{Cache, Repo, RepoType};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Hub, PinnedFile};
use crate::digest::sha256;
use crate::failure::{Failure, with_causes};
use crate::output::say;
use crate::progress::Bytes;

/// A hub that says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// Before a broken download goes on.
const PAUSE: Duration = Duration::from_secs(1);

/// A repository at one commit.
pub(super) struct Repository {
    api: Api,
    cache: Cache,
    name: String,
    commit: String,
    endpoint: String,
}

impl Repository {
    /// Asks the hub which commit `revision` is, and which files it has.
    pub(super) async fn open(hub: &Hub, name: &str, revision: &str) -> Result<(Self, Vec<String>), Failure> {
        let cache = hub.cache();
        let (endpoint, token) = (hub.endpoint.clone(), hub.token.clone());
        let about = format!("{name} (revision {revision}) of {endpoint}");
        let builder = ApiBuilder::from_cache(cache.clone()).with_endpoint(endpoint.clone()).with_token(token);
        let builder = builder.with_user_agent("talon", env!("CARGO_PKG_VERSION"));
        let api = builder.build().map_err(|error| failed(&about, &error))?;
        let repo = Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned());
        let asked = api.repo(repo);
        let info = watched(SILENCE, &about, move |_| asked.info()).await?.map_err(|error| failed(&about, &error))?;
        // It becomes part of paths.
        if info.sha.is_empty() || !info.sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::refused(format!("{about} has the commit {:?}, which is none", info.sha)));
        }
        let files = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        Ok((Repository { api, cache, name: name.to_owned(), commit: info.sha, endpoint }, files))
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// Fetches a file, unless it lies here and is the announced or the `known` one.
    pub(super) async fn fetch(&self, file: &str, known: Option<&PinnedFile>) -> Result<PinnedFile, Failure> {
        let about = format!("{}:{file} of {}", self.name, self.endpoint);
        if !HubModel::is_file_name(file) {
            return Err(Failure::refused(format!("{about} has a name that could lead elsewhere; it is not fetched")));
        }
        let announced = self.announced(&about, file).await?;
        let place = self.cache.repo(self.repo());
        if let Some(path) = place.get(file)
            && let Ok(here) = pinned(file, &path).await
            && (announced.fits(&here) == Fit::Digest || known == Some(&here))
        {
            return Ok(here);
        }
        let part = place.blob_path(&announced.etag).with_extension("part");
        let mut kept = length(&part);
        // A part as long as the file has no rest that could be asked for.
        if announced.bytes <= kept {
            discard(&part);
            kept = 0;
        }
        let path = loop {
            let (repo, name) = (self.api.repo(self.repo()), file.to_owned());
            let attempt = watched(SILENCE, &about, move |pulse| download(&repo, &name, pulse)).await?;
            let error = match attempt {
                Ok(path) => break path,
                Err(error) => failed(&about, &error),
            };
            let before = std::mem::replace(&mut kept, length(&part));
            if kept <= before {
                let kept = format!("{} of {} MiB are kept", kept >> 20, announced.bytes >> 20);
                return Err(Failure::unavailable(format!("{error} ({kept}, and the next pull goes on from there)")));
            }
            say(format_args!("{error}; going on from {} MiB", kept >> 20));
            tokio::time::sleep(PAUSE).await;
        };
        let came = pinned(file, &path).await?;
        match announced.fits(&came) {
            Fit::Digest | Fit::Length => Ok(came),
            Fit::Not => {
                discard(&place.blob_path(&announced.etag));
                discard(&path);
                Err(Failure::unavailable(format!(
                    "{about} came as {} bytes with the SHA-256 {}, but announced were {announced}; it is thrown away: pull \
                     again",
                    came.bytes, came.sha256
                )))
            }
        }
    }

    async fn announced(&self, about: &str, file: &str) -> Result<Announced, Failure> {
        let url = self.api.repo(self.repo()).url(file);
        let api = self.api.clone();
        let metadata =
            watched(SILENCE, about, move |_| api.metadata(&url)).await?.map_err(|error| failed(about, &error))?;
        Announced::new(&metadata).ok_or_else(|| Failure::refused(format!("{about} has an etag that cannot be a name")))
    }

    fn repo(&self) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, self.commit.clone())
    }
}

/// What the hub says that a file is.
struct Announced {
    bytes: u64,
    /// Of large files, their SHA-256.
    etag: String,
}

#[derive(PartialEq, Eq)]
enum Fit {
    /// The announced digest.
    Digest,
    /// The announced length, and no digest was announced.
    Length,
    Not,
}

impl Announced {
    fn new(metadata: &Metadata) -> Option<Self> {
        let etag = metadata.etag();
        let is_name = !etag.is_empty() && etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_name.then(|| Announced { bytes: metadata.size() as u64, etag: etag.to_owned() })
    }

    fn has_digest(&self) -> bool {
        self.etag.len() == 64
    }

    fn fits(&self, file: &PinnedFile) -> Fit {
        match file.bytes == self.bytes {
            true if self.etag == file.sha256 => Fit::Digest,
            true if !self.has_digest() => Fit::Length,
            _ => Fit::Not,
        }
    }
}

impl std::fmt::Display for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes)?;
        if self.has_digest() { write!(f, " with {}", self.etag) } else { Ok(()) }
    }
}

/// Told of each piece that came.
struct Pulse(watch::Sender<()>);

/// Runs blocking work on the hub, as long as it has a pulse. Without one for `silence` it is left alone.
async fn watched<T: Send + 'static>(
    silence: Duration,
    about: &str,
    work: impl FnOnce(Pulse) -> T + Send + 'static,
) -> Result<T, Failure> {
    let (pulse, mut beats) = watch::channel(());
    let mut work = tokio::task::spawn_blocking(move || work(Pulse(pulse)));
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            beat = timeout(silence, beats.changed()) => match beat {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break work.await,
                Err(_) => {
                    let message = format!("{about} has sent nothing for {silence:?}; try again later");
                    return Err(Failure::unavailable(message));
                }
            }
        }
    };
    ended.map_err(|_| Failure::refused(format!("{about} answers as no hub does; check HF_ENDPOINT")))
}

fn download(repo: &ApiRepo, file: &str, pulse: Pulse) -> Result<std::path::PathBuf, ApiError> {
    repo.download_with_progress(file, Shown { bytes: Bytes::new("fetched"), done: 0, total: 0, pulse })
}

/// A download as people see it.
struct Shown {
    bytes: Bytes,
    done: u64,
    total: u64,
    pulse: Pulse,
}

impl Progress for Shown {
    /// Once for the file and once for the answer.
    fn init(&mut self, size: usize, _: &str) {
        self.total = size as u64;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.bytes.reach(self.done, self.total);
        self.pulse.0.send_replace(());
    }

    fn finish(&mut self) {}
}

async fn pinned(file: &str, path: &Path) -> Result<PinnedFile, Failure> {
    let sha256 = sha256(path.to_owned()).await?;
    Ok(PinnedFile { file: file.to_owned(), bytes: length(path), sha256 })
}

/// Of what is there.
fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// It may not be there.
fn discard(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn failed(about: &str, error: &ApiError) -> Failure {
    let status = match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => Some(status),
            _ => None,
        },
        _ => None,
    };
    match status {
        Some(401 | 403) => Failure::refused(format!(
            "{about} is refused ({}): it is private or has terms to accept, or does not exist; set HF_TOKEN to a token \
             that may read it",
            status.unwrap_or_default()
        )),
        Some(404) => Failure::refused(format!("{about} does not exist (404)")),
        _ => Failure::unavailable(format!("{about} cannot be fetched: {}", with_causes(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hub_that_falls_silent_is_given_up() {
        let (sender, silent) = std::sync::mpsc::channel::<()>();
        let waits = move |pulse: Pulse| {
            pulse.0.send_replace(());
            silent.recv().is_ok()
        };
        let given_up = watched(Duration::from_millis(1), "it", waits).await;
        assert!(given_up.is_err_and(|failure| failure.to_string().contains("it has sent nothing for 1ms")));
        drop(sender);
    }

    #[tokio::test]
    async fn work_that_ends_or_panics_says_so() {
        assert_eq!(watched(SILENCE, "it", |_| 17).await.ok(), Some(17));
        let panicked = watched(SILENCE, "it", |_| -> u32 { panic!("as the test wants") }).await;
        assert!(panicked.is_err_and(|failure| failure.to_string().contains("as no hub does")));
    }
}
