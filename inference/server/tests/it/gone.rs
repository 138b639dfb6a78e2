//! Callers who go away, and callers who stay and do not read.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{World, changed, endless, request, until, world};

fn raw(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    (head + &body).into_bytes()
}

/// `endless`, whole or streamed.
fn asked(stream: bool) -> Value {
    changed(endless(), &json!({ "stream": stream }))
}

/// Every sequence was aborted, and the server serves.
async fn check_nothing_is_left(world: &World) {
    world.complete(&request()).await;
    until(|| world.is_at_rest()).await;
    assert_eq!((world.ended("length"), world.ended("stop")), (0.0, 1.0));
}

#[tokio::test]
async fn a_caller_may_go_at_any_byte_of_its_request() {
    let world = world().await;
    for stream in [false, true] {
        let bytes = raw(&asked(stream));
        for end in 0..=bytes.len() {
            let mut socket = TcpStream::connect(world.address).await.unwrap();
            socket.write_all(&bytes[..end]).await.unwrap();
        }
    }
    check_nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_caller_who_waits_no_longer_stops_its_sequence() {
    let world = world().await;
    for round in 1..=3 {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(&raw(&asked(false))).await.unwrap();
        until(|| world.model.handle().stats().running == 1).await;
        drop(socket);
        until(|| world.ended("aborted") == f64::from(round)).await;
    }
    check_nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_caller_who_leaves_a_stream_stops_all_its_sequences() {
    let world = world().await;
    let asked = changed(asked(true), &json!({ "n": 3 }));
    for (round, read) in (1..).zip([0, 1, 100, 5_000, 20_000]) {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(&raw(&asked)).await.unwrap();
        until(|| world.model.handle().stats().running == 3).await;
        socket.read_exact(&mut vec![0; read]).await.unwrap();
        drop(socket);
        until(|| world.ended("aborted") == f64::from(3 * round)).await;
    }
    check_nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_caller_who_never_reads_does_not_hold_the_engine() {
    let world = world().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut socket = socket.connect(world.address).await.unwrap();
    let asked = changed(asked(true), &json!({ "n": 16, "logprobs": true, "top_logprobs": 20, "max_tokens": 300 }));
    socket.write_all(&raw(&asked)).await.unwrap();
    // Megabytes that nobody takes; the engine comes to the end of them all the same.
    until(|| world.ended("length") == 16.0).await;
    world.complete(&request()).await;
    until(|| world.is_at_rest()).await;
}
