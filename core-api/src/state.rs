//! What the routes need of the rest of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use config::WebhookConfig;
use prometheus::Registry;
use prometheus::proto::MetricFamily;
use store::{Store, StoreError, StoreMetrics};
use tokio::sync::watch;
use types::{AgentName, TeamName};

use crate::authentication::{Authentication, KeyCache};
use crate::drain::DrainRate;
use crate::dto::AgentView;
use crate::metrics::ApiMetrics;
use crate::problem::Problem;
use crate::uploads::{Full, Upload, Uploads};

/// How many of the largest documents a team may have on their way at the same time.
const DOCUMENTS_ON_THEIR_WAY: usize = 8;
/// What a team's bodies may take at least.
const LEAST_SHARE_BYTES: usize = 128 << 20;

/// Whether the process takes tasks. This interface stands only once the models are loaded; until then the process
/// answers for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It takes tasks.
    Ready,
    /// It finishes what it has and takes nothing new.
    Draining,
}

/// Whether the process makes progress: `Err` says what stands still.
pub type Health = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Reads every metric of the process.
pub type Gather = Arc<dyn Fn() -> Vec<MetricFamily> + Send + Sync>;

/// Settings of the interface; from `server` and `webhooks` in `talon.yml`.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// How callers are told apart.
    pub authentication: Authentication,
    /// The largest document.
    pub max_document_bytes: usize,
    /// The longest wait for a result.
    pub max_wait: Duration,
    /// Where tasks may have messages sent.
    pub webhooks: WebhookConfig,
}

/// What the routes share; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The truth about tasks.
    pub store: Arc<dyn Store>,
    /// Who can work.
    pub agents: Arc<BTreeMap<AgentName, AgentView>>,
    /// Everything that is measured.
    pub metrics: Gather,
    /// The store's figures are asked for when metrics are.
    pub store_metrics: StoreMetrics,
    /// Whether the process takes tasks.
    pub readiness: watch::Receiver<Readiness>,
    /// Whether it makes progress.
    pub health: Health,
    /// Whether the queue can be reached.
    pub queue: Health,
    /// Settings.
    pub settings: Arc<ApiSettings>,
    /// What is remembered from request to request.
    pub runtime: ApiRuntime,
}

/// What the interface remembers and counts from request to request; nothing at first.
#[derive(Clone)]
pub struct ApiRuntime {
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) drain: Arc<DrainRate>,
    pub(crate) uploads: Uploads,
    pub(crate) metrics: ApiMetrics,
}

impl ApiRuntime {
    /// Its counters are in `registry` from then on.
    ///
    /// # Errors
    /// They were there already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(ApiRuntime {
            keys: Arc::default(),
            drain: Arc::default(),
            uploads: Uploads::default(),
            metrics: ApiMetrics::register(registry)?,
        })
    }
}

impl ApiState {
    /// Room for a body that is held in memory, for as long as the answer lives.
    pub(crate) fn begin_upload(&self, team: &TeamName, bytes: usize) -> Result<Upload, Problem> {
        let documents = self.settings.max_document_bytes.saturating_mul(DOCUMENTS_ON_THEIR_WAY);
        let share = documents.max(LEAST_SHARE_BYTES);
        self.runtime.uploads.begin(team, bytes, share).map_err(|full| match full {
            Full::Team => {
                let detail = format!(
                    "bodies of team {team} take {share} bytes of the server's memory already; send fewer at the same time"
                );
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", detail).retry_after(1)
            }
            Full::Server => {
                let detail = "bodies of all teams take as much of the server's memory as they may; try again in a moment";
                Problem::unavailable("uploads_full", detail, 1)
            }
        })
    }

    /// Seconds after which a full queue may have room.
    pub(crate) async fn room_in(&self) -> Result<u32, StoreError> {
        let now = Instant::now();
        if self.runtime.drain.is_stale(now) {
            self.runtime.drain.note(&self.store.figures().await?, now);
        }
        Ok(self.runtime.drain.retry_after())
    }
}
