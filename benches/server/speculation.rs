//! The bundled model on work where it copies, one request at a time, with drafts from what it has read and without. The
//! prompts have been read before. Whole requests, most of which is the grammar of the text that is copied, and writing
//! alone: the engine's own time from the first drawn token to the last.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use config::{AgentSpec, BUNDLED_AGENTS, ToolSpec};
use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatRequest, EngineConfig, EngineMetrics, LoadOptions, Material, Message, Model,
    ReplyContent, ReplyError, SamplingParams, ToolChoice, ToolDefinition,
};
use prometheus::Registry;
use serde::Deserialize;
use types::TaskClass;

use crate::row::Row;
use crate::{Error, Options};

const AGENTS: [&str; 2] = ["data-extraction", "document-summarization"];
const CASES: usize = 40;

pub(crate) async fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let drafting = start(EngineConfig::default(), options)?;
    let plain = start(EngineConfig { max_draft_tokens: 0, ..EngineConfig::default() }, options)?;
    let mut rows = Vec::new();
    for agent in AGENTS {
        let mut requests = requests(agent)?;
        let mut answers = Vec::new();
        for engine in [&drafting, &plain] {
            answers = answer(engine, &requests).await?;
        }
        // What has no end says more of the model than of drafts.
        let mut ends = answers.iter().map(Option::is_some);
        requests.retain(|_| ends.next() == Some(true));
        let (mut seconds, mut writing) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for round in 0..options.rounds {
            let mut engines = [(0, &drafting), (1, &plain)];
            if round % 2 == 1 {
                engines.reverse();
            }
            let mut answers = Vec::new();
            for (column, engine) in engines {
                let (began, written) = (Instant::now(), engine.seconds_of_writing());
                answers.push(answer(engine, &requests).await?);
                let num_requests = requests.len() as f64;
                seconds[column].push(began.elapsed().as_secs_f64() / num_requests);
                writing[column].push((engine.seconds_of_writing() - written) / num_requests);
            }
            if answers[0] != answers[1] {
                return Err(format!("{agent}: drafts changed an answer").into());
            }
        }
        let work = format!("speculation, {agent}");
        rows.push(Row::of_medians(&work, "request, s", ["drafts", "plain"], seconds));
        rows.push(Row::of_medians(&work, "writing, s", ["drafts", "plain"], writing));
    }
    Ok(rows)
}

struct Engine {
    model: ChatModel,
    metrics: Registry,
}

impl Engine {
    /// So far, of all requests.
    fn seconds_of_writing(&self) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == "openclaw_engine_request_decode_time_seconds");
        family.map_or(0.0, |family| family.get_metric()[0].get_histogram().get_sample_sum())
    }
}

fn start(engine: EngineConfig, options: &Options) -> Result<Engine, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pocket/pocket.gguf");
    let load = LoadOptions { threads: Some(options.threads), ..LoadOptions::default() };
    let metrics = Registry::new();
    let model = ChatModel::start(Model::load_with(&path, load)?, engine, EngineMetrics::register(&metrics)?)?;
    Ok(Engine { model, metrics })
}

/// The answers; none for one without an end.
async fn answer(engine: &Engine, requests: &[ChatRequest]) -> Result<Vec<Option<ReplyContent>>, Error> {
    let mut answers = Vec::new();
    for request in requests {
        answers.push(match engine.model.reply(request.clone()).await {
            Ok(reply) => Some(reply.content),
            Err(ReplyError::LengthLimit { .. }) => None,
            Err(error) => return Err(error.into()),
        });
    }
    Ok(answers)
}

/// A line of `config/evals/`.
#[derive(Deserialize)]
struct Case {
    input: Option<String>,
    documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    text: String,
}

/// What the agent asks once it has the text.
fn requests(agent: &str) -> Result<Vec<ChatRequest>, Error> {
    let name = format!("agents/{agent}.yml");
    let file = BUNDLED_AGENTS.iter().find(|file| file.name == name).ok_or("the agent is not bundled")?;
    let spec = AgentSpec::parse(file.name, file.text).value.ok_or("the agent has mistakes")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/evals/{agent}.jsonl"));
    let cases = std::fs::read_to_string(path)?;
    cases.lines().take(CASES).map(|line| Ok(request(&spec, serde_json::from_str(line)?))).collect()
}

fn request(spec: &AgentSpec, case: Case) -> ChatRequest {
    let texts: Vec<String> = case.input.into_iter().chain(case.documents.into_iter().map(|it| it.text)).collect();
    let text = texts.join("\n\n");
    let mut material = Material::default();
    material.add(&text);
    let definition = |tool: &ToolSpec| ToolDefinition {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone(),
    };
    ChatRequest {
        messages: vec![Message::System(spec.instructions.clone()), Message::User(text)],
        tools: spec.tools.iter().map(definition).collect(),
        callable: Vec::new(),
        tool_choice: ToolChoice::None,
        max_calls: 1,
        answer: if spec.output.extractive { AnswerForm::Extract } else { spec.output.schema.as_ref().into() },
        material: Arc::new(material),
        params: SamplingParams::greedy(spec.guardrails.max_output_tokens),
        stop: Vec::new(),
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    }
}
