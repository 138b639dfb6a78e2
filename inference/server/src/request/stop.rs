//! `stop`: one text, or up to four.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::refusal::Refusal;

const MAX_STOPS: usize = 4;
/// An answer is held back while it may still become a stop text, so a long one would hold back much.
const MAX_STOP_BYTES: usize = 1024;

/// A text or several, 4 at most, of at most 1,024 bytes each.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(crate) enum Stop {
    One(String),
    Some(Vec<String>),
}

impl Stop {
    pub(crate) fn check(self) -> Result<Vec<String>, Refusal> {
        let texts = match self {
            Stop::One(text) => vec![text],
            Stop::Some(texts) => texts,
        };
        let refuse = |message| Err(Refusal::invalid("stop", "invalid_value", message));
        if texts.len() > MAX_STOPS {
            return refuse(format!("stop has {} texts but at most {MAX_STOPS} are taken", texts.len()));
        }
        match texts.iter().find(|text| text.is_empty() || text.len() > MAX_STOP_BYTES) {
            None => Ok(texts),
            Some(text) => refuse(format!("a stop text has {} bytes but must have 1 to {MAX_STOP_BYTES}", text.len())),
        }
    }
}
