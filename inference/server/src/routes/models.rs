//! `/v1/models`: which models there are.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};

use crate::Served;
use crate::refusal::Refusal;
use crate::response::{ModelEntry, ModelList};

/// List the models, by name.
#[utoipa::path(get, path = "/v1/models", operation_id = "list_models", tag = "models",
    responses((status = 200, body = ModelList, description = "All of them")))]
pub(crate) async fn list(State(served): State<Served>) -> Json<ModelList> {
    Json(ModelList::new(served.models.iter().map(|(name, model)| ModelEntry::new(name, model.info())).collect()))
}

/// Show a model.
#[utoipa::path(get, path = "/v1/models/{id}", operation_id = "get_model", tag = "models",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = ModelEntry, description = "The model"), (status = 404, description = "No such model")))]
pub(crate) async fn get(
    State(served): State<Served>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ModelEntry>, Refusal> {
    let Path(id) = id.map_err(|rejection| Refusal::invalid("id", "invalid_value", rejection.body_text()))?;
    Ok(Json(ModelEntry::new(&id, served.model(&id)?.info())))
}
