//! Where `format: verbatim` may stand in a JSON Schema: only where it can be enforced while the model writes.

use crate::source::Report;
use crate::yaml::{Data, Entry, Node};

/// Keywords that say nothing about the value.
const NOTES: [&str; 7] = ["$comment", "$defs", "$schema", "default", "definitions", "description", "title"];
const OF_STRINGS: [&str; 2] = ["format", "type"];
const OF_OBJECTS: [&str; 4] = ["additionalProperties", "properties", "required", "type"];
const OF_LISTS: [&str; 4] = ["items", "maxItems", "minItems", "type"];
/// Keywords whose value is data.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// Reports every verbatim string that cannot be enforced.
pub(crate) fn check(schema: &Node, report: &mut Report<'_>) {
    walk(schema, None, report);
}

/// `obstacle` is the keyword on the way that the decoder does not combine with verbatim strings.
fn walk(node: &Node, obstacle: Option<&str>, report: &mut Report<'_>) {
    let entries = match &node.data {
        Data::Map(entries) => entries,
        Data::List(items) => return items.iter().for_each(|item| walk(item, obstacle, report)),
        _ => return,
    };
    if let Some(format) = node.get("format").filter(|format| is_text(&format.value, "verbatim")) {
        check_string(node, format, entries, obstacle, report);
    }
    for entry in entries.iter().filter(|entry| !DATA.contains(&entry.key.as_str())) {
        match (&entry.value.data, entry.key.as_str()) {
            (Data::Map(properties), "properties") => {
                let obstacle = obstacle.or_else(|| first_beside(entries, &OF_OBJECTS));
                properties.iter().for_each(|property| walk(&property.value, obstacle, report));
            }
            (Data::Map(_), "items") => {
                walk(&entry.value, obstacle.or_else(|| first_beside(entries, &OF_LISTS)), report);
            }
            (_, keyword) => walk(&entry.value, obstacle.or(Some(keyword)), report),
        }
    }
}

fn check_string(node: &Node, format: &Entry, entries: &[Entry], obstacle: Option<&str>, report: &mut Report<'_>) {
    let path = report.path();
    if let Some(keyword) = obstacle {
        let message = format!("{path}: format: verbatim cannot be enforced together with {keyword:?} around it");
        let hint = "it may stand in properties and items of plain objects and lists";
        report.error(format.value.span, message, hint);
    }
    let kind = node.get("type");
    if !kind.is_some_and(|kind| is_string(&kind.value)) {
        let span = kind.map_or(format.value.span, |kind| kind.value.span);
        let hint = "write \"type: string\", or \"type: [string, \"null\"]\" where it may be missing";
        report.error(span, format!("{path}: format: verbatim needs the type string"), hint);
    }
    for beside in entries.iter().filter(|entry| !is_among(&entry.key, &OF_STRINGS)) {
        let message = format!("{path}: {:?} cannot be enforced together with format: verbatim", beside.key);
        report.error(beside.key_span, message, "leave out one of the two");
    }
}

/// `string`, or a list of it and `null`.
fn is_string(kind: &Node) -> bool {
    match &kind.data {
        Data::List(kinds) => {
            kinds.iter().any(|kind| is_text(kind, "string"))
                && kinds.iter().all(|kind| is_text(kind, "string") || is_text(kind, "null"))
        }
        _ => is_text(kind, "string"),
    }
}

fn is_text(node: &Node, text: &str) -> bool {
    matches!(&node.data, Data::Text(given) if given == text)
}

fn is_among(key: &str, keywords: &[&str]) -> bool {
    keywords.contains(&key) || NOTES.contains(&key)
}

fn first_beside<'a>(entries: &'a [Entry], keywords: &[&str]) -> Option<&'a str> {
    entries.iter().map(|entry| entry.key.as_str()).find(|key| !is_among(key, keywords))
}
