//! Reads the configuration and the agents for a command; every mistake is printed before it fails.

use std::path::Path;

use config::{AgentSpec, Environment, Loaded, TalonConfig};

use crate::failure::Failure;
use crate::output::say_diagnostics;

pub(crate) fn load(path: Option<&Path>) -> Result<TalonConfig, Failure> {
    usable("the configuration", TalonConfig::load(path, &Environment::of_process()))
}

pub(crate) fn load_agents(config: &TalonConfig) -> Result<Vec<AgentSpec>, Failure> {
    let agents = usable("the agents", AgentSpec::load(config))?;
    if agents.is_empty() {
        return Err(Failure::usage("there are no agents: agents_dir names a folder without .yml files"));
    }
    Ok(agents)
}

/// The value, after everything there is to say about it.
fn usable<T>(what: &str, loaded: Loaded<T>) -> Result<T, Failure> {
    say_diagnostics(&loaded.diagnostics);
    match loaded.into_result() {
        Ok((value, _)) => Ok(value),
        Err(_) => Err(Failure::usage(format!(
            "{what} cannot be used; mend what stands above (`talon agent validate` checks without starting anything)"
        ))),
    }
}
