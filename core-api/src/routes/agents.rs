//! `/v1/agents`: who can work.

use axum::Json;
use axum::extract::State;

use crate::dto::AgentView;
use crate::state::ApiState;

/// List the agents of this installation.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", responses((status = 200, body = Vec<AgentView>)))]
pub(crate) async fn list(State(state): State<ApiState>) -> Json<Vec<AgentView>> {
    Json(state.agents.values().cloned().collect())
}
