//! Finds the smallest part of a schema that cannot be compiled, so that the error can name it.

use serde_json::{Map, Value};

use super::lark;

/// Keywords whose value is a map of names to schemas.
const MAPS: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["prefixItems", "anyOf", "oneOf", "allOf"];
/// Keywords whose value is a schema.
const SINGLES: [&str; 2] = ["items", "additionalProperties"];

/// Bytes of grammars that are compiled in search of one mistake: enough for hundreds of usual parts, and a bound on the
/// time.
const BUDGET: usize = 1 << 20;
/// What compiling the smallest part costs, in bytes of grammar.
const LEAST_COST: usize = 4 << 10;

/// JSON pointer and message of the deepest part for which `compile` fails; `None` if it does not fail.
pub(super) fn find(schema: &Value, compile: &dyn Fn(String) -> Result<(), String>) -> Option<(String, String)> {
    let definitions: Map<String, Value> = ["$defs", "definitions"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), schema.get(key)?.clone())))
        .collect();
    Search { definitions, compile, left: BUDGET }.descend(schema, String::new())
}

struct Search<'a> {
    definitions: Map<String, Value>,
    compile: &'a dyn Fn(String) -> Result<(), String>,
    /// Of the budget. Once it is spent, the part is named that was found last.
    left: usize,
}

impl Search<'_> {
    fn descend(&mut self, schema: &Value, pointer: String) -> Option<(String, String)> {
        let mut whole = schema.clone();
        if let Value::Object(entries) = &mut whole {
            // A part may refer to the definitions of the whole.
            for (key, value) in &self.definitions {
                entries.entry(key).or_insert_with(|| value.clone());
            }
        }
        let text = lark::of_schema(&whole);
        self.left = self.left.checked_sub(text.len() + LEAST_COST)?;
        let message = (self.compile)(text).err()?;
        let deeper = children(schema).into_iter().find_map(|(step, child)| {
            let pointer = format!("{pointer}/{step}");
            self.descend(child, pointer)
        });
        Some(deeper.unwrap_or((pointer, message)))
    }
}

fn children(schema: &Value) -> Vec<(String, &Value)> {
    let mut children = Vec::new();
    for keyword in MAPS {
        let entries = schema.get(keyword).and_then(Value::as_object).into_iter().flatten();
        children.extend(entries.map(|(name, child)| (format!("{keyword}/{}", escape(name)), child)));
    }
    for keyword in LISTS {
        let items = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
        children.extend(items.enumerate().map(|(index, child)| (format!("{keyword}/{index}"), child)));
    }
    for keyword in SINGLES {
        children.extend(schema.get(keyword).map(|child| (keyword.to_owned(), child)));
    }
    children
}

/// A name as a JSON pointer has it.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
