//! The shipped agents, and files that know only the oldest keys.

use std::fs;
use std::path::Path;
use std::time::Duration;

use config::{
    AgentSpec, AgentsDir, DataLabel, Effect, Environment, Guardrails, OutputSpec, Reach, RetrySpec, SessionMode,
    TalonConfig, effective_context,
};
use serde_json::{Value, json};

use crate::lines;

/// The keys of the first published format, and no other.
const OLDEST: &str = "\
agent:
  name: document-summarizer
  description: Summarizes documents
  model: pocket
  max_context_tokens: 6144
  timeout_seconds: 120
  retry_policy:
    max_retries: 2
    backoff_multiplier: 1.5
  tools:
    - name: pdf_parser
      endpoint: http://toolserver:9001/parse
    - name: schema_validator
      endpoint: http://toolserver:9001/validate
  guardrails:
    max_tool_calls_per_task: 10
    allow_external_network: false
  instructions: Summarize the document.
";

fn shipped() -> Vec<AgentSpec> {
    let loaded = AgentSpec::load_path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("agents"));
    assert_eq!(lines(&loaded.diagnostics), "");
    loaded.value
}

fn by_name<'a>(agents: &'a [AgentSpec], name: &str) -> &'a AgentSpec {
    agents.iter().find(|agent| agent.name.as_str() == name).unwrap()
}

#[test]
fn the_five_shipped_agents_load_without_a_word() {
    let agents = shipped();
    let names: Vec<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "code-review-triage",
            "customer-query-routing",
            "data-extraction",
            "document-summarization",
            "report-generation"
        ]
    );
    for agent in &agents {
        assert_eq!(agent.model, "pocket");
        assert_eq!(agent.max_context_tokens, 6144);
        assert_eq!(agent.timeout, Duration::from_secs(120));
        assert_eq!(agent.retry, RetrySpec::default());
        assert_eq!(agent.guardrails, Guardrails::default());
        assert_eq!(agent.session.mode, SessionMode::Task);
        assert_eq!(agent.team.as_str(), "default");
        assert_eq!(agent.owner, "platform@example.internal");
        for tool in &agent.tools {
            assert_eq!((tool.effect, tool.data, tool.reach), (Effect::Read, DataLabel::Internal, Reach::Internal));
        }
    }
}

#[test]
fn a_tool_keeps_its_schema_and_its_fixed_arguments() {
    let agents = shipped();
    let validator = &by_name(&agents, "data-extraction").tools[1];
    assert_eq!(validator.name, "schema_validator");
    assert_eq!(validator.endpoint, "http://toolserver:9001/validate");
    assert_eq!(validator.timeout, Duration::from_secs(10));
    assert_eq!(validator.parameters["required"], json!(["data"]));
    assert_eq!(validator.fixed_arguments["schema"]["properties"]["currency"]["pattern"], json!("^[A-Z]{3}$"));
}

#[test]
fn triage_asks_for_a_human_by_rule() {
    let agents = shipped();
    let OutputSpec { derived, .. } = &by_name(&agents, "code-review-triage").output;
    assert_eq!(derived[0].name, "needs_human");
    let needs_human = |severity: &str, area: &str| {
        let Value::Object(mut answer) = json!({"severity": severity, "area": area}) else { unreachable!() };
        by_name(&agents, "code-review-triage").output.derive(&mut answer);
        answer["needs_human"].clone()
    };
    assert_eq!(needs_human("critical", "docs"), json!(true));
    assert_eq!(needs_human("low", "security"), json!(true));
    assert_eq!(needs_human("medium", "docs"), json!(false));
}

#[test]
fn the_bundled_agents_are_the_shipped_ones() {
    let loaded = AgentSpec::load(&TalonConfig::defaults(&Environment::default()));
    assert_eq!(lines(&loaded.diagnostics), "");
    assert_eq!(loaded.value, shipped());
}

#[test]
fn the_oldest_format_loads_with_defaults_and_says_what_it_assumed() {
    let loaded = AgentSpec::parse("old.yml", OLDEST);
    assert_eq!(
        lines(&loaded.diagnostics),
        "\
old.yml:2:3: warning: agent has no owner; add \"owner:\" with who answers for the agent
old.yml:11:13: warning: agent.tools[0] leaves out effect, data, reach, parameters; assumed effect: write, \
data: internal, reach: internal, parameters: {type: object}; write what is true
old.yml:13:13: warning: agent.tools[1] leaves out effect, data, reach, parameters; assumed effect: write, \
data: internal, reach: internal, parameters: {type: object}; write what is true
"
    );
    let agent = loaded.value.unwrap();
    assert_eq!(agent.owner, "unassigned");
    assert_eq!(agent.team.as_str(), "default");
    assert_eq!(agent.retry, RetrySpec::default());
    assert_eq!(agent.guardrails, Guardrails::default());
    assert_eq!(agent.output, OutputSpec::default());
    assert_eq!(agent.tools[0].timeout, Duration::from_secs(30));
    assert_eq!(agent.tools[0].parameters, json!({"type": "object"}));
}

#[test]
fn anchors_and_aliases_stand_for_their_values() {
    let text = OLDEST.replace("      endpoint: http://toolserver:9001/validate", "      endpoint: *parser").replace(
        "      endpoint: http://toolserver:9001/parse",
        "      endpoint: &parser http://toolserver:9001/parse",
    );
    let agent = AgentSpec::parse("old.yml", &text).value.unwrap();
    assert_eq!(agent.tools[1].endpoint, "http://toolserver:9001/parse");
}

#[test]
fn the_revision_follows_the_content_and_not_the_form() {
    let revision = |text: &str| AgentSpec::parse("old.yml", text).value.unwrap().revision;
    let original = revision(OLDEST);
    assert_eq!(original.len(), 64);
    assert_eq!(revision(&format!("# a comment\n{OLDEST}")), original);
    assert_eq!(revision(&OLDEST.replace("  timeout_seconds: 120\n", "")), original, "120 is the default");
    assert_ne!(revision(&OLDEST.replace("Summarize the", "Shorten the")), original);
    assert_ne!(revision(&OLDEST.replace("max_retries: 2", "max_retries: 3")), original);
}

#[test]
fn installations_rebind_tools_by_name_and_revisions_stay() {
    let mut config = TalonConfig::defaults(&Environment::default());
    let binding = |endpoint: &str| config::ToolBinding { endpoint: endpoint.to_owned() };
    config.tools.insert("pdf_parser".to_owned(), binding("http://127.0.0.1:1234/parse"));
    config.tools.insert("pdf_praser".to_owned(), binding("http://127.0.0.1:1234/x"));
    let loaded = AgentSpec::load(&config);
    let bound = by_name(&loaded.value, "data-extraction");
    assert_eq!(bound.tools[0].endpoint, "http://127.0.0.1:1234/parse");
    assert_eq!(bound.tools[1].endpoint, "http://toolserver:9001/validate");
    assert_eq!(bound.revision, by_name(&shipped(), "data-extraction").revision);
    assert_eq!(
        lines(&loaded.diagnostics),
        "talon.yml: warning: tools.pdf_praser binds http://127.0.0.1:1234/x, but no agent has a tool of that name; \
         did you mean pdf_parser?\n"
    );
}

#[test]
fn a_folder_gives_the_good_agents_and_every_mistake_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.yml", OLDEST);
    write("b.yaml", OLDEST);
    write("c.yml", &OLDEST.replace("document-summarizer", "other").replace("model: pocket", "model: pockte"));
    write("d.yml", "agent: [");
    write("ignored.txt", "agent: [");
    write(".hidden.yml", "agent: [");
    let mut config = TalonConfig::defaults(&Environment::default());
    config.agents_dir = AgentsDir::Path(folder.path().to_owned());
    let loaded = AgentSpec::load(&config);
    assert_eq!(loaded.value.len(), 1);
    let errors: String = (loaded.diagnostics.iter())
        .filter(|item| item.severity == config::Severity::Error)
        .map(|item| format!("{item}\n").replace(&format!("{}/", folder.path().display()), ""))
        .collect();
    assert_eq!(
        errors,
        "\
b.yaml:2:9: error: the agent document-summarizer is already in a.yml:2; give every agent a name of its own
d.yml:1:9: error: this is not YAML: while parsing a node, did not find expected node content; \
look at the indentation, the quotes and the brackets of this line and of the one before
c.yml:4:10: error: there is no model \"pockte\" in talon.yml; did you mean pocket?
"
    );
}

#[test]
fn an_empty_or_missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path| {
        let loaded = AgentSpec::load_path(path);
        assert!(loaded.diagnostics.is_error());
        lines(&loaded.diagnostics).replace(&folder.path().display().to_string(), "FOLDER")
    };
    assert_eq!(
        said(folder.path()),
        "FOLDER: error: the folder has no *.yml or *.yaml file; put an agent's file there, such as one of the five \
         under config/agents\n"
    );
    assert_eq!(
        said(&folder.path().join("none.yml")),
        "FOLDER/none.yml: error: cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn the_effective_context_is_the_smaller_one_and_says_whose() {
    assert_eq!(effective_context(6144, 4096).tokens, 4096);
    assert_eq!(
        effective_context(6144, 4096).to_string(),
        "context of 4096 tokens: the model's limit, below the agent's max_context_tokens 6144"
    );
    assert_eq!(
        effective_context(6144, 32_768).to_string(),
        "context of 6144 tokens: the agent's max_context_tokens, within the model's 32768"
    );
}
