//! The tools over HTTP: what each takes, and who does it.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::Server;
use crate::document::{DocumentInput, Parsed, read};
use crate::problem::Problem;
use crate::table::{Figures, figures};
use crate::unusable::Unusable;
use crate::validate::{Verdict, validate as check};

type Body = Result<Bytes, BytesRejection>;

#[derive(Deserialize)]
struct ParseRequest {
    document: DocumentInput,
}

/// `POST /parse`
pub(crate) async fn parse(State(server): State<Server>, body: Body) -> Result<Json<Parsed>, Problem> {
    let ParseRequest { document } = server.json(body).await?;
    server.read(document, Ok).await.map(Json)
}

#[derive(Deserialize)]
struct ValidateRequest {
    data: Value,
    schema: Value,
}

/// `POST /validate`
pub(crate) async fn validate(State(server): State<Server>, body: Body) -> Result<Json<Verdict>, Problem> {
    let ValidateRequest { data, schema } = server.json(body).await?;
    // A pattern can take long on a long text: not on the thread that serves others.
    let verdict = server.readers.run(move |_| Ok(check(&data, &schema))).await?;
    verdict.map(Json)
}

#[derive(Deserialize)]
struct TableRequest {
    document: Option<DocumentInput>,
    table: Option<String>,
    column: Option<String>,
}

/// `POST /table`
pub(crate) async fn table(State(server): State<Server>, body: Body) -> Result<Json<Figures>, Problem> {
    let TableRequest { document, table, column } = server.json(body).await?;
    let outcome = match (document, table) {
        (Some(document), None) => {
            server.read(document, move |parsed| Ok(figures(&parsed.text, column.as_deref()))).await?
        }
        (None, Some(text)) => server.readers.run(move |_| Ok(figures(&text, column.as_deref()))).await?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::bad_request("bad_arguments", "give either `document` or `table`"));
        }
    };
    outcome.map(Json)
}

/// `GET /healthz`
pub(crate) async fn healthz() -> impl IntoResponse {
    (StatusCode::OK, Json(json!({"status": "ok"})))
}

/// `GET /`: the tools, in the form that agent files have.
pub(crate) async fn list() -> Json<Value> {
    let document = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "media_type": {"type": "string"},
            "content_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "required": ["content_base64"],
    });
    Json(json!({"tools": [
        {
            "path": "/parse",
            "description": "Read a PDF or text document and return its text.",
            "parameters": {"type": "object", "properties": {"document": document}, "required": ["document"]},
        },
        {
            "path": "/validate",
            "description": "Check a record against a JSON schema.",
            "parameters": {
                "type": "object",
                "properties": {"data": {}, "schema": {"type": ["object", "boolean"]}},
                "required": ["data", "schema"],
            },
        },
        {
            "path": "/table",
            "description": "Compute the figures of the first table in a document or a text.",
            "parameters": {
                "type": "object",
                "properties": {"document": document, "table": {"type": "string"}, "column": {"type": "string"}},
                "oneOf": [{"required": ["document"]}, {"required": ["table"]}],
            },
        },
    ]}))
}

impl Server {
    async fn json<T: DeserializeOwned + Send + 'static>(&self, body: Body) -> Result<T, Problem> {
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(self.options.max_body_bytes),
            _ => Problem::bad_request("bad_request", "the request's body ended early"),
        })?;
        // A large body takes long to read: not on the thread that serves others.
        let parsed = spawn_blocking(move || serde_json::from_slice(&body)).await.map_err(|_| Problem::internal())?;
        parsed.map_err(|error| Problem::bad_request("bad_arguments", error.to_string()))
    }

    async fn read<T: Send + 'static>(
        &self,
        document: DocumentInput,
        then: impl FnOnce(Parsed) -> Result<T, Unusable> + Send + 'static,
    ) -> Result<T, Problem> {
        let options = self.options.clone();
        let outcome = self.readers.run(move |deadline| {
            let bytes = match document.bytes() {
                Ok(bytes) => bytes,
                Err(problem) => return Ok(Err(problem)),
            };
            tracing::debug!(id = %document.id, name = %document.name, bytes = bytes.len(), "reading a document");
            then(read(&bytes, document.claims_pdf(), &options, deadline)?).map(Ok)
        });
        outcome.await?
    }
}
