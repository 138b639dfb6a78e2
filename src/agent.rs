//! `talon agent`: who can work, and whether the files say what they should.

use config::{AgentSpec, Diagnostics, Environment, TalonConfig};
use core_api::AgentView;

use crate::cli::{AgentCommand, AgentListArgs, ValidateArgs};
use crate::client::Client;
use crate::configuration;
use crate::failure::Failure;
use crate::output::{print, print_json, say_diagnostics};
use crate::show;

pub(crate) async fn run(command: AgentCommand, json: bool) -> Result<(), Failure> {
    match command {
        AgentCommand::List(arguments) => list(arguments, json).await,
        AgentCommand::Validate(arguments) => validate(&arguments, json),
    }
}

async fn list(arguments: AgentListArgs, json: bool) -> Result<(), Failure> {
    let agents = match &arguments.config {
        Some(path) => {
            let config = configuration::load(Some(path))?;
            let view = |spec: &AgentSpec| view(spec, spec.max_context_tokens);
            configuration::load_agents(&config)?.iter().map(view).collect()
        }
        None => Client::of(&arguments.server)?.agents().await?,
    };
    if json {
        return print_json(&agents);
    }
    let mut table = show::table(["agent", "model", "context", "tools", "what it does"]);
    for agent in &agents {
        table.add_row([
            agent.name.to_string(),
            agent.model.clone(),
            agent.context_tokens.to_string(),
            agent.tools.join(", "),
            agent.description.clone(),
        ]);
    }
    print(table)
}

/// An agent as the API shows it.
pub(crate) fn view(spec: &AgentSpec, context_tokens: usize) -> AgentView {
    AgentView {
        name: spec.name.clone(),
        description: spec.description.clone(),
        owner: spec.owner.clone(),
        team: spec.team.clone(),
        model: spec.model.clone(),
        context_tokens,
        timeout_seconds: spec.timeout.as_secs_f64(),
        tools: spec.tools.iter().map(|tool| tool.name.clone()).collect(),
        output_schema: spec.output.schema.clone(),
        revision: spec.revision.clone(),
    }
}

/// Prints every mistake of every file at once.
fn validate(arguments: &ValidateArgs, json: bool) -> Result<(), Failure> {
    let mut diagnostics = Diagnostics::default();
    let mut num_agents = 0;
    if arguments.paths.is_empty() || arguments.config.is_some() {
        let config = TalonConfig::load(arguments.config.as_deref(), &Environment::of_process());
        diagnostics.extend(config.diagnostics);
        if arguments.paths.is_empty() {
            let agents = AgentSpec::load(&config.value);
            num_agents += agents.value.len();
            diagnostics.extend(agents.diagnostics);
        }
    }
    for path in &arguments.paths {
        let agents = AgentSpec::load_path(path);
        num_agents += agents.value.len();
        diagnostics.extend(agents.diagnostics);
    }
    if json {
        print_json(&diagnostics)?;
    } else {
        say_diagnostics(&diagnostics);
    }
    match (diagnostics.is_error(), json) {
        (true, true) => Err(Failure::negative("there are mistakes")),
        (true, false) => Err(Failure::negative("there are mistakes; see above")),
        (false, true) => Ok(()),
        (false, false) => print(format_args!("fine: {num_agents} agents")),
    }
}
