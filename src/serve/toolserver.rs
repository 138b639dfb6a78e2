//! The reference tools within this process, and the agents' endpoints that lead to them.

use std::net::SocketAddr;

use config::AgentSpec;
use reqwest::Url;
use tracing::info;

use super::site::{Site, bind};
use crate::failure::Failure;
use crate::service::Service;

/// The name by which agents' files know the reference tools; the embedded tool server answers to it.
const HOST: &str = "toolserver";
const PORT: u16 = 9001;

/// Starts the tool server if the configuration wants it, and points the agents at it.
pub(super) async fn start(site: &Site, specs: &mut [AgentSpec]) -> Result<Option<Service>, Failure> {
    if !site.config.server.embedded_toolserver {
        return Ok(None);
    }
    let options = toolserver::Options::for_documents(site.config.server.max_document_bytes);
    let (listener, at) = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "server.embedded_toolserver").await?;
    let service = Service::start("tool server", &site.alarm, |stop| async move {
        let served = toolserver::serve(listener, options, stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the embedded tool server ended");
        }
    });
    info!(address = %at, "embedded tool server");
    point_at(specs, at);
    Ok(Some(service))
}

/// Agents' files keep the address of the reference tools; where they are embedded, that name leads here.
fn point_at(specs: &mut [AgentSpec], toolserver: SocketAddr) {
    for tool in specs.iter_mut().flat_map(|spec| &mut spec.tools) {
        if let Some(embedded) = embedded(&tool.endpoint, toolserver) {
            tool.endpoint = embedded;
        }
    }
}

/// The same endpoint at `toolserver`, if it is one of the reference tools.
fn embedded(endpoint: &str, toolserver: SocketAddr) -> Option<String> {
    let mut url = Url::parse(endpoint).ok()?;
    let known_as = ("http", Some(HOST), Some(PORT));
    if (url.scheme(), url.host_str(), url.port()) != known_as {
        return None;
    }
    url.set_ip_host(toolserver.ip()).ok()?;
    url.set_port(Some(toolserver.port())).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, expected: Option<&str>) {
        let at = SocketAddr::from(([127, 0, 0, 1], 5000));
        assert_eq!(embedded(endpoint, at).as_deref(), expected, "{endpoint}");
    }

    #[test]
    fn the_reference_tools_are_found_where_they_are_embedded() {
        check("http://toolserver:9001/parse", Some("http://127.0.0.1:5000/parse"));
        check("http://toolserver:9001/table?column=a", Some("http://127.0.0.1:5000/table?column=a"));
    }

    #[test]
    fn an_address_that_only_looks_like_theirs_is_left_alone() {
        for endpoint in [
            "http://toolserver:90010/parse",
            "http://toolserver/parse",
            "https://toolserver:9001/parse",
            "http://toolserver.example:9001/parse",
            "http://toolserver:9001@elsewhere.example/parse",
        ] {
            check(endpoint, None);
        }
    }
}
