//! Compiles grammars against a model's vocabulary, in bounded time and memory. Compiled ones are kept: all steps of an
//! agent share a few.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llguidance::api::{GrammarInit, ParserLimits, TopLevelGrammar};
use llguidance::{Logger, Matcher, ParserFactory, TokenParser};
use toktrie::InferenceCapabilities;

use super::kept::Kept;
use super::limits::{self, Excess};
use super::vocabulary::Vocabulary;
use super::{AnswerForm, Grammar, GrammarError, ReplyForm, culprit, lark};
use crate::chat::dumps;
use crate::tokenizer::{TokenId, Tokenizer};

/// What llguidance may spend on a grammar's terminals: enough for a material of a million characters.
const LEXER_FUEL: u64 = 8_000_000;
/// States of a grammar's lexer, which are added as they are needed: about a kilobyte each.
const MAX_LEXER_STATES: usize = 100_000;
/// The same where words are copied from material, of which the first token alone may be any.
const MAX_LEXER_STATES_OF_COPIES: usize = 250_000;
/// llguidance follows rules and references into each other by recursion. Only what is used is taken.
const STACK_BYTES: usize = 128 << 20;
/// The longest reason that an error repeats.
const MAX_REASON_CHARS: usize = 400;

pub(crate) struct GrammarCompiler {
    factory: ParserFactory,
    vocabulary: Arc<Vocabulary>,
    /// Without the token that begins calls, there are none.
    tool_calls: Option<TokenId>,
    kept: Mutex<Kept>,
}

impl GrammarCompiler {
    /// Builds the vocabulary's trie, once per model.
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, tool_calls: Option<TokenId>) -> Result<Self, String> {
        let vocabulary = Arc::new(Vocabulary::new(tokenizer));
        let mut factory = ParserFactory::new_simple(&vocabulary.environment).map_err(|error| error.to_string())?;
        let limits = factory.limits_mut();
        limits.verbose_errors = false;
        limits.initial_lexer_fuel = LEXER_FUEL;
        Ok(GrammarCompiler { factory, vocabulary, tool_calls, kept: Mutex::default() })
    }

    /// The grammar of a reply, at its start. One that copies from material serves a single turn and is not kept.
    pub(crate) fn compile_form(&self, form: &ReplyForm<'_>) -> Result<Grammar, GrammarError> {
        let form = &ReplyForm { max_calls: if self.tool_calls.is_some() { form.max_calls } else { 0 }, ..*form };
        if form.must_call() && !form.may_call() {
            return Err(GrammarError::NoTools);
        }
        if form.copies() {
            return Ok(self.compiled(form)?.0);
        }
        let key = key(form);
        if let Some(grammar) = self.kept().get(&key) {
            return Ok(grammar);
        }
        let (grammar, parser) = self.compiled(form)?;
        self.kept().insert(key, grammar.clone(), parser);
        Ok(grammar)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On a thread with a stack for every form within the limits.
    fn compiled(&self, form: &ReplyForm<'_>) -> Result<(Grammar, TokenParser), GrammarError> {
        let failed = |reason: &str| GrammarError::Together(reason.to_owned());
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || {
                check(form)?;
                let text = lark::reply(self.tool_calls, form);
                let max_states = if form.copies() { MAX_LEXER_STATES_OF_COPIES } else { MAX_LEXER_STATES };
                self.parser(text, max_states).map_err(|reason| self.blame(form, reason))
            });
            let thread = thread.map_err(|error| failed(&format!("no thread to compile on: {error}")))?;
            thread.join().unwrap_or_else(|_| Err(failed("the compiler panicked")))
        })
    }

    /// The grammar and the parser that it shares its lexer with.
    fn parser(&self, text: String, max_lexer_states: usize) -> Result<(Grammar, TokenParser), String> {
        let grammar = GrammarInit::Serialized(TopLevelGrammar::from_lark(text));
        let limits = ParserLimits { max_lexer_states, ..self.factory.limits().clone() };
        let capabilities = InferenceCapabilities::default();
        let parser = self.factory.create_parser_from_init_ext(grammar, Logger::new(0, 0), capabilities, limits);
        let parser = parser.map_err(|error| error.to_string())?;
        let matcher = Matcher::new(Ok(parser.clone()));
        let mut grammar = Grammar::new(matcher, self.vocabulary.clone());
        // What is too much for the first tokens is refused here, not while decoding.
        grammar.mask()?;
        let mut further = grammar.clone();
        further.force()?;
        if !further.is_finished() {
            further.mask()?;
        }
        Ok((grammar, parser))
    }

    /// Names the schema, and the part of it, that failed.
    fn blame(&self, form: &ReplyForm<'_>, reason: String) -> GrammarError {
        let compile = |text: String| self.parser(text, MAX_LEXER_STATES).map(drop);
        // What is too much is so as a whole.
        let mut searched = form.schemas().filter(|_| !is_too_much(&reason));
        let found = searched.find_map(|(place, schema)| {
            let (pointer, reason) = culprit::find(schema, &compile)?;
            Some(GrammarError::Schema { place, pointer: clip(&pointer), reason: in_short(&reason) })
        });
        if let Some(error) = found {
            return error;
        }
        let reason = in_short(&reason);
        let mut schemas = form.schemas();
        match (schemas.next(), schemas.next(), form.answer) {
            (None, _, AnswerForm::Regex(_)) => GrammarError::Regex(reason),
            (Some((place, _)), None, AnswerForm::Json(_) | AnswerForm::Text) => {
                GrammarError::Schema { place, pointer: String::new(), reason }
            }
            _ => GrammarError::Together(reason),
        }
    }
}

/// What the grammar depends on, if it copies nothing from material.
fn key(form: &ReplyForm<'_>) -> String {
    let mut key = format!("{:?} {:?} {}", form.lead, form.choice, form.max_calls);
    for tool in form.tools {
        let _ = write!(key, "\n{:?} {}", tool.name, dumps(&tool.parameters));
    }
    let _ = match form.answer {
        AnswerForm::Text | AnswerForm::Extract => write!(key, "\ntext"),
        AnswerForm::Json(schema) => write!(key, "\njson {}", dumps(schema)),
        AnswerForm::Regex(pattern) => write!(key, "\nregex {pattern}"),
    };
    key
}

fn check(form: &ReplyForm<'_>) -> Result<(), GrammarError> {
    for (place, schema) in form.schemas() {
        let refused = |Excess { pointer, reason }| GrammarError::Schema { place, pointer: clip(&pointer), reason };
        limits::check_schema(schema).map_err(refused)?;
    }
    let schemas = form.schemas().map(|(_, schema)| schema);
    limits::check_together(schemas).map_err(|excess| GrammarError::Together(excess.reason))?;
    if let AnswerForm::Regex(pattern) = form.answer {
        limits::check_pattern(pattern).map_err(|excess| GrammarError::Regex(excess.reason))?;
    }
    Ok(())
}

/// What is wrong, without what surrounds it in the grammar's text.
fn in_short(reason: &str) -> String {
    if is_too_much(reason) {
        return "it has more alternatives or repetitions than can be followed".to_owned();
    }
    let detail = reason.lines().find_map(|line| line.strip_prefix("error: "));
    let line = detail.or_else(|| reason.lines().next()).unwrap_or_default();
    clip(line.rsplit("failed to compile JSON schema: ").next().unwrap_or(line))
}

/// Whether the grammar compiles, but one of the first tokens takes too much.
fn is_too_much(reason: &str) -> bool {
    ["Current row has", "Too many items"].iter().any(|sign| reason.contains(sign))
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
impl GrammarCompiler {
    /// Of a reply with one call at most.
    pub(crate) fn compile(
        &self,
        material: &super::Material,
        tools: &[crate::chat::ToolDefinition],
        choice: super::ToolChoice,
        answer: impl Into<AnswerForm>,
    ) -> Result<Grammar, GrammarError> {
        let answer = &answer.into();
        self.compile_form(&ReplyForm { tools, choice, max_calls: 1, answer, material, lead: super::Lead::Space })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::super::{Material, ToolChoice};
    use crate::model::Model;

    #[test]
    fn grammars_that_copy_from_material_are_not_kept_and_others_are() {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap();
        let mut material = Material::default();
        material.add("some words");
        let compile = |schema: Value, material| {
            model.grammars.compile(material, &[], ToolChoice::None, Some(&schema)).unwrap();
            model.grammars.kept().len()
        };
        let name = json!({"type": ["string", "null"], "format": "verbatim"});
        assert_eq!(compile(json!({"type": "string"}), &material), 1);
        assert_eq!(compile(name.clone(), &material), 1);
        assert_eq!(compile(name, &Material::default()), 2);
    }
}
