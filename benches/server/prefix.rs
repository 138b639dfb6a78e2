//! The time to the first token when the instructions have been read before.

use crate::ask::Prompt;
use crate::row::Row;
use crate::serve::{Peer, Server};
use crate::{Error, Options};

const PREFIX_TOKENS: usize = 1500;
const QUESTION_TOKENS: usize = 20;
const NEW_TOKENS: usize = 4;

pub(crate) async fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let server = Server::start(Peer::Talon, options).await?;
    let mut seconds = [Vec::new(), Vec::new()];
    for round in 0..options.rounds as u64 {
        // Cold, then cached: another question behind the same prefix.
        for (column, question) in [(1, 2 * round), (0, 2 * round + 1)] {
            let prompt = Prompt { system: (round, PREFIX_TOKENS), user: (question, QUESTION_TOKENS) };
            let answer = server.ask_for(prompt.chat(NEW_TOKENS), NEW_TOKENS).await?;
            seconds[column].push(answer.first_token.as_secs_f64());
        }
    }
    let work = format!("prefix of {PREFIX_TOKENS} tokens");
    Ok(vec![Row::of_medians(work, "first token, s", ["cached", "cold"], seconds)])
}
