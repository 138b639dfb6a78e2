//! `/v1/webhooks`: messages that tell of ended tasks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use store::WebhookState;
use types::{InvalidName, WebhookId};
use utoipa::IntoParams;

use super::reject::{Ask, Id, page_limit};
use crate::caller::Operator;
use crate::dto::WebhookView;
use crate::problem::Problem;
use crate::state::ApiState;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those that are `pending`, `delivered` or `dead`.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    state: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// List the team's messages, the newest first. Needs the role operator.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks", params(ListQuery),
    responses((status = 200, body = Vec<WebhookView>, description = "The newest"), (status = 400, description = "The query cannot be read")))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Ask(query): Ask<ListQuery>,
) -> Result<Json<Vec<WebhookView>>, Problem> {
    let standing = query.state.map(|text| text.parse::<WebhookState>()).transpose();
    let standing =
        standing.map_err(|error: InvalidName| Problem::bad_request("bad_query", format!("state: {error}")))?;
    let webhooks = state.store.webhooks(&caller.team, standing, page_limit(query.limit)?).await?;
    Ok(Json(webhooks.into_iter().map(WebhookView::from).collect()))
}

/// Send a dead message again, with all its tries. Needs the role operator.
#[utoipa::path(post, path = "/v1/webhooks/{id}/retry", operation_id = "retry_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "Its id")),
    responses((status = 204, description = "It is due now"), (status = 404, description = "No such dead message")))]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Id(id): Id<WebhookId>,
) -> Result<StatusCode, Problem> {
    if state.store.retry_webhook(&caller.team, &id, &caller.actor).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("dead message", id))
}
