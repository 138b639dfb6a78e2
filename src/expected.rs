//! What an answer should be, and how much of it is right.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The right answer to a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    /// These fields with these values, and no others.
    Json(Map<String, Value>),
    /// This text.
    Text(String),
    /// A text that holds all of these, and no number that its source does not have.
    Facts(Vec<String>),
}

/// How much of an answer is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// Everything is right.
    pub(crate) exact: bool,
    /// Fields, lines or facts that are right.
    pub(crate) right: usize,
    /// Fields, lines or facts there are.
    pub(crate) parts: usize,
    /// A number stands in the answer that its source does not have.
    pub(crate) invented_number: bool,
}

impl Expected {
    /// Scores an answer. `source` is the text it was made from, where it is known.
    pub(crate) fn score(&self, output: &Value, source: Option<&str>) -> Score {
        match self {
            Expected::Json(fields) => score_fields(fields, output),
            Expected::Text(text) => score_lines(text, output.as_str().unwrap_or_default()),
            Expected::Facts(facts) => score_facts(facts, output.as_str().unwrap_or_default(), source),
        }
    }

    /// On one line, for a table.
    pub(crate) fn one_line(&self) -> String {
        match self {
            Expected::Json(fields) => Value::Object(fields.clone()).to_string(),
            Expected::Text(text) => text.replace('\n', " ⏎ "),
            Expected::Facts(facts) => facts.join(" · "),
        }
    }
}

fn score_fields(fields: &Map<String, Value>, output: &Value) -> Score {
    let right = fields.iter().filter(|(name, value)| output.get(name.as_str()).is_some_and(|given| same(given, value)));
    let right = right.count();
    let only_these = output.as_object().is_some_and(|given| given.len() == fields.len());
    Score { exact: right == fields.len() && only_these, right, parts: fields.len(), invented_number: false }
}

/// Numbers are equal by value: 12.50 is 12.5.
fn same(given: &Value, expected: &Value) -> bool {
    match (given.as_f64(), expected.as_f64()) {
        (Some(given), Some(expected)) => given == expected,
        _ => given == expected,
    }
}

fn score_lines(expected: &str, given: &str) -> Score {
    let expected: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
    let given: Vec<&str> = given.lines().filter(|line| !line.is_empty()).collect();
    let right = expected.iter().filter(|line| given.contains(line)).count();
    Score { exact: expected == given, right, parts: expected.len(), invented_number: false }
}

fn score_facts(facts: &[String], given: &str, source: Option<&str>) -> Score {
    let right = facts.iter().filter(|fact| given.contains(fact.as_str())).count();
    let known = source.map(numbers);
    let invented_number = known.is_some_and(|known| numbers(given).iter().any(|number| !known.contains(number)));
    Score { exact: right == facts.len() && !invented_number, right, parts: facts.len(), invented_number }
}

/// The runs of digits in a text.
fn numbers(text: &str) -> Vec<&str> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: Value, output: Value, source: Option<&str>, exact: bool, right: usize) {
        let expected: Expected = serde_json::from_value(expected).expect("a right answer");
        let score = expected.score(&output, source);
        assert_eq!((score.exact, score.right), (exact, right), "{score:?}");
    }

    #[test]
    fn records_are_scored_by_field() {
        let expected = json!({"json": {"vendor": "Acme", "total": 12.5}});
        check(expected.clone(), json!({"total": 12.50, "vendor": "Acme"}), None, true, 2);
        check(expected.clone(), json!({"vendor": "Acme", "total": null}), None, false, 1);
        check(expected.clone(), json!({"vendor": "Acme", "total": 12.5, "more": 1}), None, false, 2);
        check(expected, json!("text"), None, false, 0);
    }

    #[test]
    fn a_text_must_be_the_same_in_every_line() {
        let expected = json!({"text": "# A\n\n- 1\n- 2"});
        check(expected.clone(), json!("# A\n\n- 1\n- 2"), None, true, 3);
        check(expected, json!("# A\n\n- 2\n- 1"), None, false, 3);
    }

    #[test]
    fn an_invented_number_spoils_a_summary_with_all_its_facts() {
        let expected = json!({"facts": ["Ann Lee", "May 3"]});
        let source = Some("On May 3 Ann Lee met 12 people.");
        check(expected.clone(), json!("Ann Lee met 12 people on May 3."), source, true, 2);
        check(expected, json!("Ann Lee met 13 people on May 3."), source, false, 2);
    }
}
