//! Reads the configuration and the agents for a command; every mistake is printed before it fails.

use std::path::Path;

use config::{AgentSpec, Diagnostics, Environment, TalonConfig};

use crate::failure::Failure;

pub(crate) fn load(path: Option<&Path>) -> Result<TalonConfig, Failure> {
    let loaded = TalonConfig::load(path, &Environment::of_process());
    let (config, warnings) = loaded.into_result().map_err(|diagnostics| mistakes("the configuration", &diagnostics))?;
    warn(&warnings);
    Ok(config)
}

pub(crate) fn load_agents(config: &TalonConfig) -> Result<Vec<AgentSpec>, Failure> {
    let (agents, warnings) =
        AgentSpec::load(config).into_result().map_err(|diagnostics| mistakes("the agents", &diagnostics))?;
    warn(&warnings);
    if agents.is_empty() {
        return Err(Failure::usage("there are no agents: agents_dir names a folder without .yml files"));
    }
    Ok(agents)
}

fn mistakes(what: &str, diagnostics: &Diagnostics) -> Failure {
    eprint!("{diagnostics}");
    Failure::usage(format!("{what} cannot be used; see above"))
}

fn warn(warnings: &Diagnostics) {
    if !warnings.is_empty() {
        eprint!("{warnings}");
    }
}
