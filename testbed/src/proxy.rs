//! A way to a server that breaks as networks do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Stands before a server and passes bytes on, until it is told otherwise.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    state: watch::Sender<State>,
    accepts: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    manner: Manner,
    /// Connections of an earlier generation have been dropped.
    generation: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Manner {
    #[default]
    Pass,
    /// Connections stay open and carry nothing.
    HalfOpen,
    /// Nothing gets through to the server.
    Refuse,
}

impl Proxy {
    /// Before the server of a URL (or a bare `host:port`), for as long as the runtime lives that this is called in.
    pub async fn to(url: &str) -> Self {
        let authority = authority(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let (state, states) = watch::channel(State::default());
        let server = Arc::new(authority.to_owned());
        let accepts = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), states.clone()));
            }
        });
        Proxy { url: url.replacen(authority, &own, 1), state, accepts }
    }

    /// The server's URL by way of here.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        authority(&self.url).parse().unwrap()
    }

    /// Resets every connection there is; new ones pass.
    pub fn drop_all(&self) {
        self.turn(Manner::Pass, true);
    }

    /// Leaves connections, and those made from now on, open without carrying anything, for ever: what a machine that
    /// has lost its power or its network leaves behind.
    pub fn half_open(&self) {
        self.turn(Manner::HalfOpen, false);
    }

    /// Resets every connection, now and from now on.
    pub fn refuse(&self) {
        self.turn(Manner::Refuse, true);
    }

    /// New connections pass again; half-open ones stay so.
    pub fn pass(&self) {
        self.turn(Manner::Pass, false);
    }

    fn turn(&self, manner: Manner, drops: bool) {
        self.state.send_modify(|state| {
            state.manner = manner;
            state.generation += u64::from(drops);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.refuse();
    }
}

/// Carries one connection until an end closes it or the proxy drops it.
async fn carry(mut client: TcpStream, server: Arc<String>, mut states: watch::Receiver<State>) {
    // Whatever ends it, the client learns of it without the courtesies of closing.
    let _ = set_socket_linger(&client, Some(Duration::ZERO));
    let _ = client.set_nodelay(true);
    let State { manner, generation } = *states.borrow_and_update();
    let is_dropped = move |state: &State| state.generation != generation;
    let mut server = match manner {
        Manner::Pass => TcpStream::connect(server.as_str()).await.ok(),
        Manner::HalfOpen => None,
        Manner::Refuse => return,
    };
    if let (Manner::Pass, None) = (manner, &server) {
        return;
    }
    if let Some(server) = &mut server {
        let _ = server.set_nodelay(true);
        let mut turns = states.clone();
        tokio::select! {
            _ended = copy_bidirectional(&mut client, server) => return,
            _turned = turns.wait_for(|state| state.manner != Manner::Pass || is_dropped(state)) => {}
        }
    }
    // Both ends stay open, and nobody reads them.
    let _ = states.wait_for(is_dropped).await;
}

/// `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}
