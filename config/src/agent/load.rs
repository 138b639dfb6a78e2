//! From files to agents.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{AgentSpec, file_shape};
use crate::bundled;
use crate::diagnostics::{Diagnostic, Diagnostics, Loaded, Severity};
use crate::files;
use crate::nearest::nearest;
use crate::shape::Shape;
use crate::source::{Report, Source, Span};
use crate::talon::{AgentsDir, TalonConfig};
use crate::yaml::Node;

impl AgentSpec {
    /// Reads one file's text. `file` is the name that diagnostics show. `None` when there is an error.
    pub fn parse(file: &str, text: &str) -> Loaded<Option<AgentSpec>> {
        let (read, diagnostics) = read(Source::new(file, text));
        Loaded { value: read.map(|read| read.agent), diagnostics }
    }

    /// Reads one file, or every `*.yml` and `*.yaml` of a folder; names must be unique among them.
    /// Agents without an error come back even when others have one. Sorted by name.
    pub fn load_path(path: &Path) -> Loaded<Vec<AgentSpec>> {
        let mut diagnostics = Diagnostics::default();
        let agents = read_all(sources(path, &mut diagnostics), &mut diagnostics);
        Loaded { value: finish(agents), diagnostics }
    }

    /// Reads the agents of `config.agents_dir`, rebinds their tools by `config.tools`, and checks that their models
    /// are among `config.models`. Agents without an error come back even when others have one. Sorted by name.
    pub fn load(config: &TalonConfig) -> Loaded<Vec<AgentSpec>> {
        let mut diagnostics = Diagnostics::default();
        let sources = match &config.agents_dir {
            AgentsDir::Bundled => {
                bundled::AGENTS.iter().map(|file| Source::new(format!("bundled:{}", file.name), file.text)).collect()
            }
            AgentsDir::Path(path) => sources(path, &mut diagnostics),
        };
        let mut agents = read_all(sources, &mut diagnostics);
        agents.retain(|read| check_model(read, config, &mut diagnostics));
        bind_tools(&mut agents, config, &mut diagnostics);
        Loaded { value: finish(agents), diagnostics }
    }
}

/// An agent, and where its file says what other files are compared with.
struct Read {
    agent: AgentSpec,
    source: Source,
    name: Span,
    model: Span,
}

fn read(source: Source) -> (Option<Read>, Diagnostics) {
    let mut report = Report::new(&source);
    files::refuse_secrets(&mut report);
    let node = Node::parse(&mut report);
    let agent = node.as_ref().and_then(|node| file_shape().read(node, &mut report));
    let sound = !report.is_error();
    let diagnostics = report.finish();
    let (Some(node), Some(mut agent), true) = (node, agent, sound) else { return (None, diagnostics) };
    agent.revision = revision(&agent);
    let place = |pointer| node.at_pointer(pointer).span;
    let (name, model) = (place("/agent/name"), place("/agent/model"));
    (Some(Read { agent, source, name, model }), diagnostics)
}

/// SHA-256 of the agent as JSON, in hexadecimal.
fn revision(agent: &AgentSpec) -> String {
    let canonical = serde_json::json!(agent).to_string();
    Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sources(path: &Path, diagnostics: &mut Diagnostics) -> Vec<Source> {
    let files = if path.is_dir() { files::yaml_files(path) } else { Ok(vec![path.to_owned()]) };
    let files = files.unwrap_or_else(|error| {
        diagnostics.push(*error);
        Vec::new()
    });
    if files.is_empty() && !diagnostics.is_error() {
        let hint = "put an agent's file there, such as one of the five under config/agents";
        diagnostics.push(*files::about(path, "the folder has no *.yml or *.yaml file".to_owned(), Some(hint)));
    }
    let mut sources = Vec::new();
    for file in files {
        match files::read(&file) {
            Ok(source) => sources.push(source),
            Err(error) => diagnostics.push(*error),
        }
    }
    sources
}

/// Reads every source; of agents with one name, only the first is kept.
fn read_all(sources: Vec<Source>, diagnostics: &mut Diagnostics) -> Vec<Read> {
    let mut agents: Vec<Read> = Vec::new();
    for source in sources {
        let (read, said) = read(source);
        diagnostics.extend(said);
        let Some(read) = read else { continue };
        match agents.iter().find(|first| first.agent.name == read.agent.name) {
            Some(first) => {
                let name = &read.agent.name;
                let message = format!("the agent {name} is already in {}:{}", first.source.name, first.name.start.line);
                let hint = "give every agent a name of its own".to_owned();
                diagnostics.push(read.source.diagnostic(Severity::Error, Some(read.name), message, Some(hint)));
            }
            None => agents.push(read),
        }
    }
    agents
}

fn check_model(read: &Read, config: &TalonConfig, diagnostics: &mut Diagnostics) -> bool {
    let wanted = &read.agent.model;
    let known = || config.models.iter().map(|model| model.name.as_str());
    if known().any(|name| name == wanted) {
        return true;
    }
    let hint = match nearest(wanted, known()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let known = known().collect::<Vec<_>>().join(", ");
            format!("use one of {known}, or add the model under models in talon.yml")
        }
    };
    let message = format!("there is no model {wanted:?} in talon.yml");
    diagnostics.push(read.source.diagnostic(Severity::Error, Some(read.model), message, Some(hint)));
    false
}

/// Puts the installation's endpoints in place of the files'. Revisions stay: the agent is the same elsewhere.
fn bind_tools(agents: &mut [Read], config: &TalonConfig, diagnostics: &mut Diagnostics) {
    let mut unused: BTreeMap<&str, &str> =
        config.tools.iter().map(|(name, binding)| (name.as_str(), binding.endpoint.as_str())).collect();
    for tool in agents.iter_mut().flat_map(|read| &mut read.agent.tools) {
        if let Some(binding) = config.tools.get(&tool.name) {
            tool.endpoint.clone_from(&binding.endpoint);
            unused.remove(tool.name.as_str());
        }
    }
    let known = || agents.iter().flat_map(|read| &read.agent.tools).map(|tool| tool.name.as_str());
    for (name, endpoint) in unused {
        let hint = nearest(name, known()).map(|name| format!("did you mean {name}?"));
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            file: "talon.yml".to_owned(),
            position: None,
            message: format!("tools.{name} binds {endpoint}, but no agent has a tool of that name"),
            hint,
            excerpt: None,
        });
    }
}

fn finish(mut agents: Vec<Read>) -> Vec<AgentSpec> {
    agents.sort_by(|a, b| a.agent.name.cmp(&b.agent.name));
    agents.into_iter().map(|read| read.agent).collect()
}
