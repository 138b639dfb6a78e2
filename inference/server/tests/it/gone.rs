//! Callers who go away, and callers who stay and do not read.

use inference::EngineConfig;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::scripted::{Script, scripted};
use crate::world::{PATIENT, World, changed, endless, request, until, with, world};

fn raw(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    (head + &body).into_bytes()
}

/// A request with so many answers that go on for as long as the context lasts, whole or streamed.
fn asked(stream: bool, n: usize) -> Value {
    with(&json!({ "response_format": null, "max_tokens": 2000, "stream": stream, "n": n }))
}

async fn scripted_world() -> (World, Script) {
    let (backend, script) = scripted();
    (World::with_backend(backend, EngineConfig::default(), PATIENT).await, script)
}

/// Every sequence was aborted before its end, and the server serves.
async fn check_nothing_is_left(world: &World, script: Script) {
    let one_token = with(&json!({ "response_format": null, "max_tokens": 1 }));
    tokio::join!(world.complete(&one_token), world.pass_until(&script, || world.ended("length") == 1.0));
    world.pass_until(&script, || world.is_at_rest()).await;
    assert_eq!((world.ended("length"), world.ended("stop")), (1.0, 0.0));
}

#[tokio::test]
async fn a_caller_may_go_at_any_byte_of_its_request() {
    let (world, script) = scripted_world().await;
    for stream in [false, true] {
        let bytes = raw(&asked(stream, 1));
        for end in 0..=bytes.len() {
            let mut socket = TcpStream::connect(world.address).await.unwrap();
            socket.write_all(&bytes[..end]).await.unwrap();
        }
    }
    check_nothing_is_left(&world, script).await;
}

#[tokio::test]
async fn a_caller_who_waits_no_longer_stops_its_sequence() {
    let (world, script) = scripted_world().await;
    for round in 1..=3 {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(&raw(&asked(false, 1))).await.unwrap();
        world.pass_until(&script, || world.model.handle().stats().running == 1).await;
        drop(socket);
        world.pass_until(&script, || world.ended("aborted") == f64::from(round)).await;
    }
    check_nothing_is_left(&world, script).await;
}

#[tokio::test]
async fn a_caller_who_leaves_a_stream_stops_all_its_sequences() {
    let (world, script) = scripted_world().await;
    for (round, num_bytes) in (1..).zip([0, 1, 100, 5_000, 20_000]) {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(&raw(&asked(true, 3))).await.unwrap();
        world.pass_until(&script, || world.model.handle().stats().running == 3).await;
        let mut num_read = 0;
        while num_read < num_bytes {
            world.pass(&script).await;
            num_read += socket.try_read(&mut vec![0; num_bytes - num_read]).unwrap_or(0);
        }
        drop(socket);
        world.pass_until(&script, || world.ended("aborted") == f64::from(3 * round)).await;
    }
    check_nothing_is_left(&world, script).await;
}

#[tokio::test]
async fn a_caller_who_never_reads_does_not_hold_the_engine() {
    let world = world().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut socket = socket.connect(world.address).await.unwrap();
    let talkative = json!({ "stream": true, "n": 16, "logprobs": true, "top_logprobs": 20, "max_tokens": 300 });
    socket.write_all(&raw(&changed(endless(), &talkative))).await.unwrap();
    // Megabytes that nobody takes; the engine comes to the end of them all the same.
    until(|| world.ended("length") == 16.0).await;
    world.complete(&request()).await;
    until(|| world.is_at_rest()).await;
}
