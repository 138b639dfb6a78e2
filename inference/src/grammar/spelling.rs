//! How calls are spelled: `[{"name": "x", "arguments": {…}, "id": "…"}, …]`, as Python's `json.dumps` does.

pub(crate) const OPEN: &str = "[";
pub(crate) const BEFORE_NAME: &str = "{\"name\": ";
pub(crate) const BEFORE_ARGUMENTS: &str = ", \"arguments\": ";
pub(crate) const BEFORE_ID: &str = ", \"id\": ";
pub(crate) const ID: &str = "\"000000000\"";
pub(crate) const TAIL: &str = "}";
pub(crate) const BETWEEN: &str = ", ";
pub(crate) const CLOSE: &str = "]";
