//! Finds what looks like a credential. Files of `config` are shared and versioned: a secret in one is a leak.

use crate::secret::passwords;

/// A kind of credential: how it starts, and how much has to follow for it to be one.
struct Kind {
    name: &'static str,
    prefix: &'static str,
    /// Characters after the prefix, at least.
    length: usize,
    allowed: fn(u8) -> bool,
}

fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const KINDS: &[Kind] = &[
    Kind { name: "an API key (sk-…)", prefix: "sk-", length: 20, allowed: token },
    Kind { name: "a GitHub token (ghp_…)", prefix: "ghp_", length: 30, allowed: alphanumeric },
    Kind { name: "a GitHub token (gho_…)", prefix: "gho_", length: 30, allowed: alphanumeric },
    Kind { name: "a GitHub token (ghs_…)", prefix: "ghs_", length: 30, allowed: alphanumeric },
    Kind { name: "a GitHub token (github_pat_…)", prefix: "github_pat_", length: 22, allowed: token },
    Kind { name: "a GitLab token (glpat-…)", prefix: "glpat-", length: 20, allowed: token },
    Kind { name: "an AWS access key (AKIA…)", prefix: "AKIA", length: 16, allowed: upper },
    Kind { name: "an AWS access key (ASIA…)", prefix: "ASIA", length: 16, allowed: upper },
    Kind { name: "a Google API key (AIza…)", prefix: "AIza", length: 35, allowed: token },
    Kind { name: "a Slack token (xoxb-…)", prefix: "xoxb-", length: 20, allowed: token },
    Kind { name: "a Slack token (xoxp-…)", prefix: "xoxp-", length: 20, allowed: token },
    Kind { name: "a Hugging Face token (hf_…)", prefix: "hf_", length: 30, allowed: alphanumeric },
];

/// Something that looks like a credential; bytes of the text that was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) what: &'static str,
    pub(crate) range: std::ops::Range<usize>,
}

/// Everything in one line that looks like a credential.
pub(crate) fn find(line: &str) -> Vec<Found> {
    if let Some(start) = line.find("-----BEGIN ")
        && line[start..].contains("PRIVATE KEY-----")
    {
        return vec![Found { what: "a private key", range: start..line.trim_end().len() }];
    }
    let mut found: Vec<Found> = KINDS.iter().flat_map(|kind| kind.find(line)).collect();
    found.sort_by_key(|found| found.range.start);
    found
}

/// The line with everything key-shaped and the passwords of addresses replaced, character by character, so that columns
/// stay.
pub(crate) fn mask(line: &str) -> String {
    let hidden: Vec<_> = find(line).into_iter().map(|found| found.range).chain(passwords(line)).collect();
    let shown = |(at, letter)| if hidden.iter().any(|range| range.contains(&at)) { '*' } else { letter };
    line.char_indices().map(shown).collect()
}

impl Kind {
    fn find<'a>(&'a self, line: &'a str) -> impl Iterator<Item = Found> + 'a {
        line.match_indices(self.prefix).filter_map(move |(start, prefix)| {
            let begins = line[..start].bytes().next_back().is_none_or(|before| !token(before));
            let body = &line.as_bytes()[start + prefix.len()..];
            let length = body.iter().take_while(|byte| (self.allowed)(**byte)).count();
            // Words joined by hyphens have no digit; keys do.
            let digit = body[..length].iter().any(u8::is_ascii_digit);
            let end = start + prefix.len() + length;
            (begins && digit && self.length <= length).then_some(Found { what: self.name, range: start..end })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_masked_and_columns_stay() {
        assert_eq!(mask("token: sk-proj-0123456789abcdefghij # mine"), format!("token: {} # mine", "*".repeat(28)));
        assert_eq!(mask("k: [AKIAIOSFODNN7EXAMPLE]"), format!("k: [{}]", "*".repeat(20)));
        assert_eq!(
            mask("url: redis://u:pässword@cache # mine"),
            format!("url: redis://u:{}@cache # mine", "*".repeat(8))
        );
    }

    #[test]
    fn words_are_not_keys() {
        for text in
            ["ask-me-anything-about-2024-invoices", "sk-learn", "the AKIA prefix", "sk-words-without-any-digits"]
        {
            assert_eq!(find(text), [], "{text}");
        }
    }
}
