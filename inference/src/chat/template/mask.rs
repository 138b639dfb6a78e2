//! Telling a template's text from the conversation's in what it rendered.
//!
//! Rendered masked, each text has its own private-use character in place of each of its characters, except for white
//! space, quotes and backslashes, which templates trim and escape. Lengths, beginnings and ends stay what they are, so
//! both renderings have their characters at the same places. They are compared at each: a masked place must hold the next
//! character of that text, any other place the same character in both. Whatever a template does that breaks this (cutting
//! out, replacing, sorting by what a text says) makes an error, never a guess.

use std::ops::RangeInclusive;
use std::str::Chars;

use super::markers::Markers;
use crate::tokenizer::Segment;

/// The private-use planes.
const PLANES: [RangeInclusive<char>; 2] = ['\u{f0000}'..='\u{ffffd}', '\u{100000}'..='\u{10fffd}'];

/// The texts that were masked, by their characters' order.
#[derive(Default)]
pub(super) struct Masks(Vec<String>);

impl Masks {
    /// The text in its mask. Texts beyond the number of private-use characters share the last one, under which no two of
    /// them can be followed.
    pub(super) fn mask(&mut self, text: &str) -> String {
        let mask = character(self.0.len());
        self.0.push(text.to_owned());
        text.chars().map(|character| if is_open(character) { character } else { mask }).collect()
    }
}

/// What is never masked. No control token is looked for that has one of these in its name.
pub(super) fn is_open(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '"' | '\\')
}

/// The segments of a prompt: control tokens where the template wrote them, text else. `None` where the template's text
/// cannot be told from the conversation's.
pub(super) fn segments(plain: &str, masked: &str, masks: Masks, markers: &Markers) -> Option<Vec<Segment>> {
    let mut texts: Vec<Text<'_>> = masks.0.iter().map(|text| Text::new(text)).collect();
    let mut segments = Segments::default();
    let mut from_template = String::new();
    let mut masked = masked.chars();
    for character in plain.chars() {
        let mask = masked.next()?;
        match index(mask) {
            Some(index) => {
                if texts.get_mut(index)?.next() != Some(character) {
                    return None;
                }
                segments.push_template(&std::mem::take(&mut from_template), markers);
                segments.text.push(character);
            }
            None if mask == character => from_template.push(character),
            None => return None,
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

/// The masked characters of a text, over and over: a template may write it twice.
struct Text<'a> {
    whole: &'a str,
    rest: Chars<'a>,
}

impl<'a> Text<'a> {
    fn new(whole: &'a str) -> Self {
        Text { whole, rest: whole.chars() }
    }

    fn next(&mut self) -> Option<char> {
        let is_masked = |character: &char| !is_open(*character);
        let next = self.rest.find(is_masked);
        next.or_else(|| {
            self.rest = self.whole.chars();
            self.rest.find(is_masked)
        })
    }
}

fn character(index: usize) -> char {
    let [first, second] = PLANES;
    first.chain(second.clone()).nth(index).unwrap_or(*second.end())
}

fn index(mask: char) -> Option<usize> {
    let plane = PLANES.iter().position(|plane| plane.contains(&mask))?;
    let before: usize = PLANES[..plane].iter().map(|plane| plane.clone().count()).sum();
    Some(before + (u32::from(mask) - u32::from(*PLANES[plane].start())) as usize)
}
