//! Puts pieces of text together: in the order of the document, with spaces, columns and lines where their positions
//! say so. Distances count in the size of the text.

/// A piece of text as the page shows it.
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) start: (f64, f64),
    pub(super) end: (f64, f64),
    /// The direction of the writing, of length 1.
    pub(super) direction: (f64, f64),
    pub(super) size: f64,
}

/// A gap wider than this is a space.
const SPACE: f64 = 0.15;
/// A gap wider than this is a column, for which a tab stands: tables stay tables.
const COLUMN: f64 = 1.5;
/// Text lower than this stands in another line; less is a superscript.
const LINE: f64 = 0.5;
/// Text lower than this begins another paragraph.
const PARAGRAPH: f64 = 2.2;

/// The text of one page so far.
#[derive(Default)]
pub(super) struct Layout {
    text: String,
    last: Option<Last>,
}

struct Last {
    text: String,
    start: (f64, f64),
    end: (f64, f64),
    size: f64,
}

impl Layout {
    pub(super) fn add(&mut self, piece: &Piece<'_>) {
        if piece.text.is_empty() {
            return;
        }
        if let Some(last) = &self.last {
            if last.is_shadow_of(piece) {
                return;
            }
            let gap = last.gap_to(piece);
            let spaced = piece.text.starts_with(char::is_whitespace) || self.text.ends_with(char::is_whitespace);
            match gap {
                Gap::Paragraph => self.text.push_str("\n\n"),
                Gap::Line => self.text.push('\n'),
                Gap::Column => self.text.push('\t'),
                Gap::Space if !spaced => self.text.push(' '),
                Gap::Space | Gap::None => {}
            }
        }
        self.text.push_str(piece.text);
        let Piece { text, start, end, size, .. } = *piece;
        self.last = Some(Last { text: text.to_owned(), start, end, size });
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[derive(Debug, PartialEq)]
enum Gap {
    None,
    Space,
    Column,
    Line,
    Paragraph,
}

impl Last {
    fn gap_to(&self, next: &Piece<'_>) -> Gap {
        let size = self.size.max(next.size).max(f64::MIN_POSITIVE);
        let (dx, dy) = (next.start.0 - self.end.0, next.start.1 - self.end.1);
        let (along_x, along_y) = next.direction;
        let along = (dx * along_x + dy * along_y) / size;
        let across = (dx * along_y - dy * along_x).abs() / size;
        match () {
            () if PARAGRAPH < across => Gap::Paragraph,
            // Back to the left on the same height: what follows is not the rest of the line.
            () if LINE < across || along < -1.0 => Gap::Line,
            () if COLUMN < along => Gap::Column,
            () if SPACE < along => Gap::Space,
            () => Gap::None,
        }
    }

    /// Some writers make text bold by writing it twice.
    fn is_shadow_of(&self, next: &Piece<'_>) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < 0.1 * self.size;
        self.text == next.text && near(self.start.0, next.start.0) && near(self.start.1, next.start.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of size 10 with 5 a character, as `(x, y, text)`.
    #[track_caller]
    fn check(pieces: &[(f64, f64, &str)], expected: &str) {
        let mut layout = Layout::default();
        for &(x, y, text) in pieces {
            let end = (x + 5.0 * text.len() as f64, y);
            layout.add(&Piece { text, start: (x, y), end, direction: (1.0, 0.0), size: 10.0 });
        }
        assert_eq!(layout.into_text(), expected);
    }

    #[test]
    fn pieces_of_a_word_join_and_words_are_spaced() {
        check(&[(0.0, 0.0, "Inv"), (15.0, 0.0, "oice"), (38.0, 0.0, "7")], "Invoice 7");
        check(&[(0.0, 0.0, "a "), (13.0, 0.0, "b")], "a b");
    }

    #[test]
    fn a_wide_gap_is_a_column() {
        check(&[(0.0, 0.0, "Ghent"), (100.0, 0.0, "97")], "Ghent\t97");
    }

    #[test]
    fn lower_text_is_a_new_line_and_much_lower_a_paragraph() {
        check(&[(0.0, 100.0, "a"), (0.0, 88.0, "b"), (0.0, 50.0, "c")], "a\nb\n\nc");
        check(&[(0.0, 0.0, "x"), (5.0, 3.0, "2")], "x2");
    }

    #[test]
    fn text_that_goes_back_is_a_new_line() {
        check(&[(50.0, 0.0, "right"), (0.0, 0.0, "left")], "right\nleft");
    }

    #[test]
    fn a_shadow_is_not_repeated() {
        check(&[(0.0, 0.0, "Total"), (0.3, 0.0, "Total")], "Total");
    }
}
