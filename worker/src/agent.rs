//! An agent ready to work: its file bound to a model and to the tools of this installation.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{AgentSpec, EffectiveContext, ToolSpec, effective_context};
use inference::{SamplingParams, ToolDefinition};
use types::{AgentName, DocumentId};

use crate::agent_loop::LoopLimits;
use crate::generate::Generate;
use crate::tools::{BoundTool, EndpointError, arguments_schema, offered};

/// The same call with the same result may come this often before it counts as a loop.
const MAX_REPEATS: u32 = 3;

/// An agent with everything its tasks need; shared by all workers.
pub struct Agent {
    /// The file.
    pub spec: AgentSpec,
    /// The model that speaks for it.
    pub model: Arc<dyn Generate>,
    /// The tools it may call.
    pub tools: Vec<BoundTool>,
    /// Tokens its sessions may hold, and which limit decides.
    pub context: EffectiveContext,
    definitions: Arc<[ToolDefinition]>,
}

/// Why an agent cannot work here.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its model is not loaded.
    #[error("agent {agent} wants model {model:?}, which is not loaded; loaded are {loaded}")]
    UnknownModel {
        /// The agent.
        agent: AgentName,
        /// The model it names.
        model: String,
        /// The models there are.
        loaded: String,
    },
    /// A tool has no usable address.
    #[error("agent {agent}, tool {tool}")]
    Endpoint {
        /// The agent.
        agent: AgentName,
        /// The tool.
        tool: String,
        /// What is wrong with the address.
        source: EndpointError,
    },
}

impl Agent {
    /// Binds a file whose tools' endpoints are those of this installation.
    ///
    /// # Errors
    /// When the model is not loaded or a tool's address is unusable.
    pub fn bind(spec: AgentSpec, models: &BTreeMap<String, Arc<dyn Generate>>) -> Result<Self, AgentError> {
        let model = models.get(&spec.model).cloned().ok_or_else(|| AgentError::UnknownModel {
            agent: spec.name.clone(),
            model: spec.model.clone(),
            loaded: models.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let bind_tool = |tool: &ToolSpec| {
            BoundTool::bind(tool, &spec.guardrails).map_err(|source| AgentError::Endpoint {
                agent: spec.name.clone(),
                tool: tool.name.clone(),
                source,
            })
        };
        let tools = spec.tools.iter().map(bind_tool).collect::<Result<Vec<_>, AgentError>>()?;
        let definitions = tools.iter().map(|tool| definition(tool, tool.spec.parameters.clone())).collect();
        let context = effective_context(spec.max_context_tokens, model.context_tokens());
        Ok(Agent { spec, model, tools, context, definitions })
    }

    /// Every tool as the model is told of it.
    pub fn definitions(&self) -> &Arc<[ToolDefinition]> {
        &self.definitions
    }

    /// The tools that a task with these documents can call, their document arguments narrowed to its documents.
    pub fn callable(&self, documents: &[DocumentId]) -> Vec<ToolDefinition> {
        let narrowed = |tool: &&BoundTool| definition(tool, arguments_schema(&tool.spec.parameters, documents));
        offered(&self.tools, documents).iter().map(narrowed).collect()
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&BoundTool> {
        self.tools.iter().find(|tool| tool.spec.name == name)
    }

    /// The limits of one task.
    pub fn loop_limits(&self) -> LoopLimits {
        LoopLimits {
            max_steps: self.spec.guardrails.max_steps,
            max_tool_calls: self.spec.guardrails.max_tool_calls_per_task,
            max_repeats: MAX_REPEATS,
        }
    }

    /// How a reply to `prompt_tokens` is sampled: greedy, so that the same task has the same answer, and within the
    /// context.
    pub fn sampling(&self, prompt_tokens: usize) -> SamplingParams {
        let room = self.context.tokens.saturating_sub(prompt_tokens);
        SamplingParams::greedy(self.spec.guardrails.max_output_tokens.min(room))
    }
}

fn definition(tool: &BoundTool, parameters: serde_json::Value) -> ToolDefinition {
    ToolDefinition { name: tool.spec.name.clone(), description: tool.spec.description.clone(), parameters }
}

/// The agents of this installation by name.
pub type Agents = BTreeMap<AgentName, Arc<Agent>>;
