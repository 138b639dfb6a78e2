//! Turns a host name into addresses that were checked; the client dials only what comes out of here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Network;
use super::error::Denial;

/// Looks a name up.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The lookup of the operating system.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    })
}

/// A resolver for one reach. Part of the client, so that no connection can be made around it.
pub(super) struct CheckedResolver {
    pub(super) lookup: Lookup,
    pub(super) network: Network,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, network) = (self.lookup.clone(), self.network);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = lookup(host.clone()).await?;
            check_all(&host, &addresses, network)?;
            // Port 0 stands for the port of the endpoint.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// One forbidden address forbids the name: which one is dialled must not be a matter of luck.
pub(super) fn check_all(host: &str, addresses: &[IpAddr], network: Network) -> Result<(), Denial> {
    addresses.iter().try_for_each(|&address| {
        network.check(address).map_err(|why| Denial::Address { host: host.to_owned(), address, why })
    })
}
