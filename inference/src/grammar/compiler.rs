//! Compiles grammars against a model's vocabulary. Compiled ones are kept: all steps of an agent share a few.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;

use super::vocabulary::environment;
use super::{AnswerForm, Grammar, GrammarError, Material, ToolChoice, culprit, lark, verbatim};
use crate::chat::ToolDefinition;
use crate::tokenizer::{TokenId, Tokenizer};

/// More than the agents of a pool have; past it the cache starts anew.
const MAX_KEPT: usize = 128;
/// What llguidance may spend on a grammar's terminals: enough for a material of a million characters.
const LEXER_FUEL: u64 = 8_000_000;
/// llguidance follows rules into each other by recursion, and an extract's form a chain. Only what is used is taken.
const STACK_BYTES: usize = 128 << 20;

pub(crate) struct GrammarCompiler {
    factory: ParserFactory,
    tool_calls: TokenId,
    kept: Mutex<HashMap<String, Grammar>>,
}

impl GrammarCompiler {
    /// Builds the vocabulary's trie, once per model.
    pub(crate) fn new(tokenizer: &Tokenizer, tool_calls: TokenId) -> Result<Self, String> {
        let mut factory = ParserFactory::new_simple(&environment(tokenizer)).map_err(|error| error.to_string())?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        factory.limits_mut().initial_lexer_fuel = LEXER_FUEL;
        Ok(GrammarCompiler { factory, tool_calls, kept: Mutex::default() })
    }

    /// The grammar of a reply, at its start. One that copies from material serves a single turn and is not kept.
    pub(crate) fn compile(
        &self,
        material: &Material,
        tools: &[ToolDefinition],
        choice: ToolChoice,
        answer: impl Into<AnswerForm>,
    ) -> Result<Grammar, GrammarError> {
        let answer = answer.into();
        let answer_schema = answer.schema();
        if tools.is_empty() && choice == ToolChoice::Required {
            return Err(GrammarError::NoTools);
        }
        let text = lark::reply(self.tool_calls, tools, choice, &answer, material);
        let schemas = tools.iter().map(|tool| &tool.parameters).chain(answer_schema);
        let has_copies = schemas.into_iter().any(verbatim::is_within);
        if !material.is_empty() && (has_copies || answer == AnswerForm::Extract) {
            let terminals = if has_copies { verbatim::terminals(material) } else { String::new() };
            return self.grammar(&(text + &terminals), tools, answer_schema);
        }
        if let Some(grammar) = self.kept().get(&text) {
            return Ok(grammar.clone());
        }
        let grammar = self.grammar(&text, tools, answer_schema)?;
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(text, grammar.clone());
        Ok(grammar)
    }

    fn grammar(
        &self,
        text: &str,
        tools: &[ToolDefinition],
        answer_schema: Option<&Value>,
    ) -> Result<Grammar, GrammarError> {
        match self.matcher(text) {
            Ok(matcher) => Ok(Grammar::new(matcher)),
            Err(reason) => Err(self.blame(tools, answer_schema, reason)),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Grammar>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn matcher(&self, text: &str) -> Result<Matcher, String> {
        let compile = || Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(text.to_owned())));
        let matcher = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, compile);
            let thread = thread.map_err(|error| format!("no thread to compile on: {error}"))?;
            thread.join().map_err(|_| "the compiler panicked".to_owned())
        })?;
        matcher.get_error().map_or(Ok(matcher), Err)
    }

    /// Names the schema, and the part of it, that failed.
    fn blame(&self, tools: &[ToolDefinition], answer_schema: Option<&Value>, reason: String) -> GrammarError {
        let answer = answer_schema.map(|schema| ("answer schema".to_owned(), schema));
        let parameters = tools.iter().map(|tool| (format!("parameters of tool {:?}", tool.name), &tool.parameters));
        let compile = |schema: &Value| self.matcher(&lark::schema(schema)).map(drop);
        let found = answer.into_iter().chain(parameters).find_map(|(place, schema)| {
            let (pointer, reason) = culprit::find(schema, &compile)?;
            Some(GrammarError::Schema { place, pointer, reason })
        });
        found.unwrap_or(GrammarError::Together(reason))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
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
