//! `POST /detokenize`.

use axum::Json;
use axum::extract::State;

use crate::Served;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::request::DetokenizeRequest;
use crate::response::DetokenizeResponse;

/// Make a text of tokens. Control tokens have none.
#[utoipa::path(post, path = "/detokenize", operation_id = "detokenize", tag = "models", request_body = DetokenizeRequest,
    responses(
        (status = 200, body = DetokenizeResponse, description = "The text"),
        (status = 400, description = "The request is at fault, at `param`"),
        (status = 404, description = "No such model"),
        (status = 408, description = "The body did not come in time"),
        (status = 413, description = "The body is too large")
    ))]
pub(crate) async fn detokenize(State(served): State<Served>, body: Body) -> Result<Json<DetokenizeResponse>, Refusal> {
    let request: DetokenizeRequest = body.read()?;
    let model = served.model_or_only(request.model.as_deref())?;
    let tokenizer = model.tokenizer();
    let text = tokenizer.decode(&request.check(model.info().vocab_size)?);
    // The space that the tokenizer puts in front of a text is none of the text's.
    let puts_space = tokenizer.decode(&tokenizer.encode_text("x")).starts_with(' ');
    let prompt = text.strip_prefix(' ').filter(|_| puts_space).unwrap_or(&text).to_owned();
    Ok(Json(DetokenizeResponse { prompt }))
}
