//! Telling a template's text from the conversation's in what it rendered.
//!
//! Rendered masked, each text has a private-use character of its own in place of each of its characters, except for white
//! space, quotes and backslashes, which templates trim and escape. Lengths, beginnings, ends and equality of texts stay
//! what they are, so both renderings have their characters at the same places: where the masked one has a mask, the plain
//! one has something of the conversation; everywhere else, both have the template's own text. Whatever a template does
//! that breaks this (replacing, deciding by what a text says) makes an error, never a guess.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::markers::Markers;
use crate::tokenizer::Segment;

/// The private-use planes.
const PLANES: [RangeInclusive<char>; 2] = ['\u{f0000}'..='\u{ffffd}', '\u{100000}'..='\u{10fffd}'];

/// The texts that were masked, and their masks.
#[derive(Default)]
pub(super) struct Masks(HashMap<String, char>);

impl Masks {
    /// The text in its mask. Texts beyond the number of private-use characters share the last one.
    pub(super) fn mask(&mut self, text: &str) -> String {
        let [first, second] = PLANES;
        let next = first.chain(second.clone()).nth(self.0.len()).unwrap_or(*second.end());
        let mask = *self.0.entry(text.to_owned()).or_insert(next);
        text.chars().map(|character| if is_open(character) { character } else { mask }).collect()
    }
}

/// What is never masked. No control token is looked for that has one of these in its name.
pub(super) fn is_open(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '"' | '\\')
}

/// The segments of a prompt: control tokens where the template wrote them, text else. `None` where the template's text
/// cannot be told from the conversation's.
pub(super) fn segments(plain: &str, masked: &str, markers: &Markers) -> Option<Vec<Segment>> {
    let mut segments = Segments::default();
    let mut from_template = String::new();
    let mut masked = masked.chars();
    for character in plain.chars() {
        let mask = masked.next()?;
        if PLANES.iter().any(|plane| plane.contains(&mask)) {
            segments.push_template(&std::mem::take(&mut from_template), markers);
            segments.text.push(character);
        } else if mask == character {
            from_template.push(character);
        } else {
            return None;
        }
    }
    segments.push_template(&from_template, markers);
    segments.end_text();
    masked.next().is_none().then_some(segments.done)
}

#[derive(Default)]
struct Segments {
    done: Vec<Segment>,
    text: String,
}

impl Segments {
    fn push_template(&mut self, mut rest: &str, markers: &Markers) {
        while let Some(character) = rest.chars().next() {
            let length = match markers.at(rest) {
                Some((name, id)) => {
                    self.end_text();
                    self.done.push(Segment::Control(id));
                    name.len()
                }
                None => {
                    self.text.push(character);
                    character.len_utf8()
                }
            };
            rest = &rest[length..];
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Segment::Text(std::mem::take(&mut self.text)));
        }
    }
}
