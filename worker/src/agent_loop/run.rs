//! Drives one task through model and tools to an answer. Everything it decides, `step.rs` decided.

use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::{
    AnswerForm, CacheSalt, ChatReply, ChatRequest, Material, Message, ReplyContent, ReplyError, ToolCall, Usage,
    check_extract, invented,
};
use serde_json::{Value, json};
use store::{Lease, NewStep, StepKind};
use types::{StopReason, Timestamp};

use super::call_keys::CallKeys;
use super::conversation::Conversation;
use super::step::{Progress, Step};
use crate::agent::Agent;
use crate::metrics::WorkerMetrics;
use crate::outcome::Interruption;
use crate::session::Session;
use crate::tools::{DocumentSource, ToolClient, ToolError};

/// The `code` of arguments that the model can mend.
const BAD_ARGUMENTS: &str = "bad_arguments";
/// Characters of a text that a step's summary shows.
const EXCERPT_CHARS: usize = 400;

/// One execution of one task.
pub(crate) struct Run<'a> {
    /// Who works.
    pub agent: &'a Agent,
    /// What it holds; steps are recorded through it.
    pub lease: &'a Lease,
    /// The task's documents.
    pub documents: &'a dyn DocumentSource,
    /// The way out.
    pub tools: &'a ToolClient,
    /// When the execution is given up.
    pub deadline: Instant,
    /// The longest one generation may take.
    pub request_timeout: Duration,
    /// Where tool calls and the session's size are counted.
    pub metrics: &'a WorkerMetrics,
}

/// The result of a task, and what its session may keep.
#[derive(Debug)]
pub(crate) struct Answer {
    /// JSON by the agent's schema with the derived fields, or a JSON string.
    pub output: Value,
    /// The task's messages.
    pub exchange: Vec<Message>,
    /// Tokens of the whole conversation with the answer.
    pub used_tokens: usize,
}

impl Run<'_> {
    /// Works until the answer or until something ends the execution.
    ///
    /// # Errors
    /// Why there is no answer, classed by what to do about it.
    pub(crate) async fn to_answer(&self, session: &mut Session) -> Result<Answer, Interruption> {
        let task = self.lease.task();
        let limits = self.agent.loop_limits();
        let callable = self.agent.callable(&task.documents);
        let mut conversation = Conversation::new(self.agent, session, task.input.as_deref(), &task.documents);
        let mut progress = Progress::default();
        let mut keys = CallKeys::new(task.id);
        let mut material = Arc::new(Material::default());
        Arc::make_mut(&mut material).add(task.input.as_deref().unwrap_or_default());
        loop {
            let tokens = conversation.make_room().await;
            self.metrics.session_holds(&self.agent.spec.name, self.lease.worker().slot, tokens);
            self.check_room(tokens)?;
            let tool_choice = progress.tool_choice(&limits);
            let reply = self
                .ask(ChatRequest {
                    messages: conversation.messages(),
                    tools: self.agent.definitions().to_vec(),
                    callable: callable.clone(),
                    tool_choice,
                    max_calls: 1,
                    answer: self.answer_form(),
                    material: material.clone(),
                    params: self.agent.sampling(tokens),
                    stop: Vec::new(),
                    class: task.class,
                    cache_salt: CacheSalt::of(task.team.as_str()),
                    // The execution's own deadline drops this future, so that it can never be taken for the engine's.
                    deadline: Some(Instant::now() + self.request_timeout),
                })
                .await?;
            let used_tokens = reply.usage.prompt_tokens + reply.usage.completion_tokens;
            match progress.next_step(reply.content, tool_choice, &limits) {
                Step::Answer(text) => {
                    let output = self.output(&text, &material)?;
                    conversation.push(Message::Assistant(text));
                    return Ok(Answer { output, exchange: conversation.into_exchange(), used_tokens });
                }
                Step::Call(calls) => {
                    conversation.push(Message::ToolCalls(calls.clone()));
                    for call in calls {
                        let content = self.call(&call, &keys.next(&call), &mut material).await?;
                        if let Some(reason) = progress.record_call(&call, &content, &limits) {
                            return Err(self.stopped(reason, &progress));
                        }
                        conversation.push(Message::ToolResult { call_id: call.id, content });
                    }
                }
                Step::Stop(reason) => return Err(self.stopped(reason, &progress)),
            }
        }
    }

    fn answer_form(&self) -> AnswerForm {
        let output = &self.agent.spec.output;
        if output.extractive { AnswerForm::Extract } else { output.schema.as_ref().into() }
    }

    /// Refuses a conversation that leaves no room for a reply, with both numbers.
    fn check_room(&self, tokens: usize) -> Result<(), Interruption> {
        if tokens < self.agent.context.tokens {
            return Ok(());
        }
        Err(self.overflow(format!("the conversation has {tokens} tokens")))
    }

    fn overflow(&self, what: String) -> Interruption {
        let Agent { spec, context, .. } = self.agent;
        let message = format!("{what}; agent {} has a {context}; give it a shorter document or split it", spec.name);
        Interruption::fail(StopReason::ContextOverflow, message)
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatReply, Interruption> {
        let (started_at, clock) = (Timestamp::now(), Instant::now());
        let result = self.agent.model.reply(request).await;
        let (summary, usage) = match &result {
            Ok(reply) => (summary_of(&reply.content), reply.usage),
            Err(error) => (json!({"error": error.to_string()}), spent(error)),
        };
        self.record(NewStep {
            kind: StepKind::Model,
            started_at,
            duration: clock.elapsed(),
            prompt_tokens: usage.prompt_tokens as u64,
            completion_tokens: usage.completion_tokens as u64,
            summary,
        })
        .await?;
        match result {
            // Its own limit was further away: what ended it is the room that the conversation left.
            Err(ReplyError::LengthLimit { usage })
                if usage.completion_tokens < self.agent.spec.guardrails.max_output_tokens =>
            {
                Err(self.overflow(format!(
                    "the conversation has {} tokens and its reply did not end within the {} that it left free",
                    usage.prompt_tokens, usage.completion_tokens,
                )))
            }
            result => Ok(result?),
        }
    }

    /// Makes a call and records it; its result becomes material. Bad arguments are told to the model, which can mend
    /// them; every other error ends the execution.
    async fn call(&self, call: &ToolCall, key: &str, material: &mut Arc<Material>) -> Result<Value, Interruption> {
        let (started_at, clock) = (Timestamp::now(), Instant::now());
        let bad_arguments = |detail: String| {
            Err(ToolError::Unusable { tool: call.name.clone(), code: BAD_ARGUMENTS.to_owned(), detail })
        };
        let result = match self.agent.tool(&call.name) {
            Some(tool) => match invented(&tool.spec.parameters, &Value::Object(call.arguments.clone()), material) {
                Some(invented) => bad_arguments(invented.to_string()),
                None => self.tools.call(tool, &call.arguments, key, self.documents, self.deadline).await,
            },
            None => bad_arguments("this agent has no tool of that name".to_owned()),
        };
        let mut summary = json!({"tool": call.name, "arguments": call.arguments});
        match &result {
            Ok(output) => {
                summary["result_bytes"] = json!(output.bytes);
                summary["result"] = json!(excerpt(&output.value.to_string()));
            }
            Err(error) => summary["error"] = json!(error.to_string()),
        }
        let outcome = if result.is_ok() { "ok" } else { "error" };
        self.metrics.tool_calls.with_label_values(&[self.agent.spec.name.as_str(), self.label(call), outcome]).inc();
        self.record(NewStep {
            kind: StepKind::Tool,
            started_at,
            duration: clock.elapsed(),
            prompt_tokens: 0,
            completion_tokens: 0,
            summary,
        })
        .await?;
        match result {
            Ok(output) => {
                Arc::make_mut(material).add_value(&output.value);
                Ok(output.value)
            }
            // No material: it may repeat what the model made up.
            Err(ToolError::Unusable { code, detail, .. }) if code == BAD_ARGUMENTS => Ok(json!({"error": detail})),
            Err(error) => Err(error.into()),
        }
    }

    async fn record(&self, step: NewStep) -> Result<(), Interruption> {
        self.lease.record_step(step).await?;
        Ok(())
    }

    /// The answer in the agent's form. A decoder that enforces it always passes; a model behind HTTP may not.
    fn output(&self, text: &str, material: &Material) -> Result<Value, Interruption> {
        let spec = &self.agent.spec.output;
        let unusable = |why: String| Interruption::Retry {
            failure: store::Failure::new(StopReason::ModelError, format!("the answer {why}: {}", excerpt(text))),
            retry_after: None,
        };
        if spec.extractive {
            check_extract(text, material).map_err(|error| unusable(format!("is no extract ({error})")))?;
        }
        let Some(schema) = &spec.schema else { return Ok(Value::String(text.to_owned())) };
        let mut answer: Value =
            serde_json::from_str(text).map_err(|error| unusable(format!("is not JSON ({error})")))?;
        if let Some(invented) = invented(schema, &answer, material) {
            return Err(unusable(format!("is not copied where it must be ({invented})")));
        }
        if let Value::Object(answer) = &mut answer {
            spec.derive(answer);
        }
        Ok(answer)
    }

    fn stopped(&self, reason: StopReason, progress: &Progress) -> Interruption {
        let (steps, calls) = (progress.num_steps(), progress.num_tool_calls());
        Interruption::fail(
            reason,
            format!(
                "agent {} was stopped ({reason}) after {steps} steps and {calls} tool calls; its guardrails set the limits",
                self.agent.spec.name
            ),
        )
    }

    /// Only names from the agent's file become labels.
    fn label(&self, call: &ToolCall) -> &str {
        self.agent.tool(&call.name).map_or("unknown", |tool| tool.spec.name.as_str())
    }
}

/// What a failed generation cost, where its error says so.
fn spent(error: &ReplyError) -> Usage {
    match error {
        ReplyError::Deadline { usage } | ReplyError::LengthLimit { usage } => *usage,
        ReplyError::TooLong { .. }
        | ReplyError::Overloaded { .. }
        | ReplyError::Unavailable(_)
        | ReplyError::BadSchema(_)
        | ReplyError::BadRequest(_)
        | ReplyError::Stopped
        | ReplyError::Failed(_) => Usage::default(),
    }
}

fn summary_of(content: &ReplyContent) -> Value {
    match content {
        ReplyContent::Answer(text) => json!({"answer": excerpt(text)}),
        ReplyContent::ToolCalls(calls) => {
            let calls: Vec<Value> =
                calls.iter().map(|call| json!({"tool": call.name, "arguments": call.arguments})).collect();
            json!({"tool_calls": calls})
        }
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
