//! From YAML's events to nodes. Keys may not repeat; anchors and aliases are resolved, within bounds.

use std::collections::BTreeMap;

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScanError, StrInput};

use super::{Data, Entry, Node};
use crate::source::{Report, Span};

/// Deeper nesting is refused: nothing that we read needs it.
const MAX_DEPTH: usize = 64;
/// Nodes that all aliases of one file may stand for, so that a few lines cannot fill the memory.
const MAX_ALIASED_NODES: usize = 10_000;

impl Node {
    /// The only document of the source. `None` when there is none to speak of; then the report says why.
    pub(crate) fn parse(report: &mut Report<'_>) -> Option<Node> {
        let parser = Parser::new_from_str(&report.source().text);
        let mut builder = Builder { parser, anchors: BTreeMap::new(), aliased: 0 };
        match builder.document(report) {
            Ok(node) => node,
            Err(error) => {
                let span = within_text(report, *error.marker());
                report.error(
                    span,
                    format!("this is not YAML: {}", error.info()),
                    syntax_hint(error.info(), report, span),
                );
                None
            }
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
                    return Ok(document);
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
                (anchor, tag, scalar.map_or(Data::Broken, Data::from))
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
            report.error(span, format!("the tag {tag} has no meaning here"), "remove the tag");
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
                (Event::Scalar(text, ..), span) => (Some(text.into_owned()), span),
                (event, span) => {
                    self.node(event, span, depth, report)?;
                    report.error(span, "a key must be a text", "");
                    (None, span)
                }
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth, report)?;
            let Some(key) = key else { continue };
            // A value that is not there has no place of its own.
            let value = if matches!(value.data, Data::Null) { Node { span: key_span, ..value } } else { value };
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let line = first.key_span.start.line;
                    let message = format!("the key {key:?} is already on line {line}");
                    report.error(key_span, message, "remove one of the two");
                }
                None => entries.push(Entry { key, key_span, value }),
            }
        }
    }

    fn alias(&mut self, id: usize, span: Span, report: &mut Report<'_>) -> Node {
        let Some(node) = self.anchors.get(&id) else {
            report.error(span, "the alias stands inside the value that it names", "");
            return Node { span, data: Data::Broken };
        };
        self.aliased += node.count();
        if MAX_ALIASED_NODES < self.aliased {
            let message = format!("the aliases of this file stand for more than {MAX_ALIASED_NODES} values");
            report.error(span, message, "");
            return Node { span, data: Data::Broken };
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
fn within_text(report: &Report<'_>, marker: Marker) -> Span {
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
    let marker = Marker::new(0, span.start.line, span.start.column - 1);
    Err(ScanError::new(marker, format!("values are nested more than {MAX_DEPTH} deep")))
}

fn syntax_hint(problem: &str, report: &Report<'_>, span: Span) -> &'static str {
    let line = report.source().text.lines().nth(span.start.line - 1).unwrap_or_default();
    if line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces; YAML does not allow tabs"
    } else if problem.contains("unknown anchor") {
        "define it with & before this line; a text that begins with * needs quotes"
    } else if problem.contains("mapping values are not allowed") {
        "put a text that contains \": \" in quotes, or mend the indentation"
    } else {
        "look at the indentation, the quotes and the brackets of this line and of the one before"
    }
}
