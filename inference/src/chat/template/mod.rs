//! Prompts by a model's own chat template, in Jinja as Hugging Face runs it.
//!
//! A template writes control tokens and the conversation's texts into one string, so each conversation is rendered twice:
//! as it is, and with private-use characters in place of what others wrote. Where the two differ is the conversation;
//! control tokens are looked for only in what is left. See `mask.rs`.

mod conversation;
mod markers;
mod mask;
mod python;

use std::io;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};

use self::conversation::Conversation;
use self::markers::Markers;
use self::mask::{Masks, segments};
use self::python::Raised;
use crate::chat::{Message, RenderError, ToolDefinition};
use crate::tokenizer::{Segment, TokenId, Tokenizer};

/// What is given to a template of an earlier answer.
type Cut = fn(&str) -> &str;

/// An answer as it is. Where a template cuts off what the model thought, it can be followed if that is not there.
const CUTS: [Cut; 3] = [|answer| answer, after_thoughts, |answer| after_thoughts(answer).trim_start_matches('\n')];
const NAME: &str = "chat_template";
/// Instructions: some thousand messages' worth.
const FUEL: u64 = 5_000_000;
const MAX_OUTPUT_BYTES: usize = 64 << 20;

pub(super) struct Template {
    environment: Environment<'static>,
    markers: Markers,
    supports_tools: bool,
    bos: String,
    eos: String,
}

impl Template {
    pub(super) fn new(tokenizer: &Tokenizer, source: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_fuel(Some(FUEL));
        python::install(&mut environment);
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| error.to_string())?;
        let variables = environment.get_template(NAME).map(|template| template.undeclared_variables(false));
        let supports_tools = variables.map_err(|error| error.to_string())?.contains("tools");
        let name = |id: TokenId| tokenizer.control_name(id).unwrap_or_default().to_owned();
        let (bos, eos) = (name(tokenizer.bos()), name(tokenizer.eos()));
        Ok(Template { environment, markers: Markers::new(tokenizer.markers()), supports_tools, bos, eos })
    }

    pub(super) fn supports_tools(&self) -> bool {
        self.supports_tools
    }

    pub(super) fn render(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Vec<Segment>, RenderError> {
        let of_tools = |message: &Message| matches!(message, Message::ToolCalls(_) | Message::ToolResult { .. });
        if !self.supports_tools && (!tools.is_empty() || messages.iter().any(of_tools)) {
            return Err(RenderError::NoTools);
        }
        let now = Timestamp::now();
        let as_told = Conversation::new(messages, tools, CUTS[0]);
        let plain = self.run(as_told.variables(&mut |text| text.to_owned()), now)?;
        let followed = |cut: &Cut| {
            let mut masks = Masks::default();
            let conversation = Conversation::new(messages, tools, *cut);
            let masked = self.run(conversation.variables(&mut |text| masks.mask(text)), now).ok()?;
            segments(&plain, &masked, &self.markers)
        };
        CUTS.iter().find_map(followed).ok_or(RenderError::Altered)
    }

    fn run(&self, conversation: Vec<(&'static str, Value)>, now: Timestamp) -> Result<String, RenderError> {
        let own = [
            ("bos_token", self.bos.clone().into()),
            ("eos_token", self.eos.clone().into()),
            ("add_generation_prompt", true.into()),
            ("documents", Value::from(())),
            ("strftime_now", Value::from_function(move |format: &str| python::strftime(format, now))),
        ];
        let context = Value::from_pairs(conversation.into_iter().chain(own));
        let mut output = Bounded::default();
        let template = self.environment.get_template(NAME).map_err(|error| failed(&error))?;
        let rendered = template.render_captured_to(context, &mut output).map(drop);
        if output.is_full {
            return Err(RenderError::TooLarge);
        }
        rendered.map_err(|error| failed(&error))?;
        String::from_utf8(output.bytes).map_err(|error| RenderError::Failed(error.to_string()))
    }
}

fn after_thoughts(answer: &str) -> &str {
    answer.rsplit("</think>").next().unwrap_or(answer)
}

fn failed(error: &minijinja::Error) -> RenderError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Raised(message)) = error.downcast_ref() {
            return RenderError::Refused(message.clone());
        }
        cause = error.source();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => RenderError::TooLarge,
        _ => RenderError::Failed(error.to_string()),
    }
}

#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full = self.bytes.len() + bytes.len() > MAX_OUTPUT_BYTES;
        if self.is_full {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
