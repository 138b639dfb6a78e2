//! How an agent's file looks: every key, its limits and its default, said once for the reader and the editors' schema.

use std::time::Duration;

use serde_json::{Value, json};
use types::TeamName;

use super::rules;
use super::{
    AgentSpec, Condition, DataLabel, DerivedField, Effect, Guardrails, OutputSpec, Reach, RetrySpec, SessionMode,
    SessionSpec, ToolSpec,
};
use crate::endpoint::{endpoint, looks_external};
use crate::json_schema::JsonSchema;
use crate::shape::{
    Fields, JsonMap, Shape, Show, anything, attempt, choice, flag, list, name, named, number, object, parsed, seconds,
    text, whole,
};

/// A whole file: the key `agent`.
pub(crate) fn file() -> impl Shape<Out = AgentSpec> {
    object(|fields: &mut Fields<'_, '_>| {
        fields.required("agent", "everything about the agent stands below it", object(agent))
    })
}

fn agent(fields: &mut Fields<'_, '_>) -> Option<AgentSpec> {
    let name = fields.required("name", "what tasks call the agent; unique among all agents", name());
    let description = fields.optional("description", "one line for people", text());
    let owner = fields.optional("owner", "who answers for the agent, such as a mail address", text());
    let team =
        fields.optional("team", "the team whose tasks it works on; \"default\" when absent", self::name::<TeamName>());
    let model = fields.required("model", "the name of a model of talon.yml, such as pocket", text());
    let max_context_tokens = fields.or(
        "max_context_tokens",
        "tokens of context the agent may use; the model's own limit may be lower",
        whole(256..=1_048_576),
        6144,
    );
    let timeout = fields.or(
        "timeout_seconds",
        "wall clock for one execution of a task",
        seconds(1..=86_400),
        Duration::from_secs(120),
    );
    let retry = fields.optional("retry_policy", "when a failed task runs again", object(retry));
    let instructions = fields.required("instructions", "the system prompt", text());
    let tools =
        fields.optional("tools", "the only tools the agent may call; none when absent", list(attempt(object(tool))));
    let guardrails = fields.optional("guardrails", "hard limits, enforced by the platform", object(guardrails));
    let session = fields.optional("session", "what a warm worker keeps from task to task", object(session));
    let output = fields.optional("output", "the form of the answer; text when absent", object(output));

    if !fields.has("owner") {
        fields.warning("owner", |path| format!("{path} has no owner"), "add \"owner:\" with who answers for the agent");
    }
    let tools = tools.unwrap_or_default();
    let guardrails = guardrails.unwrap_or_default();
    let listed: Vec<(usize, &ToolSpec)> =
        tools.iter().enumerate().filter_map(|(index, tool)| Some((index, tool.as_ref()?))).collect();
    rules::check_tools(&listed, &guardrails, fields);
    rules::check_context(max_context_tokens, &guardrails, fields);
    Some(AgentSpec {
        name: name?,
        description: description.unwrap_or_default(),
        owner: owner.unwrap_or_else(|| "unassigned".to_owned()),
        team: team.or_else(|| "default".parse().ok())?,
        model: model?,
        max_context_tokens,
        timeout,
        retry: retry.unwrap_or_default(),
        instructions: instructions?,
        tools: tools.into_iter().flatten().collect(),
        guardrails,
        session: session.unwrap_or_default(),
        output: output.unwrap_or_default(),
        revision: String::new(),
    })
}

fn retry(fields: &mut Fields<'_, '_>) -> Option<RetrySpec> {
    let default = RetrySpec::default();
    let retry = RetrySpec {
        max_retries: fields.or("max_retries", "retries after the first execution", whole(0..=100), default.max_retries),
        backoff_multiplier: fields.or(
            "backoff_multiplier",
            "growth of the delay from one retry to the next",
            number(1.0..=10.0),
            default.backoff_multiplier,
        ),
        initial_delay: fields.or(
            "initial_delay_seconds",
            "delay before the first retry",
            seconds(0..=86_400),
            default.initial_delay,
        ),
        max_delay: fields.or("max_delay_seconds", "ceiling of the delay", seconds(0..=86_400), default.max_delay),
        jitter: fields.or(
            "jitter",
            "share of the delay that may be taken off at random, so that tasks do not retry together",
            number(0.0..=1.0),
            default.jitter,
        ),
    };
    if retry.max_delay < retry.initial_delay {
        let (initial, max) = (retry.initial_delay.as_secs_f64(), retry.max_delay.as_secs_f64());
        let key = if fields.has("max_delay_seconds") { "max_delay_seconds" } else { "initial_delay_seconds" };
        let message =
            |path: &str| format!("{path}.max_delay_seconds ({max}) is below initial_delay_seconds ({initial})");
        fields.error(key, message, "raise the one or lower the other");
    }
    Some(retry)
}

fn guardrails(fields: &mut Fields<'_, '_>) -> Option<Guardrails> {
    let default = Guardrails::default();
    Some(Guardrails {
        max_tool_calls_per_task: fields.or(
            "max_tool_calls_per_task",
            "tool calls in one task",
            whole(0..=1000),
            default.max_tool_calls_per_task,
        ),
        max_steps: fields.or("max_steps", "model turns in one task", whole(1..=1000), default.max_steps),
        max_output_tokens: fields.or(
            "max_output_tokens",
            "tokens of one model turn",
            whole(1..=131_072),
            default.max_output_tokens,
        ),
        allow_external_network: fields.or(
            "allow_external_network",
            "whether the agent may have tools with \"reach: external\"",
            flag(),
            default.allow_external_network,
        ),
    })
}

fn session(fields: &mut Fields<'_, '_>) -> Option<SessionSpec> {
    const MODES: &[(&str, SessionMode)] = &[("task", SessionMode::Task), ("worker", SessionMode::Worker)];
    let about = "task: every task starts with the instructions alone; worker: messages stay until the session is reset";
    Some(SessionSpec { mode: fields.or("mode", about, choice(MODES), SessionMode::Task) })
}

/// What models and the platform can call a tool.
fn tool_name() -> impl Show<Out = String> {
    parsed(json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"}), |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match text.len() <= 64 && text.bytes().all(allowed) {
            true => Ok(text.to_owned()),
            false => Err(("not a tool name".to_owned(), "use 1 to 64 of a-z, A-Z, 0-9, '_' and '-'".to_owned())),
        }
    })
}

fn tool(fields: &mut Fields<'_, '_>) -> Option<ToolSpec> {
    const EFFECTS: &[(&str, Effect)] =
        &[("read", Effect::Read), ("write", Effect::Write), ("destructive", Effect::Destructive)];
    const LABELS: &[(&str, DataLabel)] = &[("public", DataLabel::Public), ("internal", DataLabel::Internal)];
    const REACHES: &[(&str, Reach)] = &[("internal", Reach::Internal), ("external", Reach::External)];

    let name = fields.required("name", "what the model calls the tool; unique within the agent", tool_name());
    let endpoint = fields.required("endpoint", "an absolute URL such as http://toolserver:9001/parse", endpoint());
    let description = fields.optional("description", "what the tool does, for the model", text());
    let effect = fields.optional("effect", "what a call changes; write when absent", choice(EFFECTS));
    let data = fields.optional("data", "what its results are; internal when absent", choice(LABELS));
    let reach = fields.optional(
        "reach",
        "whether its arguments leave the perimeter; judged by the host when absent",
        choice(REACHES),
    );
    let timeout = fields.or("timeout_seconds", "wall clock for one call", seconds(1..=3600), Duration::from_secs(30));
    let parameters = fields.optional("parameters", "JSON Schema of the arguments that the model gives", JsonSchema);
    let fixed_arguments = fields.optional(
        "fixed_arguments",
        "arguments that the platform adds to each call; the model neither sees nor sets them",
        JsonMap,
    );

    let endpoint = endpoint?;
    let external = looks_external(&endpoint);
    if reach == Some(Reach::Internal) && external {
        let message = |path: &str| format!("{path}.reach is internal, but the host of {endpoint} looks external");
        fields.warning(
            "reach",
            message,
            "make sure that the host is inside the perimeter, or write \"reach: external\"",
        );
    }
    let assumed_reach = if external { Reach::External } else { Reach::Internal };
    warn_of_assumptions(assumed_reach, fields);
    let tool = ToolSpec {
        name: name?,
        endpoint,
        description: description.unwrap_or_default(),
        effect: effect.unwrap_or(Effect::Write),
        data: data.unwrap_or(DataLabel::Internal),
        reach: reach.unwrap_or(assumed_reach),
        timeout,
        parameters: parameters.unwrap_or_else(|| json!({"type": "object"})),
        fixed_arguments: fixed_arguments.unwrap_or_default(),
    };
    rules::check_tool(&tool, fields);
    Some(tool)
}

/// What a tool's file leaves out is assumed with care: results are internal until someone says otherwise.
fn warn_of_assumptions(reach: Reach, fields: &mut Fields<'_, '_>) {
    let reach = match reach {
        Reach::Internal => "reach: internal",
        Reach::External => "reach: external",
    };
    let assumed = [
        ("effect", "effect: write"),
        ("data", "data: internal"),
        ("reach", reach),
        ("parameters", "parameters: {type: object}"),
    ]
    .into_iter();
    let (keys, values): (Vec<_>, Vec<_>) = assumed.filter(|(key, _)| !fields.has(key)).unzip();
    if !keys.is_empty() {
        let hint = format!("assumed {}; write what is true", values.join(", "));
        fields.warning("name", |path| format!("{path} leaves out {}", keys.join(", ")), hint);
    }
}

fn output(fields: &mut Fields<'_, '_>) -> Option<OutputSpec> {
    let schema = fields.optional("schema", "JSON Schema of the answer; enforced while the model writes", JsonSchema);
    let extractive = fields.or(
        "extractive",
        "whether the answer, without a schema, can only be a title line and lines \"- <sentence>\", copied from the \
         task's texts; enforced while the model writes",
        flag(),
        false,
    );
    if extractive {
        rules::check_extractive(fields);
    }
    let derived = fields.optional(
        "derived",
        "boolean fields that the platform adds to the answer by rule, by name",
        named(attempt(object(|fields: &mut Fields<'_, '_>| {
            fields.required("any", "conditions of which one is enough", list(attempt(object(condition))))
        }))),
    );
    let derived: Vec<(String, Vec<Option<Condition>>)> =
        derived.unwrap_or_default().into_iter().map(|(name, any)| (name, any.unwrap_or_default())).collect();
    for (name, any) in &derived {
        rules::check_derived(name, any, schema.as_ref(), fields);
    }
    let derived = derived
        .into_iter()
        .map(|(name, any)| DerivedField { name, any: any.into_iter().flatten().collect() })
        .collect();
    Some(OutputSpec { schema, extractive, derived })
}

fn condition(fields: &mut Fields<'_, '_>) -> Option<Condition> {
    let field = fields.required("field", "a field of output.schema", text());
    let values: Option<Vec<Value>> = fields.required("in", "the values that fulfil the condition", list(anything()));
    Some(Condition { field: field?, r#in: values? })
}
