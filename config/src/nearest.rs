//! "Did you mean": the known word that is closest to a wrong one.

/// The nearest of `known` when it is near enough that a slip of the hand explains the difference.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let spelled = simplify(word);
    known
        .into_iter()
        .map(|candidate| (distance(&spelled, &simplify(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `maxRetries`, `max-retries` and `Max_Retries` are all `max_retries`.
fn simplify(word: &str) -> Vec<char> {
    let mut simple = Vec::new();
    for letter in word.chars() {
        if letter.is_uppercase() && simple.last().is_some_and(|last: &char| last.is_lowercase()) {
            simple.push('_');
        }
        simple.extend(if letter == '-' { '_' } else { letter }.to_lowercase());
    }
    simple
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if 1 < i && 1 < j && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        assert_eq!(nearest(word, ["max_retries", "name", "tools", "timeout_seconds"]), expected);
    }

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        check("nmae", Some("name"));
        check("tool", Some("tools"));
        check("maxRetries", Some("max_retries"));
        check("timeout-seconds", Some("timeout_seconds"));
        check("timeout_secs", Some("timeout_seconds"));
    }

    #[test]
    fn another_word_is_not_guessed() {
        check("colour", None);
        check("x", None);
    }
}
