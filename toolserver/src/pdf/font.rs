//! From a string of a content stream to text and widths.

use lopdf::{Dictionary, Document, Object};

use super::to_unicode::ToUnicode;
use super::widths::Widths;

/// The largest `ToUnicode` table, unpacked; real ones have some ten thousand bytes.
const MAX_TABLE: usize = 4 << 20;

/// A font as the text needs it.
pub(super) struct Font {
    to_unicode: Option<ToUnicode>,
    codes: Codes,
    widths: Widths,
}

enum Codes {
    /// One byte a character: the text of each.
    Simple(Box<[String; 256]>),
    /// Two bytes a character; what they mean only `ToUnicode` says.
    Composite,
    /// Two bytes a character, in UTF-16.
    Utf16,
}

/// One character of a string.
pub(super) struct Glyph {
    pub(super) text: String,
    /// In thousandths of the size.
    pub(super) width: f64,
    /// Whether word spacing is added to it.
    pub(super) is_space: bool,
}

impl Font {
    pub(super) fn new(font: &Dictionary, file: &Document) -> Self {
        let table = font.get_deref(b"ToUnicode", file).and_then(Object::as_stream);
        let table = table.and_then(|stream| stream.get_plain_content_with_limit(MAX_TABLE));
        let to_unicode = table.ok().map(|content| ToUnicode::parse(&content));
        let descendant = font
            .get_deref(b"DescendantFonts", file)
            .and_then(Object::as_array)
            .ok()
            .and_then(|fonts| file.dereference(fonts.first()?).ok()?.1.as_dict().ok());
        match descendant {
            Some(descendant) => {
                let encoding = font.get_deref(b"Encoding", file).and_then(Object::as_name).unwrap_or_default();
                let has = |part: &[u8]| encoding.windows(part.len()).any(|window| window == part);
                let codes = if has(b"UCS2") || has(b"UTF16") { Codes::Utf16 } else { Codes::Composite };
                Font { to_unicode, codes, widths: Widths::of_composite(descendant, file) }
            }
            None => Font { to_unicode, codes: simple_codes(font, file), widths: Widths::of_simple(font, file) },
        }
    }

    /// Reads a string.
    pub(super) fn glyphs<'a>(&'a self, string: &'a [u8]) -> impl Iterator<Item = Glyph> + 'a {
        let size = if matches!(self.codes, Codes::Simple(_)) { 1 } else { 2 };
        string.chunks(size).map(move |bytes| {
            let code = bytes.iter().fold(0, |code: u32, &byte| code << 8 | u32::from(byte));
            let text = self.to_unicode.as_ref().and_then(|table| table.get(code)).unwrap_or_else(|| self.text(code));
            // Control characters are artefacts of broken encodings.
            let text = if text.contains(char::is_control) { text.replace(char::is_control, "") } else { text };
            Glyph { text, width: self.widths.of(code), is_space: size == 1 && code == 32 }
        })
    }

    fn text(&self, code: u32) -> String {
        match &self.codes {
            Codes::Simple(codes) => codes.get(code as usize).cloned().unwrap_or_default(),
            Codes::Composite => String::new(),
            Codes::Utf16 => char::from_u32(code).map(String::from).unwrap_or_default(),
        }
    }
}

fn simple_codes(font: &Dictionary, file: &Document) -> Codes {
    // Without `ToUnicode`: that one is ours to read.
    let mut encoding_only = Dictionary::new();
    encoding_only.set("Type", "Font");
    if let Ok(encoding) = font.get(b"Encoding") {
        encoding_only.set("Encoding", encoding.clone());
    }
    let encoding = encoding_only.get_font_encoding_with_limit(file, MAX_TABLE);
    let text = |byte: u8| {
        let known = encoding.as_ref().ok().and_then(|encoding| encoding.bytes_to_string(&[byte]).ok());
        known.unwrap_or_else(|| if byte.is_ascii() { char::from(byte).to_string() } else { String::new() })
    };
    Codes::Simple(Box::new(std::array::from_fn(|byte| text(byte as u8))))
}
