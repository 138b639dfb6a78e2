//! Calls while they are written: `[{"name": "x", "arguments": {…}, "id": "…"}, …]`, spelled as the grammar has it.

use rand::RngExt;

use super::ReplyEvent;
use crate::grammar::spelling;

const ID_LEN: usize = 9;
const ID_CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Reads the calls of one reply, character by character. Ids are fresh: the model's own may repeat.
#[derive(Debug, Default)]
pub(super) struct Calls {
    part: Part,
    /// What has been read of the part.
    read: String,
    /// Calls begun.
    num_calls: usize,
}

/// What is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// The bracket, perhaps after a space.
    #[default]
    Open,
    /// Up to the name.
    Head,
    Name(Text),
    /// Between name and arguments.
    BeforeArguments,
    Arguments {
        /// Brackets that are open.
        depth: usize,
        text: Text,
    },
    /// Between arguments and id.
    BeforeId,
    Id(Text),
    Tail,
    /// Between two calls, or the bracket at the end.
    Next,
    End,
}

/// Where in a JSON string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escape,
}

impl Text {
    fn after(self, character: char) -> Self {
        match (self, character) {
            (Text::Outside, '"') | (Text::Escape, _) => Text::Inside,
            (Text::Inside, '"') | (Text::Outside, _) => Text::Outside,
            (Text::Inside, '\\') => Text::Escape,
            (Text::Inside, _) => Text::Inside,
        }
    }
}

impl Calls {
    /// Takes in more of the text, and says what it brings. Fails on what the grammar does not allow.
    pub(super) fn push(&mut self, text: &str) -> Result<Vec<ReplyEvent>, String> {
        let mut events = Vec::new();
        for character in text.chars() {
            self.step(character, &mut events)?;
        }
        if matches!(self.part, Part::Arguments { .. }) {
            self.give_arguments(&mut events);
        }
        Ok(events)
    }

    /// Whether all brackets are closed.
    pub(super) fn is_complete(&self) -> bool {
        self.part == Part::End
    }

    fn step(&mut self, character: char, events: &mut Vec<ReplyEvent>) -> Result<(), String> {
        if self.part == Part::Open && self.read.is_empty() && character == ' ' {
            return Ok(());
        }
        self.read.push(character);
        self.part = match self.part {
            Part::Open => self.literal(spelling::OPEN, Part::Head)?,
            Part::Head => self.literal(spelling::BEFORE_NAME, Part::Name(Text::Outside))?,
            Part::Name(text) => match text.after(character) {
                Text::Outside => {
                    self.begin_call(events)?;
                    Part::BeforeArguments
                }
                text => Part::Name(text),
            },
            Part::BeforeArguments => {
                self.literal(spelling::BEFORE_ARGUMENTS, Part::Arguments { depth: 0, text: Text::Outside })?
            }
            Part::Arguments { depth, text } => self.argument(character, depth, text, events)?,
            Part::BeforeId => self.literal(spelling::BEFORE_ID, Part::Id(Text::Outside))?,
            Part::Id(text) => match text.after(character) {
                Text::Outside => {
                    self.read.clear();
                    Part::Tail
                }
                text => Part::Id(text),
            },
            Part::Tail => self.literal(spelling::TAIL, Part::Next)?,
            Part::Next if self.read == spelling::CLOSE => Part::End,
            Part::Next => self.literal(spelling::BETWEEN, Part::Head)?,
            Part::End => return Err(format!("{character:?} after the last call")),
        };
        Ok(())
    }

    /// Goes on to the next part when the literal has been read as a whole.
    fn literal(&mut self, literal: &str, next: Part) -> Result<Part, String> {
        if !literal.starts_with(&self.read) {
            return Err(format!("{:?} in place of {literal:?} in call {}", self.read, self.num_calls));
        }
        if self.read.len() < literal.len() {
            return Ok(self.part);
        }
        self.read.clear();
        Ok(next)
    }

    fn begin_call(&mut self, events: &mut Vec<ReplyEvent>) -> Result<(), String> {
        let name = serde_json::from_str(&self.read).map_err(|error| format!("name {}: {error}", self.read))?;
        events.push(ReplyEvent::CallBegins { index: self.num_calls, id: fresh_id(), name });
        self.num_calls += 1;
        self.read.clear();
        Ok(())
    }

    fn argument(
        &mut self,
        character: char,
        depth: usize,
        text: Text,
        events: &mut Vec<ReplyEvent>,
    ) -> Result<Part, String> {
        let depth = match (text, character) {
            (Text::Outside, '{' | '[') => depth + 1,
            (Text::Outside, _) if depth == 0 => {
                return Err(format!("arguments begin with {character:?}, not a bracket"));
            }
            (Text::Outside, '}' | ']') => depth - 1,
            _ => depth,
        };
        if depth > 0 {
            return Ok(Part::Arguments { depth, text: text.after(character) });
        }
        self.give_arguments(events);
        Ok(Part::BeforeId)
    }

    fn give_arguments(&mut self, events: &mut Vec<ReplyEvent>) {
        if !self.read.is_empty() {
            let text = std::mem::take(&mut self.read);
            events.push(ReplyEvent::Arguments { index: self.num_calls.saturating_sub(1), text });
        }
    }
}

fn fresh_id() -> String {
    let mut random = rand::rng();
    (0..ID_LEN).map(|_| ID_CHARACTERS[random.random_range(0..ID_CHARACTERS.len())] as char).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// Names with their arguments, of text in these pieces; ids are checked and left out.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Result<(Vec<(String, String)>, bool), String> {
        let (mut calls, mut found, mut ids) = (Calls::default(), Vec::new(), Vec::new());
        for piece in pieces {
            for event in calls.push(piece)? {
                match event {
                    ReplyEvent::CallBegins { index, id, name } => {
                        assert_eq!(index, found.len());
                        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
                        assert!(!ids.contains(&id));
                        ids.push(id);
                        found.push((name, String::new()));
                    }
                    ReplyEvent::Arguments { index, text } => {
                        assert!(!text.is_empty());
                        assert_eq!(index + 1, found.len());
                        found[index].1 += &text;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        Ok((found, calls.is_complete()))
    }

    const ARGUMENTS: [&str; 4] = [
        "{}",
        r#"{"y": 1, "x": "ä} ], \" \\", "deep": [{"a": [[]]}, "]"], "u": "\u0022}"}"#,
        r#"{"text": "[TOOL_CALLS] [{\"name\": \"fake\", \"arguments\": {}}]", "sign": "🦀\\\\"}"#,
        r#"{"a": {"b": {"c": {}}}, "d": "\\"}"#,
    ];
    const NAMES: [&str; 4] = ["a", "with \"quotes\" and \\", "名前", "{]"];

    fn written() -> String {
        let call = |(name, arguments): (&&str, &&str)| {
            format!(r#"{{"name": {}, "arguments": {arguments}, "id": "aB3dE6gH9"}}"#, serde_json::json!(name))
        };
        let calls: Vec<String> = NAMES.iter().zip(&ARGUMENTS).map(call).collect();
        format!(" [{}]", calls.join(", "))
    }

    fn expected() -> Vec<(String, String)> {
        NAMES.iter().zip(ARGUMENTS).map(|(name, arguments)| ((*name).to_owned(), arguments.to_owned())).collect()
    }

    #[test]
    fn calls_keep_names_and_the_spelling_of_their_arguments() {
        assert_eq!(read([written().as_str()]).unwrap(), (expected(), true));
        assert_eq!(read([written().trim_start()]).unwrap(), (expected(), true));
    }

    #[test]
    fn every_split_of_the_text_gives_the_same_calls() {
        let (text, mut random) = (written(), StdRng::seed_from_u64(5));
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        for share in [2, 3, 10, 40] {
            for _ in 0..50 {
                let mut rest = text.as_str();
                let mut pieces = Vec::new();
                for end in ends.iter().filter(|_| random.random_range(0..share) == 0) {
                    let (piece, after) = rest.split_at(end - (text.len() - rest.len()));
                    pieces.push(piece);
                    rest = after;
                }
                pieces.push(rest);
                assert_eq!(read(pieces.iter().copied()).unwrap(), (expected(), true), "{pieces:?}");
            }
        }
    }

    #[test]
    fn a_call_cut_short_is_given_as_far_as_it_came() {
        let text = written();
        for (end, _) in text.char_indices() {
            let (found, is_complete) = read([&text[..end]]).unwrap();
            assert!(!is_complete);
            for ((name, arguments), (whole_name, whole)) in found.iter().zip(expected()) {
                assert_eq!(*name, whole_name);
                assert!(whole.starts_with(arguments.as_str()));
            }
        }
        let name_only = r#"[{"name": "a""#;
        assert_eq!(read([name_only]).unwrap(), (vec![("a".to_owned(), String::new())], false));
        assert_eq!(read([&name_only[..name_only.len() - 1]]).unwrap(), (vec![], false));
    }

    #[test]
    fn what_is_no_call_is_refused_where_it_goes_wrong() {
        for (text, expected) in [
            ("{", r#""{" in place of "[" in call 0"#),
            (r#"[{"nome"#, r#""{\"no" in place of "{\"name\": " in call 0"#),
            (r#"[{"name": "\x""#, r#"name "\x": invalid escape at line 1 column 3"#),
            (r#"[{"name": "a", "arguments": "x""#, r#"arguments begin with '"', not a bracket"#),
            (r#"[{"name": "a", "arguments": {}, "id": "1"},{"#, r#"",{" in place of ", " in call 1"#),
            (r#"[{"name": "a", "arguments": {}, "id": "1"}] "#, "' ' after the last call"),
        ] {
            assert_eq!(read([text]).unwrap_err(), expected, "{text}");
        }
    }
}
