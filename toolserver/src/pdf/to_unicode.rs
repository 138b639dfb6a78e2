//! A font's `ToUnicode` table. Read by us because ranges are kept as ranges: a hostile table of one line that covers
//! four billion codes must cost nothing.

/// From codes to text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ToUnicode {
    /// Sorted by the first code.
    ranges: Vec<Range>,
}

#[derive(Debug, PartialEq)]
struct Range {
    first: u32,
    last: u32,
    /// UTF-16 of the first code; the last unit counts up with the code.
    target: Vec<u16>,
}

impl ToUnicode {
    pub(super) fn parse(content: &[u8]) -> Self {
        let mut ranges = Vec::new();
        let mut tokens = Tokens { rest: content };
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(b"beginbfchar") => characters(&mut tokens, &mut ranges),
                Token::Word(b"beginbfrange") => ranges_of(&mut tokens, &mut ranges),
                Token::Word(_) | Token::Hex(_) | Token::Open | Token::Close => {}
            }
        }
        ranges.sort_by_key(|range| range.first);
        ToUnicode { ranges }
    }

    /// The text of a code.
    pub(super) fn get(&self, code: u32) -> Option<String> {
        let after = self.ranges.partition_point(|range| range.first <= code);
        let range = self.ranges[..after].last().filter(|range| code <= range.last)?;
        let (last, rest) = range.target.split_last()?;
        // Wraps only in a broken table, whose text is worthless anyway.
        let last = last.wrapping_add((code - range.first) as u16);
        let units = rest.iter().copied().chain([last]);
        Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

fn characters(tokens: &mut Tokens<'_>, ranges: &mut Vec<Range>) {
    while let Some(code) = tokens.hex() {
        let Some(target) = tokens.hex() else { return };
        let code = number(&code);
        ranges.push(Range { first: code, last: code, target: units(&target) });
    }
}

fn ranges_of(tokens: &mut Tokens<'_>, ranges: &mut Vec<Range>) {
    while let Some(first) = tokens.hex() {
        let Some(last) = tokens.hex() else { return };
        let (first, last) = (number(&first), number(&last));
        match tokens.next() {
            Some(Token::Hex(target)) => ranges.push(Range { first, last, target: units(&target) }),
            Some(Token::Open) => {
                let mut code = first;
                while let Some(target) = tokens.hex() {
                    ranges.push(Range { first: code, last: code, target: units(&target) });
                    code = code.saturating_add(1);
                }
            }
            Some(Token::Close | Token::Word(_)) | None => return,
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number: u32, &byte| number << 8 | u32::from(byte))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks(2).map(|pair| pair.iter().fold(0, |unit: u16, &byte| unit << 8 | u16::from(byte))).collect()
}

enum Token<'a> {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(&'a [u8]),
}

struct Tokens<'a> {
    rest: &'a [u8],
}

impl Tokens<'_> {
    /// The next token, which ends a list when it is no code.
    fn hex(&mut self) -> Option<Vec<u8>> {
        match self.next()? {
            Token::Hex(bytes) => Some(bytes),
            Token::Open | Token::Close | Token::Word(_) => None,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.rest = &self.rest[start..];
        let (first, after) = self.rest.split_first()?;
        match first {
            b'[' => {
                self.rest = after;
                Some(Token::Open)
            }
            b']' => {
                self.rest = after;
                Some(Token::Close)
            }
            b'<' if !after.starts_with(b"<") => {
                let end = after.iter().position(|&byte| byte == b'>')?;
                self.rest = &after[end + 1..];
                let digits: Vec<u8> = after[..end]
                    .iter()
                    .filter_map(|&byte| char::from(byte).to_digit(16))
                    .map(|digit| digit as u8)
                    .collect();
                Some(Token::Hex(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect()))
            }
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b'<');
                let length = 1 + after.iter().position(ends).unwrap_or(after.len());
                let (word, rest) = self.rest.split_at(length);
                self.rest = rest;
                Some(Token::Word(word))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_ranges_and_lists_are_understood() {
        let table = ToUnicode::parse(
            b"/CIDInit begincmap <</a 1>> 1 begincodespacerange <00><ff> endcodespacerange 2 beginbfchar <01><0041>\n\
            <0002> <00660069> endbfchar 2 beginbfrange <10><12><0061> <20><21>[<0078><0079>] endbfrange endcmap",
        );
        let text = |code| table.get(code).unwrap_or_default();
        assert_eq!([text(1), text(2), text(0x12), text(0x21)], ["A", "fi", "c", "y"]);
        assert_eq!([text(0), text(3), text(0x13)], ["", "", ""]);
    }

    #[test]
    fn an_endless_range_costs_nothing() {
        let table = ToUnicode::parse(b"beginbfrange <00000000> <ffffffff> <0041> endbfrange");
        assert_eq!(table.get(1), Some("B".to_owned()));
    }

    #[test]
    fn a_broken_table_is_an_empty_one() {
        for broken in [&b"beginbfchar <01"[..], b"beginbfrange <01> beginbfchar", b"<", b"beginbfchar <> <>"] {
            assert_eq!(ToUnicode::parse(broken).get(1), None);
        }
    }
}
