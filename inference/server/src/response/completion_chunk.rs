//! `POST /v1/completions`, the way out piece by piece.

use inference::ReplyEvent;
use serde::Serialize;
use utoipa::ToSchema;

use super::finish::FinishReason;
use super::logprobs::TextLogprobs;
use super::stream::Chunks;
use super::usage::UsageView;

/// A chunk of a streamed plain completion, as it is described; [`super::stream`] writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description of what the stream writes")]
pub(crate) struct TextChunk {
    id: String,
    /// `text_completion`.
    object: &'static str,
    created: u64,
    model: String,
    system_fingerprint: String,
    /// None in the chunk of the usage.
    choices: Vec<TextPiece>,
    /// Only with `stream_options.include_usage`: null in all chunks but the last.
    #[schema(required = false)]
    usage: Option<UsageView>,
}

/// More of one answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextPiece {
    text: String,
    index: usize,
    logprobs: Option<TextLogprobs>,
    /// In the answer's last chunk.
    finish_reason: Option<FinishReason>,
}

/// The words of plain completions.
pub(crate) struct CompletionChunks {
    /// How many characters of each answer have been told of.
    offsets: Vec<usize>,
}

impl CompletionChunks {
    pub(crate) fn new(num_answers: usize) -> Self {
        CompletionChunks { offsets: vec![0; num_answers] }
    }
}

impl Chunks for CompletionChunks {
    const OBJECT: &'static str = "text_completion";
    type Piece = TextPiece;

    fn begin(&self, _: usize) -> Option<TextPiece> {
        None
    }

    fn piece(&mut self, index: usize, event: ReplyEvent) -> Option<TextPiece> {
        match event {
            ReplyEvent::Text { text, tokens } => {
                let logprobs = TextLogprobs::of(tokens, &mut self.offsets[index]);
                Some(TextPiece { text, index, logprobs, finish_reason: None })
            }
            ReplyEvent::Finished { finish, .. } => {
                Some(TextPiece { text: String::new(), index, logprobs: None, finish_reason: Some(finish.into()) })
            }
            // A plain continuation has no calls.
            ReplyEvent::CallBegins { .. } | ReplyEvent::Arguments { .. } => None,
        }
    }
}
