//! Connections that break as they are told to.

use std::io::ErrorKind;
use std::time::Duration;

use testbed::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A server that sends back what it gets.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = client.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

async fn echoes(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(b"x").await?;
    client.read_exact(&mut [0]).await.map(drop)
}

#[tokio::test]
async fn a_dropped_connection_is_reset_and_a_new_one_passes() {
    let proxy = Proxy::to(&echo().await).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    echoes(&mut client).await.unwrap();
    proxy.drop_all();
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    echoes(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_half_open_connection_stays_silent_and_a_later_one_passes() {
    let proxy = Proxy::to(&echo().await).await;
    let mut before = TcpStream::connect(proxy.address()).await.unwrap();
    echoes(&mut before).await.unwrap();
    proxy.half_open();
    let mut during = TcpStream::connect(proxy.address()).await.unwrap();
    for client in [&mut before, &mut during] {
        // Silence can only be waited for.
        assert!(timeout(Duration::from_millis(50), echoes(client)).await.is_err());
    }
    proxy.pass();
    echoes(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), echoes(&mut before)).await.is_err());
}

#[tokio::test]
async fn a_proxy_that_refuses_lets_nobody_through_until_it_passes() {
    let proxy = Proxy::to(&echo().await).await;
    proxy.refuse();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(echoes(&mut client).await.is_err());
    proxy.pass();
    echoes(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_url_keeps_all_but_its_address() {
    let proxy = Proxy::to("postgres://user:word@127.0.0.1:1/name?x=y").await;
    assert_eq!(proxy.url(), format!("postgres://user:word@{}/name?x=y", proxy.address()));
}
