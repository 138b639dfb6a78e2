//! `/v1/keys`: who may ask.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::NewApiKey;
use types::{ApiKeyId, Timestamp};

use super::reject::{Body, Id};
use crate::caller::Admin;
use crate::dto::{CreateKey, CreatedKey, KeyView};
use crate::key::KeySecret;
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_NAME_CHARS: usize = 100;

/// List the keys of all teams, the oldest first; revoked and expired ones too. Needs the role admin.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "access",
    responses((status = 200, body = Vec<KeyView>, description = "All of them, without their text")))]
pub(crate) async fn list(State(state): State<ApiState>, _: Admin) -> Result<Json<Vec<KeyView>>, Problem> {
    let keys = state.store.keys().await?;
    Ok(Json(keys.into_iter().map(KeyView::from).collect()))
}

/// Make a key. The answer is the only place where it can be read. Needs the role admin.
#[utoipa::path(post, path = "/v1/keys", operation_id = "create_key", tag = "access", request_body = CreateKey,
    responses(
        (status = 201, body = CreatedKey, description = "It is good from now on", headers(("Cache-Control" = String))),
        (status = 400, description = "The JSON cannot be read"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The name or the expiry cannot be used")
    ))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    Admin(caller): Admin,
    Body(request): Body<CreateKey>,
) -> Result<Response, Problem> {
    let name = request.name.trim();
    if name.is_empty() || MAX_NAME_CHARS < name.chars().count() || name.chars().any(char::is_control) {
        let detail = format!("the name must have 1 to {MAX_NAME_CHARS} printable characters; say what the key is for");
        return Err(Problem::unprocessable("bad_name", detail));
    }
    if let Some(expiry) = request.expires_at
        && expiry <= Timestamp::now()
    {
        let detail = format!("expires_at is {expiry}, which has passed; leave it out for a key that does not expire");
        return Err(Problem::unprocessable("bad_expiry", detail));
    }
    let secret = KeySecret::random();
    let key = NewApiKey {
        id: ApiKeyId::random(),
        team: request.team.unwrap_or(caller.team),
        role: request.role,
        name: name.to_owned(),
        sha256: secret.digest(),
        expires_at: request.expires_at,
    };
    let view = state.store.create_key(key, &caller.actor).await?.into();
    let created = CreatedKey { key: secret.as_str().to_owned(), view };
    let unkept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, unkept, Json(created)).into_response())
}

/// Revoke a key: at once in this process, within seconds in others. Again: nothing changes. Needs the role admin.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key", tag = "access",
    params(("id" = ApiKeyId, Path, description = "Its id, not the key itself")),
    responses((status = 200, body = KeyView, description = "It is revoked"), (status = 404, description = "No such key")))]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    Admin(caller): Admin,
    Id(id): Id<ApiKeyId>,
) -> Result<Json<KeyView>, Problem> {
    let revoked = state.store.revoke_key(&id, &caller.actor).await?;
    state.runtime.keys.forget(&id);
    revoked.map(|key| Json(key.into())).ok_or_else(|| Problem::not_found("key", id))
}
