//! Finds the smallest part of a schema that cannot be compiled, so that the error can name it.

use serde_json::{Map, Value};

/// Keywords whose value is a map of names to schemas.
const MAPS: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["prefixItems", "anyOf", "oneOf", "allOf"];
/// Keywords whose value is a schema.
const SINGLES: [&str; 2] = ["items", "additionalProperties"];

/// JSON pointer and message of the deepest part for which `compile` fails; `None` if it does not fail.
pub(super) fn find(schema: &Value, compile: &dyn Fn(&Value) -> Result<(), String>) -> Option<(String, String)> {
    let definitions: Map<String, Value> = ["$defs", "definitions"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), schema.get(key)?.clone())))
        .collect();
    descend(schema, &definitions, String::new(), compile)
}

fn descend(
    schema: &Value,
    definitions: &Map<String, Value>,
    pointer: String,
    compile: &dyn Fn(&Value) -> Result<(), String>,
) -> Option<(String, String)> {
    let mut whole = schema.clone();
    if let Value::Object(entries) = &mut whole {
        // A part may refer to the definitions of the whole.
        for (key, value) in definitions {
            entries.entry(key).or_insert_with(|| value.clone());
        }
    }
    let message = compile(&whole).err()?;
    let deeper = children(schema).into_iter().find_map(|(step, child)| {
        let pointer = format!("{pointer}/{step}");
        descend(child, definitions, pointer, compile)
    });
    Some(deeper.unwrap_or((pointer, message)))
}

fn children(schema: &Value) -> Vec<(String, &Value)> {
    let mut children = Vec::new();
    for keyword in MAPS {
        let entries = schema.get(keyword).and_then(Value::as_object).into_iter().flatten();
        children.extend(entries.map(|(name, child)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            (format!("{keyword}/{name}"), child)
        }));
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
