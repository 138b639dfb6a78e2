//! How the server is reached. Knows addresses, TLS and timeouts, and nothing of tasks.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisFuture, RedisResult,
    TlsCertificates, TlsMode, Value,
};

use super::address::{Address, NoAddress, Topology};
use super::keys::{GROUP, QUEUE};
use super::metrics::Tally;
use super::script::{self, Call, PREPARE};

/// How long making a connection may take, of each node that is tried.
const CONNECT: Duration = Duration::from_secs(3);

/// The server of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    /// The authority, in PEM, that signed the server's certificate; `None` trusts the system's.
    authority: Option<Vec<u8>>,
    response_timeout: Duration,
}

impl Server {
    pub(crate) fn new(url: &str, authority: Option<Vec<u8>>, response_timeout: Duration) -> Result<Self, NoAddress> {
        // The first of the process wins; another is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Server { address: Address::parse(url)?, authority, response_timeout })
    }

    /// A connection to a server that can serve: it has read its data, may be written and knows the scripts.
    pub(crate) async fn open(&self, tally: &Tally) -> RedisResult<Link> {
        let mut link = self.connect(self.response_timeout).await?;
        script::load(&mut link).await?;
        Call::new(&PREPARE, &QUEUE).arg(GROUP).run::<()>(&mut link, tally).await?;
        Ok(link)
    }

    /// A connection for commands that wait up to `block` before they answer.
    pub(crate) async fn connect_to_wait(&self, block: Duration) -> RedisResult<Link> {
        self.connect(block + self.response_timeout).await
    }

    async fn connect(&self, response_timeout: Duration) -> RedisResult<Link> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(response_timeout));
        match &self.address.topology {
            Topology::Node(info) => {
                let info = info.as_ref().clone().set_tcp_settings(tcp());
                let client = match self.certificates() {
                    Some(certificates) if is_tls(&info) => Client::build_with_tls(info, certificates)?,
                    _ => Client::open(info)?,
                };
                client.get_multiplexed_async_connection_with_config(&config).await.map(Link::Node)
            }
            Topology::Sentinel { sentinels, name } => {
                let mut client = self.sentinel(sentinels, name)?.build()?;
                client.get_async_connection_with_config(&config).await.map(Link::Node)
            }
            Topology::Cluster(nodes) => {
                let mut builder = ClusterClient::builder(nodes.iter().cloned())
                    .connection_timeout(CONNECT)
                    .response_timeout(response_timeout)
                    .tcp_settings(tcp());
                if let Some(certificates) = self.certificates().filter(|_| nodes.iter().any(is_tls)) {
                    builder = builder.certs(certificates);
                }
                builder.build()?.get_async_connection().await.map(Link::Cluster)
            }
        }
    }

    fn sentinel(&self, sentinels: &[ConnectionInfo], name: &str) -> RedisResult<SentinelClientBuilder> {
        let addresses = sentinels.iter().map(|info| info.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
            .set_client_to_redis_tcp_settings(tcp())
            .set_client_to_sentinel_tcp_settings(tcp());
        let Some(first) = sentinels.first() else { return Ok(builder) };
        if let Some(username) = first.redis_settings().username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = first.redis_settings().password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if is_tls(first) {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            if let Some(certificates) = self.certificates() {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates);
            }
        }
        Ok(builder)
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        self.authority.clone().map(|authority| TlsCertificates { client_tls: None, root_cert: Some(authority) })
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

/// Small messages go at once; a peer that vanished is noticed while nothing is asked of it.
fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive.with_retries(3))
}

/// A connection to one node, or to the nodes of a cluster; clones share it.
#[derive(Clone)]
pub(crate) enum Link {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Link::Node(node) => node.req_packed_command(command),
            Link::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Link::Node(node) => node.req_packed_commands(commands, offset, count),
            Link::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Link::Node(node) => node.get_db(),
            Link::Cluster(cluster) => cluster.get_db(),
        }
    }
}
