//! `talon model pull`: models of the hub, fetched before a server needs them.

use std::path::PathBuf;

use config::{HubModel, ModelSource, TalonConfig};
use serde_json::{Value, json};

use crate::cli::PullArgs;
use crate::configuration;
use crate::failure::Failure;
use crate::hub::{Hub, Pin, Wish};
use crate::output::{print, print_json};
use crate::show;

pub(super) async fn run(arguments: PullArgs, json: bool) -> Result<(), Failure> {
    let config = configuration::load(arguments.config.as_deref())?;
    let wish = if arguments.update { Wish::Newest } else { Wish::Pinned };
    let hub = Hub::new(&config);
    let mut pulled = Vec::new();
    for model in wanted(&config, arguments.model.as_deref())? {
        pulled.push(hub.files(&model, wish).await?);
    }
    if json {
        return print_json(&pulled.iter().map(told).collect::<Vec<_>>());
    }
    let mut table = show::table(["file", "MiB", "sha-256"]);
    for file in pulled.iter().flat_map(|(pin, _)| &pin.files) {
        table.add_row([file.file.clone(), (file.bytes >> 20).to_string(), file.sha256.clone()]);
    }
    print(table)?;
    pulled.iter().try_for_each(|(_, path)| print(path.display()))
}

/// The model that is meant, or all of the configuration's.
fn wanted(config: &TalonConfig, asked: Option<&str>) -> Result<Vec<HubModel>, Failure> {
    let Some(asked) = asked else {
        let all = config.models.iter().filter_map(|model| hub_model(&model.source)).cloned();
        let all: Vec<HubModel> = all.collect();
        return match all.is_empty() {
            false => Ok(all),
            true => Err(Failure::usage(
                "no model of the configuration has a hub: to be fetched from; name one, as org/name",
            )),
        };
    };
    if let Some(model) = config.models.iter().find(|model| model.name == asked) {
        let hub = hub_model(&model.source).cloned();
        let hub = hub.ok_or_else(|| Failure::usage(format!("model {asked} of the configuration is not on a hub")))?;
        return Ok(vec![hub]);
    }
    let names = || config.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
    let model = asked.parse().map_err(|problem| {
        Failure::usage(format!(
            "{asked:?} is no model of the configuration ({}) and none of the hub: {problem}",
            names()
        ))
    });
    Ok(vec![model?])
}

fn hub_model(source: &ModelSource) -> Option<&HubModel> {
    match source {
        ModelSource::Hub(model) => Some(model),
        ModelSource::Bundled | ModelSource::Path(_) | ModelSource::Remote(_) => None,
    }
}

fn told((pin, path): &(Pin, PathBuf)) -> Value {
    let mut told = json!(pin);
    told["path"] = json!(path);
    told
}
