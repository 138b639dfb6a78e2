//! Text files and the form that all text leaves in.

use std::borrow::Cow;

use crate::unusable::Unusable;

/// Reads a text file: UTF-8, UTF-16 with a byte order mark, else Windows-1252.
pub(crate) fn read(bytes: &[u8], max: usize) -> Result<String, Unusable> {
    let text = decode(bytes);
    if text.contains('\0') {
        return Err(Unusable::Unreadable("it is neither a PDF nor text (it contains NUL bytes)".to_owned()));
    }
    if max < text.len() {
        return Err(Unusable::TooMuchText { max });
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.lines().map(|line| line.trim_end_matches(' ')).collect::<Vec<_>>().join("\n");
    let text = text.trim_matches('\n').to_owned();
    if text.trim().is_empty() { Err(Unusable::Empty) } else { Ok(text) }
}

/// The form of extracted text: no trailing spaces, and at most one blank line in a row.
pub(crate) fn tidy(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut blank = false;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !result.is_empty() {
            result.push_str(if blank { "\n\n" } else { "\n" });
        }
        result.push_str(line);
        blank = false;
    }
    result
}

fn decode(bytes: &[u8]) -> Cow<'_, str> {
    // Recognises the byte order marks of UTF-8 and UTF-16.
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(read(bytes, 1000), Ok(expected.to_owned()));
    }

    #[test]
    fn the_encoding_is_recognised() {
        check("Grüße".as_bytes(), "Grüße");
        check(b"\xef\xbb\xbfmarked", "marked");
        check(b"\xff\xfeG\0r\0\xfc\0", "Grü");
        check(b"\xfe\xff\0G\0r\0\xfc", "Grü");
        check(b"Gr\xfc\xdfe \x80 5", "Grüße € 5");
    }

    #[test]
    fn lines_end_alike_and_without_spaces() {
        check(b"a  \r\nb\rc\n\n", "a\nb\nc");
        check(b"a\tb\t\n1\t2\t", "a\tb\t\n1\t2\t");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(read(b" \n ", 9), Err(Unusable::Empty));
        assert_eq!(read(b"abcd", 3), Err(Unusable::TooMuchText { max: 3 }));
        assert!(matches!(read(b"a\0b", 9), Err(Unusable::Unreadable(_))));
    }

    #[test]
    fn blank_lines_do_not_pile_up() {
        assert_eq!(tidy("\n\na \n\n\n\nb\nc\n"), "a\n\nb\nc");
    }
}
