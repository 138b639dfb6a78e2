//! A tool as one agent may call it: the agent's file, bound to an address of this installation.

use std::fmt;

use config::{Guardrails, ToolSpec};
use reqwest::Url;

use super::address::Network;

/// A tool with everything a call needs; made once when agents are loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundTool {
    /// The grant, as in the agent's file.
    pub spec: ToolSpec,
    /// The one address that calls go to.
    pub endpoint: Endpoint,
    /// Which addresses the endpoint's host may lead to.
    pub network: Network,
}

impl BoundTool {
    /// Binds a tool of an agent. `spec.endpoint` is already the one of this installation (`AgentSpec::load` applies
    /// the bindings of `talon.yml`). A tool leaves the perimeter only if both its label and its agent say so.
    pub fn bind(spec: &ToolSpec, guardrails: &Guardrails) -> Result<Self, EndpointError> {
        let network = match spec.reach {
            config::Reach::External if guardrails.allow_external_network => Network::Any,
            config::Reach::External | config::Reach::Internal => Network::Internal,
        };
        Ok(BoundTool { endpoint: Endpoint::parse(&spec.endpoint)?, spec: spec.clone(), network })
    }
}

/// An exact grant: scheme, host, port and path.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Takes `http://host[:port]/path` or the same with `https`, and nothing around it.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let refused = |why| EndpointError { given: text.to_owned(), why };
        let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
        let why = if !matches!(url.scheme(), "http" | "https") {
            "the scheme must be http or https"
        } else if !url.username().is_empty() || url.password().is_some() {
            "credentials do not belong into an address"
        } else if url.query().is_some() || url.fragment().is_some() {
            "the grant is for a path; leave out what follows '?' or '#'"
        } else if url.host().is_none() {
            "it has no host"
        } else {
            return Ok(Endpoint(url));
        };
        Err(refused(why.to_owned()))
    }

    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

/// A text that is no address of a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a tool's endpoint such as http://toolserver:9001/parse: {why}")]
pub struct EndpointError {
    /// The text.
    pub given: String,
    /// The rule it breaks.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::super::tests::tool;
    use super::*;

    #[test]
    fn only_the_label_and_the_agent_together_open_the_external_network() {
        let spec = |reach| ToolSpec { reach, ..tool("http://127.0.0.1/", serde_json::json!({})).spec };
        let guardrails = |allow_external_network| Guardrails { allow_external_network, ..Guardrails::default() };
        let network = |reach, allow| BoundTool::bind(&spec(reach), &guardrails(allow)).unwrap().network;
        assert_eq!(network(config::Reach::External, true), Network::Any);
        assert_eq!(network(config::Reach::External, false), Network::Internal);
        assert_eq!(network(config::Reach::Internal, true), Network::Internal);
    }

    #[test]
    fn an_endpoint_is_scheme_host_port_and_path() {
        for fine in ["http://toolserver:9001/parse", "https://[fd00::1]/x", "http://127.0.0.1"] {
            assert!(Endpoint::parse(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "toolserver:9001/parse",
            "/parse",
            "ftp://a/b",
            "http://u:p@a/b",
            "http://a/b?c=d",
            "http://a/b#c",
            "http:///",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn disguised_numbers_are_seen_as_the_addresses_they_are() {
        for text in ["http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/"] {
            assert_eq!(Endpoint::parse(text).unwrap().url().host_str(), Some("127.0.0.1"), "{text}");
        }
    }
}
