//! What the port answers from the moment it is bound: that the process starts, and from then on what it is led to.
//! Nobody hangs on a connection while models load.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any_service, get};
use axum::serve::ListenerExt;
use core_api::Problem;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::service::Service;

/// Seconds after which a caller may ask again; a small model is loaded by then.
const ASK_AGAIN_SECONDS: u32 = 1;

/// An open port.
pub(crate) struct Door {
    leads_to: watch::Sender<MethodRouter>,
    service: Service,
}

impl Door {
    /// Answers on `listener`, whatever is asked, that the process starts.
    pub(crate) fn open(listener: TcpListener, address: SocketAddr, alarm: &CancellationToken) -> Self {
        let (leads_to, current) = watch::channel(any_service(starting()));
        let all = Router::new().fallback(move |request: Request| {
            let inside = current.borrow().clone();
            Handler::call(inside, request, ())
        });
        // A streamed token is a small packet, and does not wait for the next one.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let service = Service::start("REST", alarm, |stop| async move {
            if let Err(error) = axum::serve(listener, all).with_graceful_shutdown(stop.cancelled_owned()).await {
                tracing::error!(%error, "the REST interface ended");
            }
        });
        info!(%address, "listening; models are loading");
        Door { leads_to, service }
    }

    /// Answers with `router` from the next request on.
    pub(crate) fn lead_to(self, router: Router) -> Service {
        drop(self.leads_to.send_replace(any_service(router)));
        self.service
    }
}

/// A process that starts makes progress, and takes nothing yet.
fn starting() -> Router {
    let not_yet =
        async || Problem::unavailable("starting", "models are loading; ask again in a moment", ASK_AGAIN_SECONDS);
    Router::new().route("/healthz", get("ok\n")).merge(inference_server::loading(ASK_AGAIN_SECONDS)).fallback(not_yet)
}
