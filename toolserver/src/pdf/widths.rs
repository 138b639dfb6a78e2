//! How wide characters are, in thousandths of the font's size.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Object};

/// The widths of a font's codes.
pub(super) enum Widths {
    /// As the file lists them, and for all others.
    Listed { codes: HashMap<u32, f64>, default: f64 },
    /// Of one of the standard fonts, whose widths files need not list; approximate beyond ASCII.
    Standard { ascii: &'static [u16; 95], other: f64, factor: f64 },
}

impl Widths {
    pub(super) fn of(&self, code: u32) -> f64 {
        match self {
            Widths::Listed { codes, default } => codes.get(&code).copied().unwrap_or(*default),
            Widths::Standard { ascii, other, factor } => {
                let index = (code as usize).checked_sub(32);
                index.and_then(|index| ascii.get(index)).map_or(*other, |&width| f64::from(width)) * factor
            }
        }
    }

    /// The widths of a simple font (one byte a character).
    pub(super) fn of_simple(font: &Dictionary, file: &Document) -> Self {
        let listed = font.get_deref(b"Widths", file).and_then(Object::as_array);
        let Ok(listed) = listed else { return Widths::standard(font) };
        let first = font.get_deref(b"FirstChar", file).and_then(Object::as_i64).unwrap_or(0);
        let first = u32::try_from(first).unwrap_or(0);
        let codes = (first..).zip(listed).filter_map(|(code, width)| Some((code, number(width, file)?))).take(256);
        // Widths of a Type3 font count in its own units.
        let scale = font.get_deref(b"FontMatrix", file).and_then(Object::as_array).ok();
        let scale = scale.and_then(|matrix| number(matrix.first()?, file)).map_or(1.0, |scale| scale * 1000.0);
        Widths::Listed { codes: codes.map(|(code, width)| (code, width * scale)).collect(), default: 500.0 * scale }
    }

    /// The widths of a composite font's descendant: `[first [w …]  first last w …]`.
    pub(super) fn of_composite(descendant: &Dictionary, file: &Document) -> Self {
        let default = descendant.get_deref(b"DW", file).ok().and_then(|width| number(width, file)).unwrap_or(1000.0);
        let mut codes = HashMap::new();
        let entries = descendant.get_deref(b"W", file).and_then(Object::as_array).map_or(&[][..], Vec::as_slice);
        let mut entries = entries.iter();
        while let (Some(first), Some(next)) = (entries.next(), entries.next()) {
            let Some(first) = code(first, file) else { break };
            match file.dereference(next) {
                Ok((_, Object::Array(widths))) => {
                    codes.extend(
                        (first..=0xffff).zip(widths).filter_map(|(code, width)| Some((code, number(width, file)?))),
                    );
                }
                Ok((_, last)) => {
                    let (Some(last), Some(width)) = (code(last, file), entries.next()) else { break };
                    let Some(width) = number(width, file) else { break };
                    codes.extend((first..=last).map(|code| (code, width)));
                }
                Err(_) => break,
            }
        }
        Widths::Listed { codes, default }
    }

    fn standard(font: &Dictionary) -> Self {
        let name = font.get(b"BaseFont").and_then(Object::as_name).unwrap_or_default();
        let has = |part: &str| name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
        let bold = if has("bold") { 1.06 } else { 1.0 };
        if has("courier") || has("mono") {
            Widths::Listed { codes: HashMap::new(), default: 600.0 }
        } else if has("times") || has("serif") {
            Widths::Standard { ascii: &TIMES, other: 500.0, factor: bold }
        } else {
            Widths::Standard { ascii: &HELVETICA, other: 556.0, factor: bold }
        }
    }
}

/// A code of two bytes; larger ones do not exist, and a range up to one would never end.
fn code(object: &Object, file: &Document) -> Option<u32> {
    number(object, file).map(|code| code.clamp(0.0, 65_535.0) as u32)
}

fn number(object: &Object, file: &Document) -> Option<f64> {
    file.dereference(object).ok().and_then(|(_, object)| object.as_float().ok()).map(f64::from)
}

/// From the space to the tilde.
#[rustfmt::skip]
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 222, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 222, 556, 556, 500, 556, 556, 278, 556,
    556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// From the space to the tilde.
#[rustfmt::skip]
const TIMES: [u16; 95] = [
    250, 333, 408, 500, 500, 833, 778, 333, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500, 500, 500, 500, 500, 500,
    500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722, 722, 333, 389, 722, 611, 889, 722, 722,
    556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500, 444, 333, 500,
    500, 278, 278, 500, 278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
];
