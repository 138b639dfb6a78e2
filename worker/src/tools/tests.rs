//! What the tests of this folder share.

use std::time::Duration;

use config::{DataLabel, Effect, Reach, ToolSpec};
use serde_json::{Map, Value};

use super::address::Network;
use super::bound::{BoundTool, Endpoint};

pub(super) fn tool(endpoint: &str, parameters: Value) -> BoundTool {
    let spec = ToolSpec {
        name: "pdf_parser".to_owned(),
        endpoint: endpoint.to_owned(),
        description: "Read a document.".to_owned(),
        effect: Effect::Read,
        data: DataLabel::Internal,
        reach: Reach::Internal,
        timeout: Duration::from_secs(10),
        parameters,
        fixed_arguments: Map::new(),
    };
    BoundTool { endpoint: Endpoint::parse(endpoint).unwrap(), spec, network: Network::Internal }
}
