//! Cuts texts into pieces that sentences are made of. A full stop after a short word may end an abbreviation instead of a
//! sentence, and a line may end within one: there a piece ends too, and a sentence is a run of pieces.

use std::collections::HashMap;
use std::ops::Range;

const BULLETS: [char; 8] = ['-', '*', '+', '•', '‣', '▪', '–', '—'];
const ENDING_SIGNS: [char; 4] = ['.', '!', '?', '…'];
const CLOSING_SIGNS: [char; 6] = ['"', '\'', ')', ']', '”', '’'];
/// A comma ends a piece after so few words of a passage: they may be a greeting.
const MAX_GREETING_WORDS: usize = 5;
/// The longest word before a full stop that may be an abbreviation.
const MAX_ABBREVIATION_CHARS: usize = 4;
/// The most pieces that a sentence repeats from further up before it becomes another one.
const MAX_REPEATED: usize = 8;

/// The pieces of all texts, in their order.
#[derive(Debug, Default)]
pub(super) struct Sentences(Vec<Piece>);

/// Words with one space between them.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether no sentence goes on from here: this one ends for sure, or its paragraph, bullet or heading does.
    pub(super) is_last: bool,
    /// Pieces that a sentence needs from here on to be none that stands further up; `None` if there is no such sentence.
    pub(super) least: Option<usize>,
}

impl Sentences {
    pub(super) fn of(texts: &[String]) -> Self {
        let mut pieces = Vec::new();
        for passage in texts.iter().flat_map(|text| passages(text)) {
            pieces.extend(passage.into_iter().map(|text| Piece { is_last: ends_for_sure(&text), text, least: None }));
            if let Some(piece) = pieces.last_mut() {
                piece.is_last = true;
            }
        }
        Sentences(pieces)
    }

    /// Finds where sentences may start, in quadratic time.
    pub(super) fn with_starts(mut self) -> Self {
        let repeated = repeated(&self.0);
        let mut num_left = 0;
        for (piece, repeated) in self.0.iter_mut().zip(repeated).rev() {
            num_left = if piece.is_last { 1 } else { num_left + 1 };
            piece.least = (repeated < num_left && repeated <= MAX_REPEATED).then_some(repeated + 1);
        }
        self
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The pieces of a sentence that starts at `from` or later.
    pub(super) fn find(&self, sentence: &str, from: usize) -> Option<Range<usize>> {
        (from..self.0.len()).find_map(|start| {
            let least = self.0[start].least?;
            let mut rest = sentence;
            for (index, piece) in self.0.iter().enumerate().skip(start) {
                rest = rest.strip_prefix(piece.text.as_str())?;
                if rest.is_empty() {
                    return (index + 1 >= start + least).then_some(start..index + 1);
                }
                rest = rest.strip_prefix(' ').filter(|_| !piece.is_last)?;
            }
            None
        })
    }
}

/// The longest run of pieces from each one on that also stands further up.
fn repeated(pieces: &[Piece]) -> Vec<usize> {
    let mut ids = HashMap::new();
    let ids: Vec<usize> =
        pieces.iter().enumerate().map(|(id, it)| *ids.entry(it.text.as_str()).or_insert(id)).collect();
    let mut repeated = vec![0; pieces.len()];
    // common[earlier]: the pieces that the runs from `earlier` and from the one after `later` have in common.
    let mut common = vec![0; pieces.len() + 1];
    for later in (0..pieces.len()).rev() {
        for earlier in 0..later {
            let ends = pieces[earlier].is_last || pieces[later].is_last;
            let more = if ends { 0 } else { common[earlier + 1] };
            common[earlier] = if ids[earlier] == ids[later] { 1 + more } else { 0 };
            repeated[later] = repeated[later].max(common[earlier]);
        }
    }
    repeated
}

/// Paragraphs, bullets and headings, each as its pieces.
fn passages(text: &str) -> Vec<Vec<String>> {
    let mut passages = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        let is_heading = line.starts_with('#');
        let content = without_bullets(line.trim_start_matches('#').trim_start());
        let is_blank = !content.contains(char::is_alphanumeric);
        if is_blank || is_heading || content.len() < line.len() {
            passages.push(Vec::new());
        }
        if let Some(passage) = passages.last_mut().filter(|_| !is_blank) {
            add_line(passage, content);
        }
        if is_heading {
            passages.push(Vec::new());
        }
    }
    passages.retain(|passage| !passage.is_empty());
    passages
}

fn without_bullets(mut line: &str) -> &str {
    while let Some(rest) = line.strip_prefix(BULLETS).filter(|rest| rest.starts_with(char::is_whitespace)) {
        line = rest.trim_start();
    }
    line
}

/// A piece begins at the start of a line, after a greeting or the end of a sentence, but never with a small letter.
fn add_line(passage: &mut Vec<String>, line: &str) {
    let mut may_begin = true;
    for word in line.split_whitespace() {
        match passage.last_mut().filter(|_| !may_begin || word.starts_with(char::is_lowercase)) {
            Some(piece) => {
                piece.push(' ');
                piece.push_str(word);
            }
            None => passage.push(word.to_owned()),
        }
        may_begin =
            word.trim_end_matches(CLOSING_SIGNS).ends_with(ENDING_SIGNS) || word.ends_with(',') && is_greeting(passage);
    }
}

fn is_greeting(passage: &[String]) -> bool {
    matches!(passage, [first] if first.split(' ').count() <= MAX_GREETING_WORDS)
}

fn ends_for_sure(piece: &str) -> bool {
    let word = piece.rsplit(' ').next().unwrap_or_default().trim_end_matches(CLOSING_SIGNS);
    let before = word.trim_end_matches(ENDING_SIGNS);
    before.len() < word.len() && before.chars().count() > MAX_ABBREVIATION_CHARS && !before.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]]) {
        assert_eq!(passages(text), expected);
    }

    #[test]
    fn pieces_end_with_sentences_and_lines() {
        check("Stop here. Then go! Why?\nBecause", &[&["Stop here.", "Then go!", "Why?", "Because"]]);
        check("He said \"go.\" She (Ann) went.", &[&["He said \"go.\"", "She (Ann) went."]]);
    }

    #[test]
    fn no_piece_begins_with_a_small_letter() {
        check("Acme Inc. moves to\nBonn by\r\ncar.  Dr. Who", &[&["Acme Inc. moves to", "Bonn by car.", "Dr.", "Who"]]);
    }

    #[test]
    fn a_greeting_is_a_piece() {
        check("Dear all, We met. Then, Ann spoke.", &[&["Dear all,", "We met.", "Then, Ann spoke."]]);
        check("To those who may be concerned, Ann", &[&["To those who may be concerned, Ann"]]);
    }

    #[test]
    fn blank_lines_bullets_and_headings_end_a_passage_and_their_signs_are_left_off() {
        check("a\n\nb\n---\nc", &[&["a"], &["b"], &["c"]]);
        check("* One\n  goes on\n• Two\n- - -5 or so", &[&["One goes on"], &["Two"], &["-5 or so"]]);
        check("## Head\ntext", &[&["Head"], &["text"]]);
        check(" \n - \n***", &[]);
    }

    #[test]
    fn a_sentence_goes_on_after_what_may_be_an_abbreviation_and_no_other() {
        let text = "Acme Corp. Berlin (i.e. \"Bonn\" S.r.l.) Also\nUlm moves. Then \"Leave!\" What now? End";
        let sentences = Sentences::of(&[text.to_owned()]);
        let sure: Vec<&str> = sentences.pieces().iter().filter(|it| it.is_last).map(|it| it.text.as_str()).collect();
        assert_eq!(sure, ["Ulm moves.", "Then \"Leave!\"", "End"]);
    }

    #[test]
    fn a_sentence_counts_where_it_stands_first() {
        let least = |text: &str| -> Vec<Option<usize>> {
            Sentences::of(&[text.to_owned()]).with_starts().pieces().iter().map(|piece| piece.least).collect()
        };
        assert_eq!(least("Dr. Ann pays.\n\nDr. Bob pays."), [Some(1), Some(1), Some(2), Some(1)]);
        assert_eq!(least("Page\n\nText\n\nPage"), [Some(1), Some(1), None]);
        assert_eq!(least("A. A. A."), [Some(1), None, None]);
    }
}
