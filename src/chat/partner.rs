//! Who answers: an engine in this process, or a server. Either way a reply comes in pieces.

use config::{ModelSpec, TalonConfig};
use futures::StreamExt;
use futures::stream::BoxStream;
use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatRequest, Message, ReplyError, ReplyEvent, ReplyFinish, SamplingOptions,
    SamplingParams, ToolChoice, Usage,
};
use types::TaskClass;

use super::server::Server;
use crate::failure::{Failure, with_causes};
use crate::metrics::Metrics;
use crate::models::{self, Place};

/// Who answers.
pub(super) enum Partner {
    Engine { name: String, model: ChatModel },
    Server(Server),
}

/// What is asked of it.
pub(super) struct Turn {
    /// The conversation; the user spoke last.
    pub(super) messages: Vec<Message>,
    pub(super) temperature: f32,
    pub(super) max_tokens: usize,
}

/// A part of a reply.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// The last one.
    End {
        finish: Finish,
        usage: Option<Usage>,
    },
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    #[default]
    Interrupted,
}

impl Finish {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::Interrupted => "interrupted",
        }
    }
}

/// Ends with `End` or an error.
pub(super) type Pieces = BoxStream<'static, Result<Piece, Failure>>;

impl Partner {
    /// A model of the configuration.
    pub(super) async fn load(config: &TalonConfig, spec: &ModelSpec) -> Result<Self, Failure> {
        Ok(match models::place(config, &spec.source).await? {
            Place::Here(path) => {
                let model = models::start(config, &spec.name, path, &Metrics::new()).await?;
                Partner::Engine { name: spec.name.clone(), model }
            }
            Place::There(remote) => Partner::Server(Server::configured(&remote)?),
        })
    }

    pub(super) fn name(&self) -> String {
        match self {
            Partner::Engine { name, .. } => name.clone(),
            Partner::Server(server) => server.name(),
        }
    }

    /// Tokens that a conversation may have, where that is known.
    pub(super) fn context_tokens(&self) -> Option<usize> {
        match self {
            Partner::Engine { model, .. } => Some(model.info().context_len),
            Partner::Server(server) => server.context_tokens(),
        }
    }

    pub(super) async fn ask(&self, turn: Turn) -> Result<Pieces, Failure> {
        match self {
            Partner::Engine { model, .. } => {
                let stream = model.chat(request(turn)?).await.map_err(refused)?;
                Ok(stream.filter_map(async |event| event.map(piece).map_err(refused).transpose()).boxed())
            }
            Partner::Server(server) => server.ask(turn).await,
        }
    }
}

fn request(turn: Turn) -> Result<ChatRequest, Failure> {
    let params = SamplingParams::try_from(SamplingOptions {
        temperature: turn.temperature,
        seed: rand::random(),
        max_new_tokens: turn.max_tokens,
        ..SamplingOptions::default()
    });
    Ok(ChatRequest {
        messages: turn.messages,
        tools: Vec::new(),
        callable: Vec::new(),
        tool_choice: ToolChoice::None,
        max_calls: 0,
        answer: AnswerForm::Text,
        material: Default::default(),
        params: params.map_err(|error| Failure::usage(error.to_string()))?,
        stop: Vec::new(),
        class: TaskClass::Interactive,
        cache_salt: CacheSalt::default(),
        deadline: None,
    })
}

fn piece(event: ReplyEvent) -> Option<Piece> {
    match event {
        ReplyEvent::Text { text, .. } => Some(Piece::Text(text)),
        ReplyEvent::Finished { finish, usage } => {
            let finish = match finish {
                ReplyFinish::Stop | ReplyFinish::ToolCalls => Finish::Stop,
                ReplyFinish::Length => Finish::Length,
            };
            Some(Piece::End { finish, usage: Some(usage) })
        }
        // It has no tools to call.
        ReplyEvent::CallBegins { .. } | ReplyEvent::Arguments { .. } => None,
    }
}

fn refused(error: ReplyError) -> Failure {
    match error {
        ReplyError::TooLong { tokens, max } => Failure::negative(format!(
            "the conversation has {tokens} tokens and the model accepts {max}; /reset forgets it"
        )),
        error => Failure::negative(with_causes(&error)),
    }
}
