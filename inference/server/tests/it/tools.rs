//! Which tools are called, and how many times.

use serde_json::{Value, json};

use crate::world::{World, named_tool, tool, with, world};

/// The answer's choice when these fields ask for it.
async fn choice(world: &World, changes: Value) -> Value {
    let mut asked = with(&json!({ "response_format": null, "temperature": 5.0 }));
    asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    world.complete(&asked).await["choices"][0].take()
}

fn names(choice: &Value) -> Vec<&str> {
    let calls = choice["message"]["tool_calls"].as_array().into_iter().flatten();
    calls.map(|call| call["function"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_required_tool_is_called_by_its_schema() {
    let world = world().await;
    let choice = choice(&world, json!({ "tools": [tool()], "tool_choice": "required" })).await;
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert!((1..=8).contains(&calls.len()), "{choice}");
    for call in calls {
        assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weigh")));
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert!((1..=99).contains(&arguments["count"].as_u64().unwrap()), "{arguments}");
    }
}

#[tokio::test]
async fn a_named_tool_is_called_and_called_once() {
    let world = world().await;
    for name in ["weigh", "count"] {
        let named = json!({ "type": "function", "function": { "name": name } });
        let tools = json!([named_tool("weigh"), named_tool("count")]);
        let choice = choice(&world, json!({ "tools": tools, "tool_choice": named })).await;
        assert_eq!(names(&choice), [name]);
    }
}

#[tokio::test]
async fn several_calls_come_only_where_they_are_allowed() {
    let world = world().await;
    let ask = async |parallel: bool, seed: u64| {
        let asked = json!({
            "tools": [tool()], "tool_choice": "required", "parallel_tool_calls": parallel, "seed": seed,
            "max_tokens": 600,
        });
        names(&choice(&world, asked).await).len()
    };
    let mut most = 0;
    for seed in 0..12 {
        assert_eq!(ask(false, seed).await, 1);
        most = most.max(ask(true, seed).await);
    }
    assert!(most > 1, "{most}");
}

#[tokio::test]
async fn a_tool_that_must_not_be_called_is_not() {
    let world = world().await;
    let choice = choice(&world, json!({ "tools": [tool()], "tool_choice": "none", "max_tokens": 20 })).await;
    assert_eq!(names(&choice), [""; 0]);
    assert!(choice["message"]["content"].is_string());
}

#[tokio::test]
async fn a_tool_may_go_without_description_and_parameters() {
    let world = world().await;
    let bare = json!({ "type": "function", "function": { "name": "ping" } });
    let asked = json!({ "tools": [bare], "tool_choice": "required", "parallel_tool_calls": false });
    let choice = choice(&world, asked).await;
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}
