//! `POST /tokenize`.

use axum::Json;
use axum::extract::State;

use crate::Served;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::request::TokenizeRequest;
use crate::response::TokenizeResponse;

/// Make tokens of a text or a conversation.
#[utoipa::path(post, path = "/tokenize", operation_id = "tokenize", tag = "models", request_body = TokenizeRequest,
    responses(
        (status = 200, body = TokenizeResponse, description = "The tokens"),
        (status = 400, description = "The request is at fault, at `param`"),
        (status = 404, description = "No such model"),
        (status = 408, description = "The body did not come in time"),
        (status = 413, description = "The body is too large")
    ))]
pub(crate) async fn tokenize(State(served): State<Served>, body: Body) -> Result<Json<TokenizeResponse>, Refusal> {
    let request: TokenizeRequest = body.read()?;
    let model = served.model_or_only(request.model.as_deref())?.clone();
    let asked = request.check()?;
    // A long text takes longer than an executor's thread should be held.
    let answer = tokio::task::spawn_blocking(move || {
        asked.tokens(&model).map(|tokens| TokenizeResponse::new(&tokens, model.info().context_len))
    });
    answer.await.map_err(|error| Refusal::defect(&error))?.map(Json)
}
