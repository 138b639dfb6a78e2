//! Lines of a body that comes in pieces. Holds one unfinished line, and nothing of one that is too long.

/// Takes pieces and gives lines.
pub(super) struct Lines {
    limit: usize,
    /// Lines that were finished, blank ones too.
    finished: u64,
    begun: Vec<u8>,
    is_too_long: bool,
}

/// A line with something on it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// `None` when it is too long.
    pub(super) text: Option<Vec<u8>>,
}

impl Lines {
    /// Lines of up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Lines { limit, finished: 0, begun: Vec::new(), is_too_long: false }
    }

    /// The number of the line that is being read.
    pub(super) fn current(&self) -> u64 {
        self.finished + 1
    }

    /// Takes a piece, and gives the lines that it finishes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            self.extend(part);
            if ends {
                lines.extend(self.finish());
            }
        }
        lines
    }

    fn extend(&mut self, part: &[u8]) {
        self.is_too_long |= self.limit < self.begun.len() + part.len();
        if self.is_too_long {
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    /// Ends the line as it stands; a blank one counts and is not given.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.finished += 1;
        let text = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.is_too_long) {
            return Some(Line { number: self.finished, text: None });
        }
        let is_blank = text.iter().all(u8::is_ascii_whitespace);
        (!is_blank).then_some(Line { number: self.finished, text: Some(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&str], expected: &[(u64, Option<&str>)]) {
        let mut lines = Lines::new(4);
        let mut given: Vec<Line> = pieces.iter().flat_map(|piece| lines.push(piece.as_bytes())).collect();
        given.extend(lines.finish());
        let expected = expected.iter().map(|&(number, text)| Line { number, text: text.map(|text| text.into()) });
        assert_eq!(given, expected.collect::<Vec<_>>());
    }

    #[test]
    fn lines_are_whole_however_they_come_in() {
        check(&["ab\ncd\n"], &[(1, Some("ab")), (2, Some("cd"))]);
        check(&["a", "b\nc", "d", "\n"], &[(1, Some("ab")), (2, Some("cd"))]);
        check(&["ab\r\ncd"], &[(1, Some("ab\r")), (2, Some("cd"))]);
    }

    #[test]
    fn blank_lines_count_and_are_not_given() {
        check(&["\n\nab\n \n", "cd"], &[(3, Some("ab")), (5, Some("cd"))]);
        check(&[], &[]);
        check(&["\n"], &[]);
    }

    #[test]
    fn a_line_that_is_too_long_hurts_no_other() {
        check(&["abcd\nabcde\nab"], &[(1, Some("abcd")), (2, None), (3, Some("ab"))]);
        check(&["abc", "de", "fg", "\nab"], &[(1, None), (2, Some("ab"))]);
        check(&["abcdef"], &[(1, None)]);
    }

    #[test]
    fn nothing_of_a_line_that_is_too_long_is_held() {
        let mut lines = Lines::new(4);
        lines.push(&[b'x'; 1000]);
        assert_eq!((lines.begun.len(), lines.begun.capacity()), (0, 0));
    }
}
