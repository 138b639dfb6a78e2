//! What a grammar leaves no choice about takes no step of its own, and begins before the first.

use std::sync::Arc;

use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatReply, ChatRequest, EngineConfig, EngineMetrics, Message, ReplyContent,
    SamplingOptions, SamplingParams, ToolChoice,
};
use prometheus::Registry;
use serde_json::{Value, json};
use types::TaskClass;

use crate::support::pocket;

/// Without guesses, every step is a token that was drawn.
fn model(registry: &Registry) -> ChatModel {
    let config = EngineConfig { max_draft_tokens: 0, ..EngineConfig::default() };
    ChatModel::start(pocket(), config, EngineMetrics::register(registry).unwrap()).unwrap()
}

fn request(schema: Value, options: SamplingOptions) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::User("Where is it?".to_owned())],
        tools: vec![],
        callable: vec![],
        tool_choice: ToolChoice::None,
        max_calls: 1,
        answer: AnswerForm::Json(schema),
        material: Arc::default(),
        params: SamplingParams::try_from(options).unwrap(),
        stop: vec![],
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    }
}

fn answer(reply: &ChatReply) -> Value {
    let ReplyContent::Answer(text) = &reply.content else { panic!("{reply:?}") };
    serde_json::from_str(text).unwrap()
}

fn sum(registry: &Registry, name: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let metric = &family.get_metric()[0];
    metric.get_counter().get_value() + metric.get_histogram().get_sample_count() as f64
}

#[tokio::test]
async fn steps_are_taken_only_where_there_is_a_choice() {
    let registry = Registry::new();
    let model = model(&registry);
    let schema = json!({
        "type": "object",
        "properties": {
            "the name of the first of the two fields": {"type": "boolean"},
            "and that of the second, which is as long": {"enum": ["north", "south"]},
        },
        "required": ["the name of the first of the two fields", "and that of the second, which is as long"],
        "additionalProperties": false,
    });
    let mut completion_tokens = 0;
    for seed in 0..8 {
        // Drawn, so that masks are computed beside the pass.
        let reply = model.reply(request(schema.clone(), SamplingOptions { seed, ..Default::default() })).await.unwrap();
        assert_eq!(answer(&reply).as_object().unwrap().len(), 2);
        completion_tokens += reply.usage.completion_tokens;
    }
    model.handle().drain().await;
    let forced = sum(&registry, "openclaw_engine_forced_tokens_total");
    let steps = sum(&registry, "openclaw_engine_step_seconds");
    assert_eq!(sum(&registry, "openclaw_engine_generation_tokens_total"), completion_tokens as f64);
    assert_eq!(forced + steps, completion_tokens as f64);
    assert!(forced > 4.0 * steps, "{forced} {steps}");
}

#[tokio::test]
async fn an_answer_without_any_choice_takes_no_step() {
    let registry = Registry::new();
    let model = model(&registry);
    let reply = model.reply(request(json!({"const": [1, "two"]}), SamplingOptions::default())).await.unwrap();
    model.handle().drain().await;
    assert_eq!(answer(&reply), json!([1, "two"]));
    assert!(sum(&registry, "openclaw_engine_step_seconds") <= 2.0);
}

#[tokio::test]
async fn the_limit_cuts_what_is_forced() {
    let registry = Registry::new();
    let options = SamplingOptions { max_new_tokens: 2, ..Default::default() };
    let cut = model(&registry).reply(request(json!({"const": "much longer than two tokens"}), options)).await;
    let Err(inference::ReplyError::LengthLimit { usage }) = cut else { panic!("{cut:?}") };
    assert_eq!(usage.completion_tokens, 2);
}
