//! `/v1/agents`.

use crate::world::world;

#[tokio::test]
async fn agents_are_listed_by_name() {
    let agents = world().await.get("/v1/agents").await.json();
    let names: Vec<&str> = agents.as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["summary", "triage"]);
}

#[tokio::test]
async fn an_agent_is_shown_by_name() {
    let world = world().await;
    let agent = world.get("/v1/agents/triage").await.json();
    assert_eq!((agent["name"].as_str(), agent["model"].as_str()), (Some("triage"), Some("pocket")));
    assert_eq!(world.get("/v1/agents/tria%67e").await.json(), agent);
    world.get("/v1/agents/nobody").await.assert_problem(404, "not_found");
    world.get("/v1/agents/Not%20A%20Name").await.assert_problem(404, "not_found");
}
