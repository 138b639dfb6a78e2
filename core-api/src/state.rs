//! What the routes need of the rest of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use store::{Actor, Store, StoreMetrics};
use tokio::sync::watch;
use types::{AgentName, TeamName};

use crate::dto::AgentView;

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

/// Limits of the interface; from `server` in `talon.yml`.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Whose tasks these are until there is authentication.
    pub team: TeamName,
    /// The largest document.
    pub max_document_bytes: usize,
    /// The longest wait for a result.
    pub max_wait: Duration,
    /// Serve only what names this machine, because no other can be told apart.
    pub loopback_only: bool,
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
    /// Limits.
    pub settings: Arc<ApiSettings>,
}

impl ApiState {
    /// Who asks, for the audit log. Nobody is told apart before there is authentication.
    pub(crate) fn caller(&self) -> Actor {
        Actor::new("rest:unauthenticated")
    }
}
