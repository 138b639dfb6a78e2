//! Finding control tokens in a template's own text.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::mask::is_open;
use crate::tokenizer::TokenId;

/// Names by their first character, the longest first.
pub(super) struct Markers(HashMap<char, Vec<(String, TokenId)>>);

impl Markers {
    pub(super) fn new<'a>(names: impl Iterator<Item = (&'a str, TokenId)>) -> Self {
        let mut markers: HashMap<char, Vec<(String, TokenId)>> = HashMap::new();
        for (name, id) in names.filter(|(name, _)| !name.chars().any(is_open)) {
            if let Some(first) = name.chars().next() {
                markers.entry(first).or_default().push((name.to_owned(), id));
            }
        }
        markers.values_mut().for_each(|names| names.sort_by_key(|(name, _)| Reverse(name.len())));
        Markers(markers)
    }

    /// The name that a text begins with.
    pub(super) fn at(&self, text: &str) -> Option<(&str, TokenId)> {
        let names = self.0.get(&text.chars().next()?)?;
        names.iter().find(|(name, _)| text.starts_with(name)).map(|(name, id)| (name.as_str(), *id))
    }
}
