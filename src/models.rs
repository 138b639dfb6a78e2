//! Every model that `talon.yml` names: those of this process loaded, each with an engine of its own, whose life and
//! progress are watched; those behind HTTP ready to be asked.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{InferenceConfig, KvCacheDtype, ModelSource, ModelSpec, RemoteModel, TalonConfig};
use core_api::Health;
use inference::{ChatModel, EngineConfig, EngineHandle, EngineMetrics, KvKind, LoadError, LoadOptions, Model};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use worker::{ConnectError, Generate, RemoteChat};

use crate::bundled;
use crate::failure::{Failure, with_causes};
use crate::hub::{Hub, Wish};
use crate::metrics::{Metrics, declared_twice};
use crate::serve::Patience;
use crate::service::Service;

/// An engine that has not come round its loop for this long stands still, unless its steps take that long.
const STALLED: Duration = Duration::from_secs(30);

/// Bytes of weights from which loading takes so long that its progress is worth a line.
const LARGE_FILE: u64 = 1 << 30;

/// The engines, by the name of their model.
pub(crate) type Engines = BTreeMap<String, ChatModel>;

/// The models, by name.
#[derive(Default)]
pub(crate) struct Models {
    /// Those of this process.
    pub(crate) engines: Engines,
    /// Those behind HTTP.
    remote: BTreeMap<String, Arc<RemoteChat>>,
}

/// Where a model is computed.
pub(crate) enum Place {
    /// In this process, from these weights.
    Here(PathBuf),
    /// By a server.
    There(RemoteModel),
}

impl Models {
    /// All of them, as agents use them.
    pub(crate) fn generators(&self) -> BTreeMap<String, Arc<dyn Generate>> {
        let engines = self.engines.iter().map(|(name, it)| (name.clone(), Arc::new(it.clone()) as Arc<dyn Generate>));
        let remote = self.remote.iter().map(|(name, it)| (name.clone(), it.clone() as Arc<dyn Generate>));
        engines.chain(remote).collect()
    }
}

pub(crate) async fn load(config: &TalonConfig, metrics: &Metrics, patience: &Patience) -> Result<Models, Failure> {
    let mut models = Models::default();
    for spec in &config.models {
        load_one(config, spec, metrics, patience, &mut models)
            .await
            .map_err(|failure| failure.about(&format!("model {}", spec.name)))?;
    }
    Ok(models)
}

async fn load_one(
    config: &TalonConfig,
    spec: &ModelSpec,
    metrics: &Metrics,
    patience: &Patience,
    models: &mut Models,
) -> Result<(), Failure> {
    let name = spec.name.clone();
    match place(config, &spec.source).await? {
        Place::Here(path) => {
            let engine = start(config, &name, path, metrics).await?;
            models.engines.insert(name, engine);
        }
        Place::There(remote) => {
            let remote = connect(&remote, patience).await?;
            models.remote.insert(name, Arc::new(remote));
        }
    }
    Ok(())
}

/// Where a model is computed. Its weights are fetched if they are on the hub and not here.
pub(crate) async fn place(config: &TalonConfig, source: &ModelSource) -> Result<Place, Failure> {
    Ok(match source {
        ModelSource::Bundled => Place::Here(bundled::pocket_model(&config.data_dir)?),
        ModelSource::Path(path) => Place::Here(path.clone()),
        ModelSource::Hub(model) => Place::Here(Hub::new(config).files(model, Wish::Pinned).await?.1),
        ModelSource::Remote(remote) => Place::There(remote.clone()),
    })
}

/// Fetches what is missing of the hub. From then on such models are files, whatever becomes of `data_dir`.
pub(crate) async fn fetch(config: &mut TalonConfig) -> Result<(), Failure> {
    let hub = Hub::new(config);
    for spec in &mut config.models {
        if let ModelSource::Hub(model) = &spec.source {
            let (_, path) = hub.files(model, Wish::Pinned).await?;
            spec.source = ModelSource::Path(path);
        }
    }
    Ok(())
}

async fn connect(remote: &RemoteModel, patience: &Patience) -> Result<RemoteChat, Failure> {
    let key = api_key(remote)?;
    let is_away = |error: &ConnectError| matches!(error, ConnectError::Away { .. });
    patience.until_there(&remote.url, is_away, async || RemoteChat::connect(remote, key.as_deref()).await).await
}

/// The key that the environment has for a server.
pub(crate) fn api_key(remote: &RemoteModel) -> Result<Option<String>, Failure> {
    let Some(variable) = &remote.api_key_env else { return Ok(None) };
    match std::env::var(variable) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
        _ => Err(Failure::usage(format!(
            "api_key_env names {variable}, which is not set; set it to the key for {}",
            remote.url
        ))),
    }
}

/// Loads weights and starts their engine.
pub(crate) async fn start(
    config: &TalonConfig,
    name: &str,
    path: PathBuf,
    metrics: &Metrics,
) -> Result<ChatModel, Failure> {
    info!(model = %name, path = %path.display(), "loading");
    let inference = config.inference.clone();
    let model = tokio::task::spawn_blocking(move || load_file(&path, &inference))
        .await
        .map_err(|error| Failure::unavailable(error.to_string()))?
        .map_err(|error| Failure::unavailable(with_causes(&error)))?;
    let engine = EngineConfig {
        max_num_seqs: config.inference.max_batch_size,
        max_num_batched_tokens: config.inference.max_batched_tokens,
        kv_cache_bytes: config.inference.kv_cache_bytes,
        max_waiting: config.inference.max_waiting,
        ..EngineConfig::default()
    };
    let metrics = EngineMetrics::register(&metrics.of_model(name)?).map_err(declared_twice)?;
    ChatModel::start(model, engine, metrics).map_err(|error| Failure::usage(with_causes(&error)))
}

fn load_file(path: &Path, config: &InferenceConfig) -> Result<Model, LoadError> {
    let tenths = Cell::new(0);
    let progress = |done: u64, total: u64| {
        let reached = done * 10 / total.max(1);
        if tenths.replace(reached) < reached && LARGE_FILE <= total {
            info!(path = %path.display(), percent = reached * 10, "packing");
        }
    };
    let kv = match config.kv_cache_dtype {
        KvCacheDtype::F16 => KvKind::F16,
        KvCacheDtype::Int8 => KvKind::Int8,
    };
    let threads = config.threads.and_then(NonZeroUsize::new);
    let reserve_bytes = config.kv_cache_bytes;
    let options = LoadOptions { threads, kv, reserve_bytes, progress: Some(&progress), ..LoadOptions::default() };
    Model::load_with(path, options)
}

/// The engines as parts of the process: stopped with it, and missed when they end before.
pub(crate) fn keep(engines: &Engines, alarm: &CancellationToken) -> Vec<Service> {
    engines.iter().map(|(name, engine)| keep_one(name.clone(), engine.handle().clone(), alarm)).collect()
}

fn keep_one(model: String, engine: EngineHandle, alarm: &CancellationToken) -> Service {
    Service::start("engine", alarm, |stop| async move {
        tokio::select! {
            () = stop.cancelled() => engine.stop().await,
            () = engine.ended() => error!(%model, "the engine ended by itself"),
        }
    })
}

/// Progress as liveness: an engine that stands still is said to be.
pub(crate) fn health(engines: &Engines) -> Health {
    let engines = engines.clone();
    Arc::new(move || {
        let stalled = engines.iter().find(|(_, engine)| {
            let handle = engine.handle();
            handle.last_step_age() > STALLED.max(10 * handle.stats().step_time)
        });
        match stalled {
            None => Ok(()),
            Some((name, engine)) => Err(format!(
                "the engine of model {name} has not moved for {:.0} s; restart the process",
                engine.handle().last_step_age().as_secs_f64()
            )),
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use inference::backend::{Backend, BackendError, BackendMemory, Logits, ModelInput};
    use inference::{Event, GenerateRequest, SamplingParams, TokenId};

    use super::*;

    /// Always says the same, and dies after its second pass.
    struct Brittle {
        passes: usize,
    }

    impl Backend for Brittle {
        fn allocate(&mut self, _: usize) -> Result<(), BackendError> {
            Ok(())
        }

        fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
            self.passes += 1;
            let rows = input.spans.iter().map(|span| span.num_logits).sum::<usize>();
            *logits = Logits { values: vec![0.0; rows], vocab_size: 1 };
            Ok(())
        }

        fn vocab_size(&self) -> usize {
            1
        }

        fn context_len(&self) -> usize {
            100_000
        }

        fn kv_bytes_per_token(&self) -> u64 {
            512
        }

        fn memory(&self) -> BackendMemory {
            assert!(self.passes < 2, "as the test wants");
            BackendMemory::default()
        }
    }

    fn engine() -> EngineHandle {
        let metrics = EngineMetrics::register(&prometheus::Registry::new()).unwrap();
        inference::engine::start(Brittle { passes: 0 }, EngineConfig::default(), metrics).unwrap()
    }

    #[tokio::test]
    async fn an_engine_that_dies_raises_the_alarm() {
        let (engine, alarm) = (engine(), CancellationToken::new());
        let _kept = keep_one("brittle".to_owned(), engine.clone(), &alarm);
        let (prompt, params) = (vec![TokenId(0)], SamplingParams::greedy(90_000));
        let request = GenerateRequest { prompt, params, ..GenerateRequest::default() };
        let mut generation = engine.generate(request).unwrap();
        assert_eq!(generation.next().await, Some(Event::Token { id: TokenId(0), logprobs: None }));
        alarm.cancelled().await;
    }

    #[tokio::test]
    async fn an_engine_that_is_stopped_raises_no_alarm() {
        let (engine, alarm) = (engine(), CancellationToken::new());
        keep_one("idle".to_owned(), engine.clone(), &alarm).stop(Duration::from_secs(60)).await;
        engine.ended().await;
        assert!(!alarm.is_cancelled());
    }
}
