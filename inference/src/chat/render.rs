//! From a conversation to a prompt: in the Mistral v3 format where the vocabulary has its control tokens, by the model's
//! own chat template elsewhere.

use super::mistral_v3::MistralV3;
use super::template::Template;
use super::{Message, ToolDefinition};
use crate::tokenizer::{Segment, TokenId, Tokenizer};

/// Makes prompts for one model.
pub struct Renderer {
    format: Format,
    tool_calls: Option<TokenId>,
}

enum Format {
    MistralV3(MistralV3),
    Template(Box<Template>),
}

/// Why a model's prompts cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableFormat {
    /// Neither the tokens of the Mistral v3 format nor a template.
    #[error("the vocabulary has no control token {0} and the model no chat template; use an instruct model")]
    NoControlToken(&'static str),
    /// A template that cannot be read.
    #[error("the model's chat template cannot be used: {0}; use a model with a template that Jinja reads")]
    Template(String),
}

/// Why a conversation has no prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// What the template's author says of the conversation.
    #[error("the model's chat template refuses the conversation: {0}")]
    Refused(String),
    /// The template has no place for tools, or for calls and their results.
    #[error("the model's chat template has no place for tools; use a model with tools, or none of them")]
    NoTools,
    /// The template does something with a text of the conversation after which it cannot be told from the template's.
    #[error(
        "the model's chat template changes a text of the conversation so that it cannot be followed; leave out markup like <think>"
    )]
    Altered,
    /// More work or text than any conversation needs.
    #[error("the model's chat template takes too many steps or writes too much; shorten the conversation")]
    TooLarge,
    /// The template does what cannot be done.
    #[error("the model's chat template fails: {0}")]
    Failed(String),
}

impl Renderer {
    /// `chat_template` is the model's own, in Jinja. Mistral's formats from v7 on are rendered by it, too.
    pub fn new(tokenizer: &Tokenizer, chat_template: Option<&str>) -> Result<Self, UnusableFormat> {
        let by_template = |source: &str| {
            let template = Template::new(tokenizer, source).map_err(UnusableFormat::Template)?;
            Ok(Format::Template(Box::new(template)))
        };
        let format = match (MistralV3::new(tokenizer), chat_template) {
            (Ok(_), Some(template)) if template.contains("[SYSTEM_PROMPT]") => by_template(template)?,
            (Ok(format), _) => Format::MistralV3(format),
            (Err(_), Some(template)) => by_template(template)?,
            (Err(token), None) => return Err(UnusableFormat::NoControlToken(token)),
        };
        Ok(Renderer { format, tool_calls: tokenizer.control("[TOOL_CALLS]") })
    }

    /// The prompt of a conversation. Tools that the model is told of need a place in the format.
    pub fn render(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Vec<Segment>, RenderError> {
        match &self.format {
            Format::MistralV3(format) => Ok(format.render(messages, tools)),
            Format::Template(template) => template.render(messages, tools),
        }
    }

    /// Whether prompts have a place for tools.
    pub fn supports_tools(&self) -> bool {
        match &self.format {
            Format::MistralV3(_) => true,
            Format::Template(template) => template.supports_tools(),
        }
    }

    /// The token that begins a reply with calls; without one, a model can only answer.
    pub fn tool_calls(&self) -> Option<TokenId> {
        self.tool_calls
    }

    /// What the format is called.
    pub fn format_name(&self) -> &'static str {
        match &self.format {
            Format::MistralV3(_) => "the Mistral v3 prompt format",
            Format::Template(_) => "the model's own chat template",
        }
    }
}
