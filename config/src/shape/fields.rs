//! Mappings with known keys: a function asks for one key after another, and so declares them.

use serde_json::{Map, Value, json};

use super::{Shape, Show, wrong_type};
use crate::nearest::nearest;
use crate::source::{Report, Span};
use crate::yaml::{Data, Entry, Node};

/// A mapping whose keys are those that the function asks for.
pub(crate) struct Object<F>(F);

/// A mapping whose keys are those that `build` asks for; every other key is a mistake.
pub(crate) fn object<T, F: Fn(&mut Fields<'_, '_>) -> Option<T>>(build: F) -> Object<F> {
    Object(build)
}

impl<T, F: Fn(&mut Fields<'_, '_>) -> Option<T>> Shape for Object<F> {
    type Out = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let Data::Map(entries) = &node.data else {
            let schema = self.schema();
            let keys = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            let hint = format!("its keys are {}", keys.collect::<Vec<_>>().join(", "));
            wrong_type(node, "a mapping", hint, report);
            return None;
        };
        let mut fields = Fields { mode: Mode::Read { node, entries, report }, known: Vec::new(), missing: Vec::new() };
        let value = (self.0)(&mut fields);
        fields.close();
        value
    }

    fn schema(&self) -> Value {
        let mut description = Description::default();
        let mut fields = Fields { mode: Mode::Describe(&mut description), known: Vec::new(), missing: Vec::new() };
        // Built without values: only the questions count.
        let _ = (self.0)(&mut fields);
        let mut schema = json!({
            "type": "object",
            "properties": description.properties,
            "additionalProperties": false,
        });
        if !description.required.is_empty() {
            schema["required"] = json!(description.required);
        }
        schema
    }
}

/// The keys of one mapping, while it is read or described.
pub(crate) struct Fields<'a, 's> {
    mode: Mode<'a, 's>,
    known: Vec<&'static str>,
    /// Required keys that the file does not have, with what to say about them.
    missing: Vec<(&'static str, String)>,
}

enum Mode<'a, 's> {
    Read { node: &'a Node, entries: &'a [Entry], report: &'a mut Report<'s> },
    Describe(&'a mut Description),
}

#[derive(Default)]
struct Description {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Fields<'_, '_> {
    /// A key that must be there. `None` when it is not, or not right; both are reported.
    pub(crate) fn required<S: Shape>(&mut self, key: &'static str, about: &str, shape: S) -> Option<S::Out> {
        let value = self.ask(key, about, None, &shape);
        match &mut self.mode {
            Mode::Read { node, .. } if node.get(key).is_none() => self.missing.push((key, about.to_owned())),
            Mode::Read { .. } => {}
            Mode::Describe(description) => description.required.push(key),
        }
        value
    }

    /// A key that may be there. `None` when it is not, or not right; only the latter is reported.
    pub(crate) fn optional<S: Shape>(&mut self, key: &'static str, about: &str, shape: S) -> Option<S::Out> {
        self.ask(key, about, None, &shape)
    }

    /// A key with a default.
    pub(crate) fn or<S: Show>(&mut self, key: &'static str, about: &str, shape: S, default: S::Out) -> S::Out {
        let shown = shape.show(&default);
        self.ask(key, about, Some(shown), &shape).unwrap_or(default)
    }

    /// A key that similar systems have and this one has not: it is refused with the reason.
    pub(crate) fn unsupported(&mut self, key: &'static str, about: &str, instead: &str) {
        if let Mode::Read { entries, report, .. } = &mut self.mode
            && let Some(entry) = entries.iter().find(|entry| entry.key == key)
        {
            self.known.push(key);
            let message = format!("{}.{key} is not supported by this version: {about}", report.path());
            report.error(entry.key_span, message, instead);
        }
    }

    /// Reports an error at the value of `key`, or at the mapping when the key is absent.
    pub(crate) fn error(&mut self, key: &str, message: impl FnOnce(&str) -> String, hint: impl Into<String>) {
        let span = self.span(key);
        let message = message(&self.path());
        self.error_at(span, message, hint);
    }

    /// Reports an error at a place inside the mapping.
    pub(crate) fn error_at(&mut self, span: Option<Span>, message: String, hint: impl Into<String>) {
        if let (Mode::Read { report, .. }, Some(span)) = (&mut self.mode, span) {
            report.error(span, message, hint);
        }
    }

    /// Reports a warning at the value of `key`, or at the mapping when the key is absent.
    pub(crate) fn warning(&mut self, key: &str, message: impl FnOnce(&str) -> String, hint: impl Into<String>) {
        let span = self.span(key);
        let message = message(&self.path());
        if let (Mode::Read { report, .. }, Some(span)) = (&mut self.mode, span) {
            report.warning(span, message, hint);
        }
    }

    fn path(&self) -> String {
        match &self.mode {
            Mode::Read { report, .. } => report.path(),
            Mode::Describe(_) => String::new(),
        }
    }

    /// Whether the file has the key.
    pub(crate) fn has(&self, key: &str) -> bool {
        matches!(&self.mode, Mode::Read { node, .. } if node.get(key).is_some())
    }

    /// The node of a key, for checks that need places inside it.
    pub(crate) fn node(&self, key: &str) -> Option<&Node> {
        match &self.mode {
            Mode::Read { node, .. } => node.get(key).map(|entry| &entry.value),
            Mode::Describe(_) => None,
        }
    }

    fn span(&self, key: &str) -> Option<Span> {
        match &self.mode {
            Mode::Read { node, .. } => Some(node.get(key).map_or(node.span, |entry| entry.value.span)),
            Mode::Describe(_) => None,
        }
    }

    fn ask<S: Shape>(&mut self, key: &'static str, about: &str, default: Option<Value>, shape: &S) -> Option<S::Out> {
        self.known.push(key);
        match &mut self.mode {
            Mode::Read { entries, report, .. } => {
                let entry = entries.iter().find(|entry| entry.key == key)?;
                report.within(key, |report| shape.read(&entry.value, report))
            }
            Mode::Describe(description) => {
                let mut schema = shape.schema();
                schema["description"] = json!(about);
                if let Some(default) = default {
                    schema["default"] = default;
                }
                description.properties.insert(key.to_owned(), schema);
                None
            }
        }
    }

    /// Reports unknown keys, and the missing ones that no unknown key was meant to be.
    fn close(mut self) {
        let Mode::Read { node, entries, report } = self.mode else { return };
        for entry in entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let unused = self.known.iter().copied().filter(|key| node.get(key).is_none());
            let hint = match nearest(&entry.key, unused) {
                Some(key) => {
                    self.missing.retain(|(missing, _)| *missing != key);
                    format!("did you mean {key}?")
                }
                None if entry.key == "<<" => "merge keys are not part of YAML 1.2; name the whole value with an \
                                              alias, or repeat the keys"
                    .to_owned(),
                None => format!("known keys are {}", self.known.join(", ")),
            };
            report.error(entry.key_span, format!("{} has no key {:?}", report.path(), entry.key), hint);
        }
        for (key, about) in self.missing {
            let message = format!("{} lacks the key {key:?}", report.path());
            report.error(node.span, message, format!("add \"{key}:\" beside this key: {about}"));
        }
    }
}
