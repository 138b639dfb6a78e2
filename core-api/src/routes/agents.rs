//! `/v1/agents`: who can work.

use axum::Json;
use axum::extract::State;
use types::AgentName;

use super::reject::Id;
use crate::dto::AgentView;
use crate::problem::Problem;
use crate::state::ApiState;

/// List the agents of this installation, by name.
#[utoipa::path(get, path = "/v1/agents", operation_id = "list_agents", tag = "agents",
    responses((status = 200, body = Vec<AgentView>, description = "All of them")))]
pub(crate) async fn list(State(state): State<ApiState>) -> Json<Vec<AgentView>> {
    Json(state.agents.values().cloned().collect())
}

/// Show an agent.
#[utoipa::path(get, path = "/v1/agents/{name}", operation_id = "get_agent", tag = "agents",
    params(("name" = AgentName, Path, description = "Its name")),
    responses((status = 200, body = AgentView, description = "The agent"), (status = 404, description = "No such agent")))]
pub(crate) async fn get(State(state): State<ApiState>, Id(name): Id<AgentName>) -> Result<Json<AgentView>, Problem> {
    state.agents.get(&name).cloned().map(Json).ok_or_else(|| Problem::not_found("agent", name))
}
