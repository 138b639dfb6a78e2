//! A request's body: a JSON object, read in time and within the limit.

use axum::extract::{FromRequest, Request};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fields::fields_of;
use crate::refusal::Refusal;
use crate::{Served, json};

/// The largest body: more text than any context holds.
pub(crate) const MAX_BODY_BYTES: usize = 8 << 20;
/// Of a larger one, so much is read before it is refused: who is still sending would miss the answer.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

/// The fields of a body. One that is null is as one that is left out: clients send both.
pub(crate) struct Body(Value);

impl Body {
    /// All fields as one `T`; what it does not read is refused by name.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        self.refuse_all_but(&[fields_of::<T>()])?;
        json::read(&self.0)
    }

    /// The fields of two structs side by side; what neither reads is refused by name.
    pub(crate) fn read_both<A: DeserializeOwned, B: DeserializeOwned>(self) -> Result<(A, B), Refusal> {
        self.refuse_all_but(&[fields_of::<A>(), fields_of::<B>()])?;
        Ok((json::read(&self.0)?, json::read(&self.0)?))
    }

    fn refuse_all_but(&self, known: &[&[&str]]) -> Result<(), Refusal> {
        let is_known = |name: &String| known.iter().any(|names| names.contains(&name.as_str()));
        match self.0.as_object().into_iter().flat_map(Map::keys).find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!("`{name}` is not supported; leave it out (/openapi.json says what is)");
                Err(Refusal::invalid(name, "unknown_parameter", message))
            }
        }
    }
}

impl TryFrom<Value> for Body {
    type Error = Refusal;

    fn try_from(value: Value) -> Result<Self, Refusal> {
        let Value::Object(mut fields) = value else {
            return Err(Refusal::bad("invalid_value", "the body is JSON, but no object; send one"));
        };
        drop_nulls(&mut fields);
        // Clients send answers back with a null for all that they lack.
        let messages = fields.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten();
        messages.filter_map(Value::as_object_mut).for_each(drop_nulls);
        Ok(Body(Value::Object(fields)))
    }
}

fn drop_nulls(object: &mut Map<String, Value>) {
    object.retain(|_, value| !value.is_null());
}

impl FromRequest<Served> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, served: &Served) -> Result<Self, Refusal> {
        let patience = served.options.request_timeout;
        let bytes = tokio::time::timeout(patience, bytes(request)).await;
        json::parse(&bytes.map_err(|_| Refusal::slow_body(patience))??)?.try_into()
    }
}

async fn bytes(request: Request) -> Result<Vec<u8>, Refusal> {
    let mut chunks = request.into_body().into_data_stream();
    let (mut bytes, mut num_bytes) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|error| Refusal::unreadable(format!("the body broke off: {error}; send it again")))?;
        num_bytes += chunk.len();
        if num_bytes <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if num_bytes > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if num_bytes > MAX_BODY_BYTES { Err(Refusal::large_body()) } else { Ok(bytes) }
}
