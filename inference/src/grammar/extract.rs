//! An answer that is an extract: a title line, then `- ` and a sentence on each line, copied from the material in its
//! order, none twice. Such an answer always ends.

use std::fmt::Write;

use serde_json::json;

use super::lark::literal;
use super::material::Material;
use super::sentences::Sentences;

/// The most words of a title.
pub const MAX_TITLE_WORDS: usize = 20;
/// Lines that begin within so many words of a text may have its title.
const MAX_WORDS_BEFORE_TITLE: usize = 200;
/// Between the lines of an extract.
const NEXT_LINE: &str = "\n- ";
/// With more pieces to choose from, the parser would pass its limits and the answer is free text.
const MAX_PIECES: usize = 500;
/// So is it with more words, which take long to compile.
const MAX_WORDS: usize = 10_000;

/// A line of an answer that is not what an extract has there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExtracted {
    /// The first line.
    #[error(
        "the title {0:?} does not stand so at the beginning of the given text or of a tool's result; copy at most \
         {MAX_TITLE_WORDS} whole words of one line"
    )]
    Title(String),
    /// A later one.
    #[error(
        "the line {0:?} is not \"- \" and a whole sentence of the given text or of a tool's result, copied after those \
         that stand before it, and none twice"
    )]
    Line(String),
    /// There is but one.
    #[error("no sentence follows the title")]
    NoSentence,
}

/// Whether `answer` is an extract, as any is that was decoded by its grammar. A model behind HTTP may write anything.
pub fn check_extract(answer: &str, material: &Material) -> Result<(), NotExtracted> {
    let Some(sentences) = sentences(material) else { return Ok(()) };
    let mut lines = answer.trim().split('\n');
    let title = lines.next().unwrap_or_default();
    if !beginnings(material).has_run(title, MAX_TITLE_WORDS) {
        return Err(NotExtracted::Title(title.to_owned()));
    }
    let mut from = 0;
    for line in lines {
        let found = line.strip_prefix("- ").and_then(|sentence| sentences.find(sentence, from));
        from = found.ok_or_else(|| NotExtracted::Line(line.to_owned()))?.end;
    }
    if from == 0 { Err(NotExtracted::NoSentence) } else { Ok(()) }
}

/// `None` where an answer is free text: there is nothing to copy, or too much.
fn sentences(material: &Material) -> Option<Sentences> {
    let sentences = Sentences::of(material.texts());
    let num_words: usize = sentences.pieces().iter().map(|piece| piece.text.split(' ').count()).sum();
    let fits = (1..=MAX_WORDS).contains(&num_words) && sentences.pieces().len() <= MAX_PIECES;
    fits.then(|| sentences.with_starts())
}

/// Where titles are copied from.
fn beginnings(material: &Material) -> Material {
    let mut beginnings = Material::default();
    for text in material.texts() {
        let mut num_words = 0;
        let lines = text.lines().take_while(|line| {
            let is_early = num_words < MAX_WORDS_BEFORE_TITLE;
            num_words += line.split_whitespace().count();
            is_early
        });
        lines.for_each(|line| beginnings.add(line));
    }
    beginnings
}

/// The rule `extract`: `sentence_i` is what is written from piece i on, `from_i` any that starts there or later.
pub(super) fn rules(material: &Material) -> Option<String> {
    let sentences = sentences(material)?;
    let pieces = sentences.pieces();
    let mut text = String::new();
    let mut next: Option<usize> = None;
    for (index, piece) in pieces.iter().enumerate().rev() {
        let goes_on = (!piece.is_last).then(|| format!("\" \" sentence_{}", index + 1));
        let another = next.map(|next| format!("{} from_{next}", literal(NEXT_LINE)));
        let more: Vec<String> = goes_on.into_iter().chain(another).collect();
        let more = if more.is_empty() { String::new() } else { format!("({})?", more.join(" | ")) };
        let _ = writeln!(text, "sentence_{index}: {} {more}", words(&piece.text));
        if let Some(least) = piece.least {
            let last = index + least - 1;
            let repeated: String = pieces[index..last].iter().map(|it| format!("{} \" \" ", words(&it.text))).collect();
            let later = next.map(|next| format!(" | from_{next}")).unwrap_or_default();
            let _ = writeln!(text, "from_{index}: {repeated}sentence_{last}{later}");
            next = Some(index);
        }
    }
    let _ = writeln!(
        text,
        "extract: TITLE {} from_{}\n\
         TITLE: TITLE_RUN & TITLE_WORDS\n\
         TITLE_RUN: %regex {}\n\
         TITLE_WORDS: /[^ \\n]+( [^ \\n]+){{0,{}}}/",
        literal(NEXT_LINE),
        next?,
        json!({"substring_chunks": beginnings(material).parts()}),
        MAX_TITLE_WORDS - 1,
    );
    Some(text)
}

/// Each word is a terminal of its own: of terminals with spaces, the one that begins like a longer one would be lost.
fn words(piece: &str) -> String {
    piece.split(' ').map(literal).collect::<Vec<_>>().join(" \" \" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::walk::{any_answer, material, model, takes};
    use super::super::{AnswerForm, Grammar, ToolChoice};
    use super::*;
    use crate::model::Model;

    const MEMO: &str = "Subject: Move of the Bonn office\n\nHi all,\nWe leave Bonn\nby May 2. Acme Inc. Berlin hosts us.\n\n\
        ## Details\n* The cost is €5 million. It rains.\n* The cost is €5 million.\n- Dr. Who\n  leads.";
    /// Signs of JSON, of regular expressions and of the grammar's own language; bytes without a token of their own.
    const SIGNS: &str = "From: \"Müller & Söhne\" (a.k.a. [M|S]*), C:\\new\\table\n\
        Nr. 2019/733 {x} ^$ /a/ \\u0041 %json <[3]> Æon 漢字! 🦀🦀 ＡＢ\u{1}\u{7f} a\u{301}b?\n\n\
        the cat. The hat. The cat. The hat. The dog. \\ \" '\n# Page 1\nThe cat.\n- - The hat.\n# Page 1\nDr. No. Dr. Yes.";

    fn compile(model: &Model, material: &Material) -> Grammar {
        model.grammars.compile(material, &[], ToolChoice::None, AnswerForm::Extract).unwrap()
    }

    #[test]
    fn random_answers_are_extracts_and_end() {
        let (model, mut random) = (model(), StdRng::seed_from_u64(7));
        for text in [MEMO, SIGNS] {
            let material = material(text);
            let grammar = compile(&model, &material);
            let answers: Vec<String> = (0..30).map(|_| any_answer(&model, grammar.clone(), &mut random)).collect();
            for answer in &answers {
                assert_eq!(check_extract(answer, &material), Ok(()), "{answer}");
                let mut lines: Vec<&str> = answer.split('\n').skip(1).collect();
                lines.sort_unstable();
                assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{answer}");
            }
            assert!(answers.iter().any(|answer| answer.lines().count() > 2));
        }
    }

    #[test]
    fn the_grammar_and_the_check_take_the_same_answers() {
        let (model, material) = (model(), material(MEMO));
        let grammar = compile(&model, &material);
        for (answer, expected) in [
            ("Move of the Bonn office\n- We leave Bonn by May 2.\n- The cost is €5 million.", true),
            ("the Bonn\n- Acme Inc.", true),
            ("Move\n- Acme Inc. Berlin hosts us.\n- Dr. Who leads.", true),
            ("Move\n- Berlin hosts us.\n- Details\n- It rains.", true),
            ("Move\n- The cost is €5 million. It rains.", false),
            ("Move\n- It rains.\n- The cost is €5 million.", false),
            ("Move\n- The cost is €5 million.\n- The cost is €5 million.", false),
            ("Move\n- It rains. The cost is €5 million.", false),
            ("Move\n- Acme Inc. Berlin hosts us. Details", false),
            ("Move\n- Dr. Who\n- leads.", false),
            ("Move\n- It snows.", false),
            ("Move\n- It rains", false),
            ("Move\n- by May 2.", false),
            ("Move\n-  It rains.", false),
            ("Move\nIt rains.", false),
            ("Relocation\n- It rains.", false),
            ("office Hi\n- It rains.", false),
            ("Move\n- It rains.\n", false),
            ("Move", false),
            ("It rains\n- It rains.", true),
            ("", false),
        ] {
            assert_eq!(takes(&model, grammar.clone(), answer), expected, "{answer:?}");
            if answer.trim() == answer {
                assert_eq!(check_extract(answer, &material).is_ok(), expected, "{answer:?}");
            }
        }
    }

    /// As the bundled model's training has them: wrapped after a greeting, with headings between lines, as a list.
    #[test]
    fn the_key_sentences_of_documents_of_every_layout_can_be_written() {
        let model = model();
        for (text, answer) in [
            (
                "Subject: Welcome David Ross\n\nGood morning, Nobody was surprised. Yara Olsen greeted the\nguests. The \
                 new head of sales at Gro Corp. is David Ross. By\nthe way, the table was fun. The next check is on\n\
                 December 17. The team has 29 people. Cheers Tom",
                "Welcome David Ross\n- The new head of sales at Gro Corp. is David Ross.\n\
                 - The next check is on December 17.\n- The team has 29 people.",
            ),
            (
                "# Course on remote work\n\nDear colleagues, The event takes place on June 2 in\nUlm. Noa\nNelson gives \
                 the main talk.",
                "Course on remote work\n- The event takes place on June 2 in Ulm.\n- Noa Nelson gives the main talk.",
            ),
            (
                "Parking at Acme B.V.\nHi all,\nData were collected until May 2.\nBackground\nAcme Ltd. sent 5. It \
                 rains.\n## Next\n54% is due. Ask S.A. Berlin Inc. in Bonn.",
                "Parking at Acme B.V.\n- Data were collected until May 2.\n- Acme Ltd. sent 5.\n- 54% is due.\n\
                 - Ask S.A. Berlin Inc. in Bonn.",
            ),
            (
                "What happened?\n\nCascade Books & Co. KG\n• Only 4 places are left.\n• It rains.\n• To do for Ann: \
                 pay €3,000.\nBob",
                "Cascade Books & Co. KG\n- Only 4 places are left.\n- To do for Ann: pay €3,000.",
            ),
        ] {
            let material = material(text);
            assert_eq!(check_extract(answer, &material), Ok(()));
            assert!(takes(&model, compile(&model, &material), answer), "{answer}");
        }
    }

    #[test]
    fn the_longest_materials_are_copied_from() {
        let model = model();
        let pieces = |piece: &dyn Fn(usize) -> String| (0..MAX_PIECES).map(piece).collect::<String>();
        for (text, answer) in [
            (pieces(&|index| format!("X{index}. ")), "X7.\n- X8. X9.\n- X20.\n- X499."),
            (pieces(&|index| format!("X{index}.\n\n")), "X7.\n- X8.\n- X20.\n- X499."),
            (pieces(&|index| format!("X{}. ", index / 2 * (index % 2))), "X7.\n- X7.\n- X0. X8. X0. X9.\n- X0. X249."),
            (pieces(&|index| format!("X{}. ", index % 250)), "X7.\n- X8. X9.\n- X20.\n- X249."),
            (pieces(&|_| "X. ".to_owned()), "X.\n- X. X. X."),
            ("And ".repeat(MAX_WORDS - 1) + "end", &format!("end\n- {}end", "And ".repeat(MAX_WORDS - 1))),
            ((0..MAX_WORDS).map(|index| format!("w{index} ")).collect(), "w1 w2\n- w0 w1"),
        ] {
            let material = material(&text);
            let whole = !answer.ends_with("w1");
            assert_eq!(check_extract(answer, &material).is_ok(), whole, "{:.50}", text);
            assert_eq!(takes(&model, compile(&model, &material), answer), whole, "{:.50}", text);
        }
    }

    #[test]
    fn a_title_stands_at_the_beginning_of_a_text() {
        let model = model();
        let mut material = material(&format!("{}\nFar\nOn", "And on. ".repeat(MAX_WORDS_BEFORE_TITLE / 2)));
        let check = |material: &Material, expected: bool| {
            assert_eq!(takes(&model, compile(&model, material), "Far\n- Far"), expected);
            assert_eq!(check_extract("Far\n- Far", material).is_ok(), expected);
        };
        check(&material, false);
        material.add("Far away");
        check(&material, true);
    }

    #[test]
    fn without_anything_to_copy_or_with_too_much_any_text_is_taken() {
        let model = model();
        let sentences = "Stop. ".repeat(MAX_PIECES + 1);
        let words = "and ".repeat(MAX_WORDS + 1);
        for text in ["", " \n", "***", &sentences, &words] {
            let material = material(text);
            assert!(takes(&model, compile(&model, &material), "Any text"));
            assert_eq!(check_extract("Any text", &material), Ok(()));
        }
    }
}
