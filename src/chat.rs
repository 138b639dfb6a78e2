//! `talon chat`: a conversation with a model, in a terminal or through pipes.

mod input;
mod partner;
mod server;
mod talk;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use config::{ModelSource, ModelSpec, TalonConfig};
use futures::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ChatArgs;
use crate::configuration;
use crate::failure::Failure;
use crate::output::{print, say};
use input::{Input, Line};
use partner::{Finish, Partner, Piece, Turn};
use server::Server;
use talk::{Command, Reply, Talk};

const HELP: &str = "\
/stats         tokens and times of the last reply, and the context used
/reset         forget the conversation
/system TEXT   tell the model this before everything else; without TEXT, nothing
/quit          leave, as Ctrl-D does
Ctrl-C         stop the reply; twice, leave";

pub(crate) async fn run(arguments: ChatArgs, json: bool) -> Result<(), Failure> {
    let interrupts = signal(SignalKind::interrupt())
        .map_err(|error| Failure::unavailable(format!("Ctrl-C cannot be received: {error}")))?;
    let partner = partner(&arguments).await?;
    let input = Input::open()?;
    if input.is_terminal() {
        say(format_args!("talking to {}; /help lists commands, Ctrl-D leaves", partner.name()));
    }
    let talk = Talk::new(arguments.system.clone());
    Chat { arguments, json, partner, input, talk, interrupts }.run().await
}

async fn partner(arguments: &ChatArgs) -> Result<Partner, Failure> {
    if let Some(url) = &arguments.url {
        return Server::find(url, arguments.model.as_deref(), arguments.key.as_deref()).await.map(Partner::Server);
    }
    let config = configuration::load(arguments.config.as_deref())?;
    let spec = spec(&config, arguments.model.as_deref())?;
    Partner::load(&config, &spec).await.map_err(|failure| failure.about(&format!("model {}", spec.name)))
}

/// The model of that name, or the file of that path, or the first one.
fn spec(config: &TalonConfig, asked: Option<&str>) -> Result<ModelSpec, Failure> {
    let Some(asked) = asked else {
        return config.models.first().cloned().ok_or_else(|| Failure::usage("the configuration has no models"));
    };
    let path = PathBuf::from(asked);
    if let Some(spec) = config.models.iter().find(|spec| spec.name == asked) {
        return Ok(spec.clone());
    }
    if path.exists() {
        return Ok(ModelSpec { name: asked.to_owned(), source: ModelSource::Path(path) });
    }
    let names = config.models.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Failure::usage(format!("{asked:?} is neither a model of the configuration ({names}) nor a file")))
}

struct Chat {
    arguments: ChatArgs,
    json: bool,
    partner: Partner,
    input: Input,
    talk: Talk,
    interrupts: Signal,
}

impl Chat {
    async fn run(mut self) -> Result<(), Failure> {
        let mut was_interrupted = false;
        loop {
            let line = tokio::select! {
                line = self.input.next() => line?,
                _ = self.interrupts.recv() => Line::Interrupted,
            };
            let text = match line {
                Line::Text(text) => text,
                Line::Interrupted if !self.input.is_terminal() => return Err(Failure::interrupted("interrupted")),
                Line::Interrupted if !was_interrupted => {
                    was_interrupted = true;
                    say("Ctrl-C once more, or Ctrl-D, leaves");
                    continue;
                }
                Line::Interrupted | Line::End => return Ok(()),
            };
            was_interrupted = false;
            match Command::of(&text) {
                Command::Nothing => {}
                Command::Say(text) => was_interrupted = self.turn(text).await?,
                Command::Stats => say(self.talk.stats(self.partner.context_tokens())),
                Command::Reset => self.talk.reset(),
                Command::System(text) => self.talk.set_system(text),
                Command::Help => say(HELP),
                Command::Quit => return Ok(()),
                Command::Unknown(name) => say(format_args!("there is no {name}; /help lists what there is")),
            }
        }
    }

    /// One turn; whether it was interrupted. A turn that fails is forgotten, and ends the chat unless a person is there.
    async fn turn(&mut self, text: &str) -> Result<bool, Failure> {
        self.talk.ask(text);
        match self.reply().await {
            Ok(reply) => {
                let was_interrupted = reply.finish == Finish::Interrupted;
                if self.json {
                    print(reply.told(self.partner.context_tokens()))?;
                }
                self.talk.answered(reply);
                match was_interrupted && !self.input.is_terminal() {
                    true => Err(Failure::interrupted("interrupted")),
                    false => Ok(was_interrupted),
                }
            }
            Err(failure) if self.input.is_terminal() && failure.is_told() => {
                self.talk.forget_question();
                say(format_args!("error: {failure}"));
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The reply, shown as it comes unless all of it becomes one line of JSON.
    async fn reply(&mut self) -> Result<Reply, Failure> {
        let began = Instant::now();
        let turn = Turn {
            messages: self.talk.messages(),
            temperature: self.arguments.temperature,
            max_tokens: self.arguments.max_tokens.get(),
        };
        let mut reply = Reply::default();
        let ended = tokio::select! {
            ended = listen(&self.partner, turn, began, !self.json, &mut reply) => Some(ended),
            _ = self.interrupts.recv() => None,
        };
        reply.elapsed = began.elapsed();
        if !self.json && !reply.text.is_empty() {
            print("")?;
        }
        ended.unwrap_or(Ok(()))?;
        Ok(reply)
    }
}

/// Takes the pieces of a reply until its end.
async fn listen(
    partner: &Partner,
    turn: Turn,
    began: Instant,
    is_shown: bool,
    reply: &mut Reply,
) -> Result<(), Failure> {
    let mut pieces = partner.ask(turn).await?;
    while let Some(piece) = pieces.next().await {
        match piece? {
            Piece::Text(text) => {
                reply.first_piece.get_or_insert_with(|| began.elapsed());
                if is_shown {
                    show(&text)?;
                }
                reply.text.push_str(&text);
            }
            Piece::End { finish, usage } => {
                reply.finish = finish;
                reply.usage = usage;
            }
        }
    }
    Ok(())
}

/// A piece of a line.
fn show(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let shown = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    shown.map_err(|_| Failure::reader_left())
}
