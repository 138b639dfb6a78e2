//! Loads every model that `talon.yml` names, each with an engine of its own, and watches that the engines move.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{ModelSource, ModelSpec, TalonConfig};
use core_api::Health;
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use tracing::info;

use crate::bundled;
use crate::failure::{Failure, with_causes};
use crate::metrics::{Metrics, declared_twice};

/// An engine that has not come round its loop for this long stands still.
const STALLED: Duration = Duration::from_secs(30);

/// The engines, by the name of their model.
pub(crate) type Engines = BTreeMap<String, ChatModel>;

pub(crate) async fn load(config: &TalonConfig, metrics: &Metrics) -> Result<Engines, Failure> {
    let mut engines = BTreeMap::new();
    for spec in &config.models {
        engines.insert(spec.name.clone(), load_one(config, spec, metrics).await?);
    }
    Ok(engines)
}

async fn load_one(config: &TalonConfig, spec: &ModelSpec, metrics: &Metrics) -> Result<ChatModel, Failure> {
    let about = format!("model {}", spec.name);
    let path = match &spec.source {
        ModelSource::Bundled => bundled::pocket_model(&config.data_dir)?,
        ModelSource::Path(path) => path.clone(),
    };
    info!(model = %spec.name, path = %path.display(), "loading");
    let model = tokio::task::spawn_blocking(move || Model::load(path))
        .await
        .map_err(|error| Failure::unavailable(error.to_string()).about(&about))?
        .map_err(|error| Failure::unavailable(with_causes(&error)).about(&about))?;
    let engine = EngineConfig {
        max_num_seqs: config.inference.max_batch_size,
        max_num_batched_tokens: config.inference.max_batched_tokens,
        max_kv_tokens: config.inference.kv_cache_tokens,
        max_waiting: config.inference.max_waiting,
    };
    let metrics = EngineMetrics::register(&metrics.of_model(&spec.name)?).map_err(declared_twice)?;
    ChatModel::start(model, engine, metrics).map_err(|error| Failure::usage(with_causes(&error)).about(&about))
}

/// Progress as liveness: an engine that stands still is said to be.
pub(crate) fn health(engines: &Engines) -> Health {
    let engines = engines.clone();
    Arc::new(move || {
        let stalled = engines.iter().find(|(_, engine)| engine.handle().last_step_age() > STALLED);
        match stalled {
            None => Ok(()),
            Some((name, engine)) => Err(format!(
                "the engine of model {name} has not moved for {:.0} s; restart the process",
                engine.handle().last_step_age().as_secs_f64()
            )),
        }
    })
}
