//! Where the queue's server is: one node, one that Sentinels name, or a cluster.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::keys::{CLUSTER_DEAD_LETTERS, DEAD_LETTERS};

/// A server's URL, understood.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) topology: Topology,
    /// Hosts and ports, without who comes in.
    hosts: String,
}

#[derive(Clone)]
pub(crate) enum Topology {
    /// `redis://` or `rediss://`.
    Node(Box<ConnectionInfo>),
    /// `redis+sentinel://HOST:PORT,HOST:PORT/NAME`; user and password are the server's.
    Sentinel { sentinels: Vec<ConnectionInfo>, name: String },
    /// `redis+cluster://HOST:PORT,HOST:PORT`.
    Cluster(Vec<ConnectionInfo>),
}

/// Why a URL is none of a queue.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{shown:?} is not the address of a Redis server: {problem}; expected redis://HOST:PORT, rediss://USER:PASSWORD@HOST, \
     redis+sentinel://HOST:PORT,HOST:PORT/NAME or redis+cluster://HOST:PORT,HOST:PORT"
)]
pub(crate) struct NoAddress {
    /// The URL without who comes in.
    shown: String,
    problem: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, NoAddress> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (who, rest) = rest.rsplit_once('@').map_or(("", rest), |(who, rest)| (who, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let refuse = |problem: &str| NoAddress { shown: format!("{scheme}://{rest}"), problem: problem.to_owned() };
        let (base, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !["redis", "rediss"].contains(&base) {
            return Err(refuse("it does not begin with redis:// or rediss://"));
        }
        let node = |host: &str, path: &str| {
            if host.is_empty() {
                return Err(refuse("a host is missing"));
            }
            let at = if who.is_empty() { "" } else { "@" };
            let info = format!("{base}://{who}{at}{host}/{path}").into_connection_info();
            info.map_err(|error| refuse(&error.to_string()))
        };
        let nodes = || hosts.split(',').map(|host| node(host, "")).collect::<Result<Vec<_>, _>>();
        let topology = match kind {
            "" => Topology::Node(Box::new(node(hosts, path)?)),
            "sentinel" if path.is_empty() => return Err(refuse("the name that the Sentinels watch is missing")),
            "sentinel" => Topology::Sentinel { sentinels: nodes()?, name: path.to_owned() },
            "cluster" if path.is_empty() => Topology::Cluster(nodes()?),
            "cluster" => return Err(refuse("a cluster has no numbered databases")),
            _ => return Err(refuse("of kinds there are +sentinel and +cluster")),
        };
        Ok(Address { topology, hosts: hosts.to_owned() })
    }

    /// Who comes in.
    pub(crate) fn user(&self) -> &str {
        let info = match &self.topology {
            Topology::Node(info) => Some(info.as_ref()),
            Topology::Sentinel { sentinels: nodes, .. } | Topology::Cluster(nodes) => nodes.first(),
        };
        info.and_then(|info| info.redis_settings().username()).unwrap_or("default")
    }

    /// The stream of dead letters.
    pub(crate) fn dead_letters(&self) -> &'static str {
        match self.topology {
            Topology::Node(_) | Topology::Sentinel { .. } => DEAD_LETTERS,
            Topology::Cluster(_) => CLUSTER_DEAD_LETTERS,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topology {
            Topology::Node(_) => write!(f, "{}", self.hosts),
            Topology::Sentinel { name, .. } => write!(f, "{name} (Sentinels {})", self.hosts),
            Topology::Cluster(_) => write!(f, "cluster {}", self.hosts),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str, nodes: &[&str]) {
        let address = Address::parse(url).unwrap();
        assert_eq!(address.to_string(), shown);
        let infos = match address.topology {
            Topology::Node(info) => vec![*info],
            Topology::Sentinel { sentinels, .. } => sentinels,
            Topology::Cluster(nodes) => nodes,
        };
        assert_eq!(infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>(), nodes);
    }

    #[test]
    fn every_kind_of_address_is_understood() {
        check("redis://localhost", "localhost", &["localhost:6379"]);
        check("redis://10.0.0.1:7000/3", "10.0.0.1:7000", &["10.0.0.1:7000"]);
        check("redis+sentinel://a:1,b:2/pool", "pool (Sentinels a:1,b:2)", &["a:1", "b:2"]);
        check("redis+cluster://a:1,b:2", "cluster a:1,b:2", &["a:1", "b:2"]);
    }

    #[test]
    fn who_comes_in_is_read_and_never_shown() {
        let address = Address::parse("rediss://talon:s%40cret@cache:6380").unwrap();
        assert_eq!(format!("{address} {address:?}"), "cache:6380 cache:6380");
        assert_eq!(address.user(), "talon");
        let Topology::Node(info) = address.topology else { panic!("one node") };
        assert_eq!(info.redis_settings().password(), Some("s@cret"));
        let refused = Address::parse("http://talon:secret@cache").unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (url, problem) in [
            ("localhost:6379", "it does not begin with redis:// or rediss://"),
            ("redis://", "a host is missing"),
            ("redis+sentinel://a,b", "the name that the Sentinels watch is missing"),
            ("redis+cluster://a,b/1", "a cluster has no numbered databases"),
            ("redis+unix://a", "of kinds there are +sentinel and +cluster"),
        ] {
            assert_eq!(Address::parse(url).unwrap_err().problem, problem, "{url}");
        }
    }
}
