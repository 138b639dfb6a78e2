//! A conversation and its figures, and the commands in it. Pure.

use std::time::Duration;

use inference::{Message, Usage};
use serde_json::{Value, json};

use super::partner::Finish;

/// From a shorter time no speed is told.
const SHORTEST: Duration = Duration::from_millis(10);

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Nothing,
    Say(&'a str),
    Stats,
    Reset,
    System(&'a str),
    Help,
    Quit,
    Unknown(&'a str),
}

impl<'a> Command<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let line = line.trim();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match name {
            "" => Command::Nothing,
            "/stats" => Command::Stats,
            "/reset" => Command::Reset,
            "/system" => Command::System(rest.trim()),
            "/help" => Command::Help,
            "/quit" => Command::Quit,
            _ if name.starts_with('/') => Command::Unknown(name),
            _ => Command::Say(line),
        }
    }
}

/// What a model said, and what that took.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) finish: Finish,
    /// As the model counted; not of a reply that was interrupted.
    pub(super) usage: Option<Usage>,
    /// From the question to the first piece.
    pub(super) first_piece: Option<Duration>,
    /// From the question to the end.
    pub(super) elapsed: Duration,
}

impl Reply {
    /// One line of JSON.
    pub(super) fn told(&self, context_tokens: Option<usize>) -> Value {
        json!({
            "reply": self.text,
            "finish": self.finish.as_str(),
            "prompt_tokens": self.usage.map(|usage| usage.prompt_tokens),
            "cached_tokens": self.usage.map(|usage| usage.cached_tokens),
            "completion_tokens": self.usage.map(|usage| usage.completion_tokens),
            "context_tokens": context_tokens,
            "seconds": self.elapsed.as_secs_f64(),
            "first_token_seconds": self.first_piece.map(|first| first.as_secs_f64()),
            "tokens_per_second": self.tokens_per_second(),
        })
    }

    /// Of the tokens after the first one, which waits for the prompt to be read.
    fn tokens_per_second(&self) -> Option<f64> {
        let writing = self.elapsed.saturating_sub(self.first_piece?);
        let after_the_first = self.usage?.completion_tokens.checked_sub(1)? as f64;
        (SHORTEST <= writing).then(|| after_the_first / writing.as_secs_f64())
    }
}

/// A conversation.
pub(super) struct Talk {
    system: Option<String>,
    messages: Vec<Message>,
    last: Option<Reply>,
}

impl Talk {
    pub(super) fn new(system: Option<String>) -> Self {
        Talk { system, messages: Vec::new(), last: None }
    }

    /// As the model gets it.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.system.clone().map(Message::System).into_iter().chain(self.messages.iter().cloned()).collect()
    }

    pub(super) fn ask(&mut self, text: &str) {
        self.messages.push(Message::User(text.to_owned()));
    }

    /// What was said before an interruption stays said; a question without any answer is forgotten.
    pub(super) fn answered(&mut self, reply: Reply) {
        match reply.text.is_empty() {
            false => self.messages.push(Message::Assistant(reply.text.clone())),
            true => self.forget_question(),
        }
        self.last = Some(reply);
    }

    pub(super) fn forget_question(&mut self) {
        self.messages.pop();
    }

    pub(super) fn reset(&mut self) {
        self.messages.clear();
        self.last = None;
    }

    /// An empty text is none.
    pub(super) fn set_system(&mut self, text: &str) {
        self.system = (!text.is_empty()).then(|| text.to_owned());
    }

    /// The last reply's figures, for people.
    pub(super) fn stats(&self, context_tokens: Option<usize>) -> String {
        let Some(reply) = &self.last else { return "nothing has been said yet".to_owned() };
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let first = reply.first_piece.map_or("never".to_owned(), seconds);
        let speed =
            reply.tokens_per_second().map_or("too short to tell".to_owned(), |speed| format!("{speed:.1} tokens/s"));
        let times = format!("first token after {first}, then {speed}, {} in all", seconds(reply.elapsed));
        let Some(Usage { prompt_tokens, cached_tokens, completion_tokens }) = reply.usage else {
            return format!("{times} ({})", reply.finish.as_str());
        };
        let used = prompt_tokens + completion_tokens;
        let context = context_tokens.map_or(String::new(), |context| format!(" of {context}"));
        format!(
            "reply    {completion_tokens} tokens ({}); {times}\n\
             prompt   {prompt_tokens} tokens, {cached_tokens} of them from the cache\n\
             context  {used}{context} tokens used",
            reply.finish.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply {
            text: text.to_owned(),
            finish: Finish::Stop,
            usage: Some(Usage { prompt_tokens: 30, cached_tokens: 16, completion_tokens: 11 }),
            first_piece: Some(Duration::from_millis(500)),
            elapsed: Duration::from_millis(2500),
        }
    }

    #[test]
    fn lines_are_commands_or_said() {
        for (line, expected) in [
            ("", Command::Nothing),
            (" \t\n", Command::Nothing),
            ("Hello there\n", Command::Say("Hello there")),
            ("/stats\n", Command::Stats),
            ("/system Be  brief. \n", Command::System("Be  brief.")),
            ("/system", Command::System("")),
            ("/rest", Command::Unknown("/rest")),
            ("a /quit", Command::Say("a /quit")),
            ("/quit", Command::Quit),
        ] {
            assert_eq!(Command::of(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_conversation_grows_and_is_forgotten() {
        let mut talk = Talk::new(Some("Be kind.".into()));
        talk.ask("one");
        talk.answered(reply("1"));
        talk.ask("two");
        talk.forget_question();
        talk.ask("three");
        let said = [Message::User("one".into()), Message::Assistant("1".into()), Message::User("three".into())];
        assert_eq!(talk.messages()[0], Message::System("Be kind.".into()));
        assert_eq!(talk.messages()[1..], said);
        talk.reset();
        talk.set_system("");
        assert_eq!(talk.messages(), []);
    }

    #[test]
    fn an_interrupted_reply_stays_said_and_an_empty_one_takes_its_question_along() {
        let mut talk = Talk::new(None);
        talk.ask("one");
        talk.answered(Reply { text: "1".into(), ..Reply::default() });
        talk.ask("two");
        talk.answered(Reply::default());
        assert_eq!(talk.messages(), [Message::User("one".into()), Message::Assistant("1".into())]);
    }

    #[test]
    fn figures_tell_speed_cache_and_context() {
        let mut talk = Talk::new(None);
        assert_eq!(talk.stats(None), "nothing has been said yet");
        talk.ask("one");
        talk.answered(reply("1"));
        let expected = "\
reply    11 tokens (stop); first token after 0.50 s, then 5.0 tokens/s, 2.50 s in all
prompt   30 tokens, 16 of them from the cache
context  41 of 2048 tokens used";
        assert_eq!(talk.stats(Some(2048)), expected);
        let told = reply("1").told(Some(2048));
        assert_eq!((&told["tokens_per_second"], &told["finish"]), (&json!(5.0), &json!("stop")));
    }
}
