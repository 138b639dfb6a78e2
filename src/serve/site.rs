//! What every part of a starting process is given.

use std::net::SocketAddr;

use config::TalonConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use types::{ProcessId, ProcessRole};

use super::patience::Patience;
use crate::failure::Failure;
use crate::metrics::Metrics;

/// A process that starts.
pub(super) struct Site {
    pub(super) config: TalonConfig,
    pub(super) role: ProcessRole,
    pub(super) process: ProcessId,
    /// Cancelled when a part ends by itself.
    pub(super) alarm: CancellationToken,
    pub(super) metrics: Metrics,
    /// For servers that are away.
    pub(super) patience: Patience,
}

/// Listens, and says where: the system chooses port 0. `setting` is where another address can be given.
pub(crate) async fn bind(listen: SocketAddr, setting: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error| {
        Failure::unavailable(format!(
            "{listen} cannot be listened on ({error}); stop what uses it, or change {setting}"
        ))
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
