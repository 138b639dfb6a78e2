//! The texts that a verbatim string is copied from, and what counts as a copy.

use serde_json::Value;

/// The most words of a verbatim string.
pub const MAX_VERBATIM_WORDS: usize = 12;

/// After each line; no word has it.
pub(super) const LINE_END: &str = "\n";
/// A table's cells are lines of their own.
const LINE_BREAKS: [char; 9] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}', '\t', '|'];

/// What a task has to go by. A verbatim string is a run of whole words of one line, at most [`MAX_VERBATIM_WORDS`],
/// with one space between them; signs around a word may be left off.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// The parts that a run is made of: words, the signs around them, spaces, and [`LINE_END`] after each line.
    parts: Vec<String>,
    texts: Vec<String>,
}

impl Material {
    /// Takes in one text.
    pub fn add(&mut self, text: &str) {
        self.add_words(text);
        self.texts.push(text.to_owned());
    }

    fn add_words(&mut self, text: &str) {
        for line in text.split(LINE_BREAKS) {
            let start = self.parts.len();
            for word in line.split_whitespace() {
                if self.parts.len() > start {
                    self.parts.push(" ".to_owned());
                }
                self.add_word(word);
            }
            if self.parts.len() > start {
                self.parts.push(LINE_END.to_owned());
            }
        }
    }

    /// Takes in the texts and numbers of a tool's result.
    pub fn add_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add_words(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.add_value(field)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The signs around a word are parts of their own, so that each may be left off.
    fn add_word(&mut self, word: &str) {
        let core = word.trim_matches(|character: char| !character.is_alphanumeric());
        let start = word.find(core).unwrap_or(0);
        let (before, rest) = word.split_at(start);
        let after = &rest[core.len()..];
        self.parts.extend(before.chars().map(String::from));
        if !core.is_empty() {
            self.parts.push(core.to_owned());
        }
        self.parts.extend(after.chars().map(String::from));
    }

    /// Without a word nothing can be copied, and a verbatim string may be any.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether a text is a copy.
    pub fn has(&self, text: &str) -> bool {
        self.has_run(text, MAX_VERBATIM_WORDS)
    }

    pub(super) fn has_run(&self, text: &str, max_words: usize) -> bool {
        let words = text.split(' ');
        words.clone().all(|word| !word.is_empty() && !word.contains(LINE_END))
            && words.count() <= max_words
            && (0..self.parts.len()).any(|start| runs_from(&self.parts[start..], text))
    }

    /// The texts as they were given, in their order.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }
}

/// Whether the first few parts together are the text.
fn runs_from(parts: &[String], text: &str) -> bool {
    let mut rest = text;
    for part in parts {
        match rest.strip_prefix(part.as_str()) {
            Some("") => return true,
            Some(shorter) => rest = shorter,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(material: &str, copies: &[&str], inventions: &[&str]) {
        let mut all = Material::default();
        all.add(material);
        for text in copies {
            assert!(all.has(text), "{text:?}");
        }
        for text in inventions {
            assert!(!all.has(text), "{text:?}");
        }
    }

    #[test]
    fn a_copy_is_a_run_of_whole_words_of_one_line() {
        check(
            "From: Swift & Sons\r\nNo. 2019/733",
            &["Swift", "Swift & Sons", "From: Swift", "2019/733", "No. 2019/733"],
            &["Swret", "Swif", "Swift Sons", "Sons No.", "Sons\nNo.", "2019", "", " ", "Swift ", " Swift", "\n"],
        );
    }

    #[test]
    fn signs_around_a_word_may_be_left_off_and_signs_within_may_not() {
        check(
            "(\"Acme Ltd.\", of A-1): C++",
            &["Acme Ltd", "Acme Ltd.", "\"Acme Ltd.\"", "(\"Acme Ltd.\",", "A-1", "C++", "C"],
            &["Acme Ltd,", "A", "1", "Acme Ltd.\" of"],
        );
    }

    #[test]
    fn spaces_are_single_whatever_they_were() {
        check("  Acme   Ltd\u{a0}Co", &["Acme Ltd", "Ltd Co"], &["Acme  Ltd", "Acme   Ltd", "Ltd\u{a0}Co"]);
    }

    #[test]
    fn a_copy_keeps_to_its_cell_of_a_table() {
        check("| Acme Ltd | 12 |\nB & C\t13", &["Acme Ltd", "12", "B & C", "13"], &["Ltd 12", "Ltd | 12", "|", "C 13"]);
    }

    #[test]
    fn a_copy_has_twelve_words_at_most() {
        check("1 2 3 4 5 6 7 8 9 10 11 12 13", &["2 3 4 5 6 7 8 9 10 11 12 13"], &["1 2 3 4 5 6 7 8 9 10 11 12 13"]);
    }

    #[test]
    fn the_texts_and_numbers_of_a_result_are_material_and_its_names_are_not() {
        let mut material = Material::default();
        material.add_value(&serde_json::json!({"text": "Acme\nLtd", "rows": [["a b", 12.5], [null, true]]}));
        for text in ["Acme", "Ltd", "a b", "12.5"] {
            assert!(material.has(text), "{text}");
        }
        for text in ["text", "rows", "null", "true", "b 12.5"] {
            assert!(!material.has(text), "{text}");
        }
    }

    #[test]
    fn blank_texts_are_no_material() {
        let mut material = Material::default();
        material.add(" \n\t\n");
        assert!(material.is_empty());
    }
}
