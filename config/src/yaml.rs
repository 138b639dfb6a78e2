//! YAML as a tree whose every node knows its place. Keys may not repeat; anchors and aliases are resolved.

use std::collections::BTreeMap;

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScanError, StrInput, Tag};
use serde_json::{Map, Number, Value};

use crate::secrets;
use crate::source::{Report, Span};

/// Deeper nesting is refused: nothing that we read needs it.
const MAX_DEPTH: usize = 64;
/// Nodes that all aliases of one file may stand for, so that a few lines cannot fill the memory.
const MAX_ALIASED_NODES: usize = 10_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// What stands in a node.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// The only document of the source. `None` when there is none to speak of; then the report says why.
    pub(crate) fn parse(report: &mut Report<'_>) -> Option<Node> {
        let parser = Parser::new_from_str(&report.source().text);
        let mut builder = Builder { parser, anchors: BTreeMap::new(), aliased: 0 };
        match builder.document(report) {
            Ok(node) => node,
            Err(error) => {
                let span = within_text(report, *error.marker());
                report.error(span, format!("this is not YAML: {}", error.info()), syntax_hint(report, span));
                None
            }
        }
    }

    /// A single value, as in an environment variable.
    pub(crate) fn scalar(text: &str) -> Node {
        Node { span: Span::new(1, 1, text.chars().count()), data: Scalar::parse_from_cow(text.into()).into() }
    }

    /// The entry of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The node that a JSON pointer leads to, or the last one on the way that exists.
    pub(crate) fn at_pointer(&self, pointer: &str) -> &Node {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.data {
                Data::Map(_) => node.get(&segment).map(|entry| &entry.value),
                Data::List(items) => segment.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { return node };
            node = next;
        }
        node
    }

    /// The same value in JSON; what JSON cannot say (infinity, not a number) becomes null.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Int(value) => Value::from(*value),
            Data::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Data::Text(value) => Value::String(value.clone()),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// What stands here, in words.
    pub(crate) fn found(&self) -> String {
        match &self.data {
            Data::Null => "nothing".to_owned(),
            Data::Bool(value) => value.to_string(),
            Data::Int(value) => format!("the number {value}"),
            Data::Float(value) => format!("the number {value}"),
            Data::Text(text) => {
                let line = secrets::mask(text.lines().next().unwrap_or_default());
                let short: String = line.chars().take(60).collect();
                if short.len() < text.len() {
                    format!("the text {:?}…", short)
                } else {
                    format!("the text {short:?}")
                }
            }
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a mapping".to_owned(),
        }
    }

    fn count(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Node::count).sum(),
            Data::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Text(_) => 0,
        }
    }
}

impl From<Scalar<'_>> for Data {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Data::Null,
            Scalar::Boolean(value) => Data::Bool(value),
            Scalar::Integer(value) => Data::Int(value),
            Scalar::FloatingPoint(value) => Data::Float(value.into_inner()),
            Scalar::String(text) => Data::Text(text.into_owned()),
        }
    }
}

/// Turns the parser's events into nodes.
struct Builder<'s> {
    parser: Parser<'s, StrInput<'s>>,
    anchors: BTreeMap<usize, Node>,
    aliased: usize,
}

impl<'s> Builder<'s> {
    fn next(&mut self) -> Result<(Event<'s>, Span), ScanError> {
        match self.parser.next_event() {
            Some(event) => event.map(|(event, span)| (event, place(span))),
            None => Ok((Event::StreamEnd, Span::new(1, 1, 1))),
        }
    }

    fn document(&mut self, report: &mut Report<'_>) -> Result<Option<Node>, ScanError> {
        let mut document = None;
        loop {
            match self.next()? {
                (Event::DocumentStart(_), _) if document.is_none() => {
                    let (event, span) = self.next()?;
                    document = Some(self.node(event, span, 0, report)?);
                }
                (Event::DocumentStart(_), span) => {
                    report.error(span, "a second document begins here", "put each document into a file of its own");
                    return Ok(None);
                }
                (Event::StreamEnd, _) => {
                    if document.is_none() {
                        report.error(Span::new(1, 1, 1), "the file is empty", "");
                    }
                    return Ok(document);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'s>, span: Span, depth: usize, report: &mut Report<'_>) -> Result<Node, ScanError> {
        let (anchor, tag, data) = match event {
            Event::Alias(id) => return Ok(self.alias(id, span, report)),
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref());
                if scalar.is_none() {
                    report.error(span, "the value is not of the type that its tag names", "remove the tag");
                }
                (anchor, tag, scalar.map_or(Data::Null, Data::from))
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag, Data::List(self.list(depth + 1, span, report)?)),
            Event::MappingStart(anchor, tag) => (anchor, tag, Data::Map(self.map(depth + 1, span, report)?)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (0, None, Data::Null),
        };
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            refuse_tag(&tag, span, report);
        }
        let node = Node { span: first_key(&data).unwrap_or(span), data };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize, span: Span, report: &mut Report<'_>) -> Result<Vec<Node>, ScanError> {
        check_depth(depth, span)?;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth, report)?),
            }
        }
    }

    fn map(&mut self, depth: usize, span: Span, report: &mut Report<'_>) -> Result<Vec<Entry>, ScanError> {
        check_depth(depth, span)?;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(entries),
                (Event::Scalar(text, ..), span) => (text.into_owned(), span),
                (event, span) => {
                    self.node(event, span, depth, report)?;
                    report.error(span, "a key must be a plain text", "");
                    (String::new(), span)
                }
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth, report)?;
            // A value that is not there has no place of its own.
            let value = if matches!(value.data, Data::Null) { Node { span: key_span, ..value } } else { value };
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let line = first.key_span.start.line;
                    let message = format!("the key {key:?} stands here twice; it is first on line {line}");
                    report.error(key_span, message, "remove one of the two");
                }
                None => entries.push(Entry { key, key_span, value }),
            }
        }
    }

    fn alias(&mut self, id: usize, span: Span, report: &mut Report<'_>) -> Node {
        let Some(node) = self.anchors.get(&id) else {
            report.error(span, "the alias stands inside the value that it names", "");
            return Node { span, data: Data::Null };
        };
        self.aliased += node.count();
        if MAX_ALIASED_NODES < self.aliased {
            let message = format!("the aliases of this file stand for more than {MAX_ALIASED_NODES} values");
            report.error(span, message, "");
            return Node { span, data: Data::Null };
        }
        Node { span, ..node.clone() }
    }
}

fn place(span: saphyr_parser::Span) -> Span {
    let (start, end) = (span.start, span.end);
    let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { usize::MAX };
    Span::new(start.line().max(1), start.col() + 1, width.max(1))
}

/// Where the parser stopped; behind the last character when that is after the end.
fn within_text(report: &Report<'_>, marker: saphyr_parser::Marker) -> Span {
    let text = &report.source().text;
    match text.lines().count() {
        lines if lines < marker.line() => {
            let last = text.lines().last().unwrap_or_default();
            Span::new(lines.max(1), last.chars().count() + 1, 1)
        }
        _ => Span::new(marker.line().max(1), marker.col() + 1, 1),
    }
}

/// A mapping is pointed at by its first key, or by its brace.
fn first_key(data: &Data) -> Option<Span> {
    match data {
        Data::Map(entries) => entries.first().map(|entry| entry.key_span),
        _ => None,
    }
}

fn check_depth(depth: usize, span: Span) -> Result<(), ScanError> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    let marker = saphyr_parser::Marker::new(0, span.start.line, span.start.column - 1);
    Err(ScanError::new(marker, format!("values are nested more than {MAX_DEPTH} deep")))
}

fn refuse_tag(tag: &Tag, span: Span, report: &mut Report<'_>) {
    report.error(span, format!("the tag {tag} has no meaning here"), "remove the tag");
}

fn syntax_hint(report: &Report<'_>, span: Span) -> &'static str {
    let line = report.source().text.lines().nth(span.start.line - 1).unwrap_or_default();
    if line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces; YAML does not allow tabs"
    } else {
        "look at the indentation, the quotes and the colons of this line and the one before"
    }
}
