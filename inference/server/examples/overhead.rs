//! What the server adds to a request besides the engine's steps.
//!
//!     cargo run --release -p inference-server --example overhead
//!
//! 32 callers, each on a connection of its own, ask one request after the other: a streamed continuation of 16 tokens,
//! over TCP, through the whole server and the whole engine, with the bundled model's tokenizer. Only the backend is not
//! real: a pass takes no time at all, and in a second round 5 ms, in which it leaves the processor to others as a GPU
//! would. The backend sees every step begin (it is asked for a pass) and end (after each step the engine asks for its
//! memory).
//!
//! A request's overhead is its latency, from the first byte written to the last byte read, less the time within it in
//! which a step was under way, be it its own or others'. So there remain: HTTP, JSON and the checks on the way in,
//! tokenizing, waking the engine, what lies between steps, and the way of the last token through the detokenizer, JSON
//! and HTTP to the caller. Callers run on the same processor, so what they take is in the figure, too. Passes that take
//! no time let nothing be hidden behind them: all tokens' ways out are then in the figure, and it is a bound on what the
//! server can carry; with passes of a real length, those of all but the last token lie beside the next step.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::serve::ListenerExt;
use inference::backend::{Backend, BackendError, BackendMemory, Logits, ModelInput};
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use inference_server::Options;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

const CALLERS: usize = 32;
const REQUESTS: usize = 50;
/// Of each caller, not counted: connections and memory are made then.
const WARM_UP: usize = 5;
const TOKENS: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Error> {
    for pass in [Duration::ZERO, Duration::from_millis(5)] {
        round(pass).await?;
    }
    Ok(())
}

async fn round(pass: Duration) -> Result<(), Error> {
    let steps = Steps::default();
    let (model, address) = serve(Fake { pass, steps: steps.clone() }).await?;
    let callers: Vec<_> = (0..CALLERS).map(|caller| tokio::spawn(call(address, caller))).collect();
    let mut requests = Vec::new();
    for caller in callers {
        requests.extend(caller.await??);
    }
    model.handle().drain().await;
    let steps = steps.0.lock().unwrap_or_else(PoisonError::into_inner).finished.clone();
    print(pass, &requests, &steps);
    Ok(())
}

/// The bundled model, but for what computes, behind a port.
async fn serve(backend: Fake) -> Result<(ChatModel, std::net::SocketAddr), Error> {
    let model = Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pocket/pocket.gguf"))?;
    let metrics = EngineMetrics::register(&prometheus::Registry::new())?;
    // Every token is a step of its own.
    let config = EngineConfig { max_draft_tokens: 0, ..EngineConfig::default() };
    let model = ChatModel::start(model.with_backend(Box::new(backend)), config, metrics)?;
    let models = BTreeMap::from([("pocket".to_owned(), model.clone())]);
    let router: Router = inference_server::router(models, Options::default()).into();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((model, address))
}

/// When each of a caller's requests began and ended.
async fn call(address: std::net::SocketAddr, caller: usize) -> Result<Vec<(Instant, Instant)>, Error> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let prompt = format!("Caller {caller} writes a letter of some length to the server, and waits for its answer.");
    let body = json!({
        "model": "pocket", "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "stream": true,
        "stream_options": { "include_usage": true },
    });
    let body = body.to_string();
    let request = format!("POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (mut times, mut answer) = (Vec::with_capacity(REQUESTS), Vec::new());
    for index in 0..WARM_UP + REQUESTS {
        answer.clear();
        let began = Instant::now();
        socket.write_all(request.as_bytes()).await?;
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            if socket.read_buf(&mut answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        let ended = Instant::now();
        let text = String::from_utf8_lossy(&answer);
        if !text.contains(&format!("\"completion_tokens\":{TOKENS},")) || !text.contains("data: [DONE]") {
            return Err(format!("not the answer that was asked for: {text}").into());
        }
        if index >= WARM_UP {
            times.push((began, ended));
        }
    }
    Ok(times)
}

fn print(pass: Duration, requests: &[(Instant, Instant)], steps: &[(Instant, Instant)]) {
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let latencies = sorted(requests.iter().map(|(began, ended)| millis(*ended - *began)));
    let overheads = sorted(requests.iter().map(|request| millis(request.1 - request.0 - within(request, steps))));
    let lengths = sorted(steps.iter().map(|(began, ended)| millis(*ended - *began)));
    let p = |of: &[f64], share: f64| of[((of.len() - 1) as f64 * share).round() as usize];
    println!(
        "passes of {} ms, {CALLERS} callers, {} requests of {TOKENS} tokens, {} steps (p50 {:.3} ms)",
        millis(pass),
        requests.len(),
        steps.len(),
        p(&lengths, 0.5)
    );
    println!("  latency   p50 {:8.3} ms   p99 {:8.3} ms", p(&latencies, 0.5), p(&latencies, 0.99));
    println!("  overhead  p50 {:8.3} ms   p99 {:8.3} ms", p(&overheads, 0.5), p(&overheads, 0.99));
    let line = json!({
        "bench": "server_overhead", "pass_ms": millis(pass), "callers": CALLERS, "requests": requests.len(),
        "tokens": TOKENS, "latency_p50_ms": p(&latencies, 0.5), "latency_p99_ms": p(&latencies, 0.99),
        "overhead_p50_ms": p(&overheads, 0.5), "overhead_p99_ms": p(&overheads, 0.99),
    });
    println!("{line}");
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// How much of a request a step was under way; steps are in order and do not overlap.
fn within(request: &(Instant, Instant), steps: &[(Instant, Instant)]) -> Duration {
    let first = steps.partition_point(|(_, ended)| *ended <= request.0);
    let of_it = steps[first..].iter().take_while(|(began, _)| *began < request.1);
    of_it.map(|(began, ended)| *ended.min(&request.1) - *began.max(&request.0)).sum()
}

/// When steps began and ended.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    begun: Option<Instant>,
    finished: Vec<(Instant, Instant)>,
}

/// Computes nothing, and always says the same.
struct Fake {
    pass: Duration,
    steps: Steps,
}

impl Backend for Fake {
    fn allocate(&mut self, _: usize) -> Result<(), BackendError> {
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        self.steps.0.lock().unwrap_or_else(PoisonError::into_inner).begun.get_or_insert_with(Instant::now);
        let num_rows: usize = input.spans.iter().map(|span| span.num_logits).sum();
        logits.vocab_size = self.vocab_size();
        logits.values.clear();
        logits.values.resize(num_rows * logits.vocab_size, 0.0);
        // A letter of the bundled model's vocabulary.
        logits.values.chunks_exact_mut(logits.vocab_size).for_each(|row| row[2000] = 9.0);
        std::thread::sleep(self.pass);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        3072
    }

    fn context_len(&self) -> usize {
        2048
    }

    fn kv_bytes_per_token(&self) -> u64 {
        512
    }

    fn memory(&self) -> BackendMemory {
        let mut log = self.steps.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = log.begun.take() {
            log.finished.push((begun, Instant::now()));
        }
        BackendMemory::default()
    }
}
