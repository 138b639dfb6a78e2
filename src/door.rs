//! What the port answers from the moment it is bound: that the process starts, and from then on what it is led to.
//! Nobody hangs on a connection while models load or a server is waited for, and nobody holds one without asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any_service, get};
use core_api::Problem;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::service::Service;

/// Seconds after which a caller may ask again; a small model is loaded by then.
const ASK_AGAIN_SECONDS: u32 = 1;
/// Connections at a time; more wait in the system's line. Each may be a caller who waits for a result.
const MAX_CONNECTIONS: usize = 4096;
/// A request's head has to come within this time, counted from the end of the one before: longer than clients keep an
/// idle connection, which is cut by it as well.
const HEAD_TIMEOUT: Duration = Duration::from_secs(100);
/// A caller whose machine is gone is noticed, and its place free, within about this time.
const SILENCE: Duration = Duration::from_secs(60);
/// How often the caller's machine is asked whether it is there, after half of that time without a word.
const PROBES: u32 = 3;
/// Before the next try when the system gives no connection, such as for lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// An open port.
pub(crate) struct Door {
    leads_to: watch::Sender<MethodRouter>,
    awaited: Awaited,
    service: Service,
}

/// What keeps the process from being ready, in words; callers are told.
#[derive(Clone)]
pub(crate) struct Awaited(watch::Sender<String>);

impl Awaited {
    pub(crate) fn new() -> Self {
        Awaited(watch::Sender::new("models are loading".to_owned()))
    }

    /// From now on this is what is awaited; until the answer is dropped.
    pub(crate) fn now(&self, what: String) -> Awaiting {
        Awaiting { told: self.clone(), before: self.0.send_replace(what) }
    }
}

/// While this lives, callers are told what it stands for.
pub(crate) struct Awaiting {
    told: Awaited,
    before: String,
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.told.0.send_replace(std::mem::take(&mut self.before));
    }
}

impl Door {
    /// Answers on `listener`, whatever is asked, that the process starts.
    pub(crate) fn open(listener: TcpListener, address: SocketAddr, alarm: &CancellationToken) -> Self {
        let awaited = Awaited::new();
        let (leads_to, current) = watch::channel(any_service(starting(&awaited)));
        let all = Router::new().fallback(move |request: Request| {
            let inside = current.borrow().clone();
            Handler::call(inside, request, ())
        });
        let service = Service::start("REST", alarm, |stop| serve(listener, all, stop));
        info!(%address, "listening; models are loading");
        Door { leads_to, awaited, service }
    }

    /// What callers are told until the door leads somewhere.
    pub(crate) fn awaited(&self) -> &Awaited {
        &self.awaited
    }

    /// Answers with `router` from the next request on.
    pub(crate) fn lead_to(self, router: Router) -> Service {
        drop(self.leads_to.send_replace(any_service(router)));
        self.service
    }
}

/// A process that starts makes progress, and takes nothing yet.
fn starting(awaited: &Awaited) -> Router {
    let awaited = awaited.0.subscribe();
    let not_yet = move || async move {
        let detail = format!("{}; ask again in a moment", *awaited.borrow());
        Problem::unavailable("starting", detail, ASK_AGAIN_SECONDS)
    };
    Router::new().route("/healthz", get("ok\n")).merge(inference_server::loading(ASK_AGAIN_SECONDS)).fallback(not_yet)
}

/// Serves until `stop`, then ends what was begun.
async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let (connection, place) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let served = connections.watch(http.serve_connection(TokioIo::new(connection), service));
        tokio::spawn(async move {
            // A caller who leaves, or speaks no HTTP, is no error of ours.
            drop(served.await);
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("never closed");
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                // A streamed token is a small packet, and does not wait for the next one.
                drop(connection.set_nodelay(true));
                let _ = watch_over(&connection);
                return (connection, place);
            }
            Err(error) => {
                warn!(%error, "no connection can be taken; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Has the system cut the connection when its other end is gone without a word, be it idle or in the middle of an answer.
fn watch_over(connection: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(connection, true)?;
    sockopt::set_tcp_keepidle(connection, SILENCE / 2)?;
    sockopt::set_tcp_keepintvl(connection, SILENCE / 2 / PROBES)?;
    sockopt::set_tcp_keepcnt(connection, PROBES)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(connection, SILENCE.as_millis() as u32)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn answer(address: SocketAddr, request: &str) -> String {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn callers_are_told_what_is_awaited_until_the_door_leads_somewhere() {
        const ASK: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::open(listener, address, &CancellationToken::new());
        let awaited = door.awaited().now("PostgreSQL is awaited".to_owned());
        assert!(answer(address, ASK).await.contains("PostgreSQL is awaited; ask again"));
        drop(awaited);
        assert!(answer(address, ASK).await.contains("models are loading"));
        let service = door.lead_to(Router::new().route("/readyz", get("ready")));
        assert!(answer(address, ASK).await.ends_with("ready"));
        service.stop(Duration::from_secs(60)).await;
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }

    #[tokio::test]
    async fn a_caller_whose_machine_is_gone_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (connection, _place) = accept(&listener, &Arc::new(Semaphore::new(1))).await;
        assert!(sockopt::socket_keepalive(&connection).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&connection).unwrap(), SILENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_connects_and_never_asks_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _door = Door::open(listener, address, &CancellationToken::new());
        assert_eq!(answer(address, "GET / HTTP/1.1\r\nhost:").await, "");
    }
}
