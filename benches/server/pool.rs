//! Agents that share their instructions and read a document each, against llama.cpp's server.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use crate::ask::{Answer, Prompt};
use crate::row::{Row, percentile};
use crate::serve::{Peer, SLOTS, Server};
use crate::{Error, Options};

const SYSTEM_TOKENS: usize = 470;
const DOCUMENT_TOKENS: usize = 120;
const NEW_TOKENS: usize = 64;

const PEERS: [&str; 2] = ["talon", "llama_cpp"];
/// What a fresh server gets of each caller, and what follows once the instructions have been read.
const PHASES: [(&str, usize); 2] = [("pool, cold", 1), ("pool, warm", 2)];
const MEASURES: [&str; 6] =
    ["requests/min", "request p50, s", "request p95, s", "first p50, s", "first p95, s", "prompt tokens"];

pub(crate) async fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let mut figures: [[[Vec<f64>; 2]; MEASURES.len()]; PHASES.len()] = Default::default();
    for round in 0..options.rounds {
        let mut peers = [(0, Peer::Talon), (1, Peer::Llama)];
        if round % 2 == 1 {
            peers.reverse();
        }
        for (column, peer) in peers {
            let server = Server::start(peer, options).await?;
            let mut documents = (round * 1000) as u64..;
            for ((_, requests), figures) in PHASES.into_iter().zip(&mut figures) {
                for (measured, figures) in load(&server, requests, &mut documents).await?.into_iter().zip(figures) {
                    figures[column].push(measured);
                }
            }
        }
    }
    let rows = PHASES.into_iter().zip(figures).flat_map(|((phase, _), figures)| {
        MEASURES.into_iter().zip(figures).map(move |(measure, rounds)| Row::of_medians(phase, measure, PEERS, rounds))
    });
    Ok(rows.collect())
}

/// Every caller asks so many times, one request after the other; the figures are those of [`MEASURES`].
async fn load(
    server: &Server,
    requests: usize,
    documents: &mut impl Iterator<Item = u64>,
) -> Result<[f64; MEASURES.len()], Error> {
    let began = Instant::now();
    let callers = (0..SLOTS).map(|_| {
        let documents: Vec<u64> = documents.take(requests).collect();
        async move {
            let mut answers = Vec::new();
            for document in documents {
                let prompt = Prompt { system: (0, SYSTEM_TOKENS), user: (document, DOCUMENT_TOKENS) };
                answers.push(server.ask_for(prompt.chat(NEW_TOKENS), NEW_TOKENS).await?);
            }
            Ok::<_, Error>(answers)
        }
    });
    let answers = try_join_all(callers).await?.concat();
    let per_minute = answers.len() as f64 * 60.0 / began.elapsed().as_secs_f64();
    let seconds = |time: fn(&Answer) -> Duration| -> Vec<f64> {
        answers.iter().map(|answer| time(answer).as_secs_f64()).collect()
    };
    let (whole, first) = (seconds(|answer| answer.whole), seconds(|answer| answer.first_token));
    let prompt_tokens = answers.iter().map(|answer| answer.prompt_tokens as f64).collect();
    Ok([
        per_minute,
        percentile(whole.clone(), 50),
        percentile(whole, 95),
        percentile(first.clone(), 50),
        percentile(first, 95),
        percentile(prompt_tokens, 50),
    ])
}
