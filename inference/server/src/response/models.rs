//! `GET /v1/models`, the way out.

use inference::ModelInfo;
use serde::Serialize;
use utoipa::ToSchema;

/// All models.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// `list`.
    object: &'static str,
    data: Vec<ModelEntry>,
}

/// One model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelEntry {
    id: String,
    /// `model`.
    object: &'static str,
    /// Model files do not say when they were made: 0.
    created: u64,
    /// `talon`.
    owned_by: &'static str,
    /// Tokens of prompt and answer together; the name is vLLM's.
    max_model_len: usize,
}

impl ModelList {
    pub(crate) fn new(data: Vec<ModelEntry>) -> Self {
        ModelList { object: "list", data }
    }
}

impl ModelEntry {
    pub(crate) fn new(id: &str, info: &ModelInfo) -> Self {
        ModelEntry {
            id: id.to_owned(),
            object: "model",
            created: 0,
            owned_by: "talon",
            max_model_len: info.context_len,
        }
    }
}
