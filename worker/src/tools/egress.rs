//! Connections out of the process: to checked addresses only, without redirects and proxies.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Url};

use super::address::Network;
use super::client::reason;
use super::error::Denial;
use super::resolver::{CheckedResolver, Lookup, check_all, system_lookup};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections of one reach. One per process, shared: it keeps connections open.
pub struct Egress {
    network: Network,
    lookup: Lookup,
    plain: OnceLock<Result<Client, String>>,
    /// Apart from `plain`, because it needs the certificates of the system, which a bare container lacks.
    tls: OnceLock<Result<Client, String>>,
}

impl Egress {
    pub(super) fn new(network: Network, lookup: Lookup) -> Self {
        Egress { network, lookup, plain: OnceLock::new(), tls: OnceLock::new() }
    }

    /// To this host, private networks and public addresses, but to no link-local or metadata service.
    pub fn anywhere() -> Self {
        Egress::new(Network::Any, system_lookup())
    }

    /// The client for requests to `url`.
    ///
    /// # Errors
    /// Why nothing may or can be sent there.
    pub fn to(&self, url: &Url) -> Result<&Client, String> {
        self.check_literal(url).map_err(|denial| denial.to_string())?;
        self.client(url)
    }

    /// A host that is an address is never looked up, so the resolver does not see it.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), Denial> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        literal.map_or(Ok(()), |address| check_all(host, &[address], self.network))
    }

    pub(super) fn client(&self, url: &Url) -> Result<&Client, String> {
        let (cell, tls) = if url.scheme() == "https" { (&self.tls, true) } else { (&self.plain, false) };
        cell.get_or_init(|| self.build(tls)).as_ref().map_err(String::clone)
    }

    fn build(&self, tls: bool) -> Result<Client, String> {
        // Fails when the binary installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("talon/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(CheckedResolver { lookup: self.lookup.clone(), network: self.network });
        let builder = if tls { builder.https_only(true) } else { builder.tls_certs_only([]) };
        builder.build().map_err(|error| format!("no client for {} could be made: {}", scheme(tls), reason(&error)))
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}
