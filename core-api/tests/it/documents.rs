//! `/v1/documents`.

use reqwest::{Method, StatusCode};

use crate::world::{Answer, Limits, World, world};

async fn store(world: &World, query: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Answer {
    let request = world.request(Method::POST, &format!("/v1/documents{query}")).body(bytes);
    let request = media_type.into_iter().fold(request, |request, value| request.header("content-type", value));
    world.send(request).await
}

#[tokio::test]
async fn a_stored_document_comes_back_byte_by_byte() {
    let world = world().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let answer = store(&world, "?name=offer%20%E2%82%AC.pdf", Some("application/pdf"), bytes.clone()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let view = answer.json();
    assert_eq!((view["name"].as_str(), view["media_type"].as_str()), (Some("offer €.pdf"), Some("application/pdf")));
    assert_eq!(view["size_bytes"], 3 << 20);
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("/v1/documents/{}", view["id"].as_str().unwrap()));
    assert_eq!(world.get(location).await.json(), view);
    let content = world.get(&format!("{location}/content")).await;
    assert!(content.body == bytes);
    assert_eq!(content.header("content-disposition"), Some("attachment"));
    assert_eq!(content.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn the_same_document_is_stored_once() {
    let world = world().await;
    let first = store(&world, "?name=a.txt", Some("text/plain"), b"text".to_vec()).await.json();
    assert_eq!(store(&world, "?name=a.txt", Some("text/plain"), b"text".to_vec()).await.json(), first);
    assert_ne!(store(&world, "?name=b.txt", Some("text/plain"), b"text".to_vec()).await.json()["id"], first["id"]);
}

#[tokio::test]
async fn a_document_of_the_greatest_size_is_stored_and_one_byte_more_is_not() {
    let world = World::new(Limits { max_document_bytes: 1000, ..Limits::default() }).await;
    assert_eq!(store(&world, "", None, vec![b'x'; 1000]).await.status, StatusCode::CREATED);
    let answer = store(&world, "", None, vec![b'x'; 1001]).await;
    answer.assert_problem(413, "document_too_large");
    assert!(answer.text().contains("1000 bytes (server.max_document_bytes)"), "{}", answer.text());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_limited_as_well() {
    let world = World::new(Limits { max_document_bytes: 1000, ..Limits::default() }).await;
    let chunked = |chunks: usize| {
        let chunks = (0..chunks).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100]));
        let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
        world.request(Method::POST, "/v1/documents").body(body)
    };
    assert_eq!(world.send(chunked(10)).await.json()["size_bytes"], 1000);
    world.send(chunked(11)).await.assert_problem(413, "document_too_large");
}

#[tokio::test]
async fn a_name_and_a_type_are_not_needed() {
    let world = world().await;
    for media_type in [None, Some("application/x-www-form-urlencoded")] {
        let view = store(&world, "", media_type, b"text".to_vec()).await.json();
        assert_eq!(view["name"], "document");
        assert_eq!(view["media_type"], "application/octet-stream");
    }
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let world = world().await;
    store(&world, "", None, Vec::new()).await.assert_problem(422, "empty_document");
    store(&world, "?name=", None, b"x".to_vec()).await.assert_problem(422, "bad_name");
    store(&world, "?name=a%0Ab", None, b"x".to_vec()).await.assert_problem(422, "bad_name");
    store(&world, &format!("?name={}", "x".repeat(256)), None, b"x".to_vec()).await.assert_problem(422, "bad_name");
    store(&world, "?file=a", None, b"x".to_vec()).await.assert_problem(400, "bad_query");
}

/// A form whose parts are headers and content.
async fn store_form(world: &World, query: &str, parts: &[(&str, &str)]) -> Answer {
    let part = |(headers, content): &(&str, &str)| format!("--x\r\n{headers}\r\n\r\n{content}\r\n");
    let body = parts.iter().map(part).collect::<String>() + "--x--\r\n";
    store(world, query, Some("multipart/form-data; boundary=x"), body.into_bytes()).await
}

const TITLE: (&str, &str) = ("Content-Disposition: form-data; name=\"title\"", "An offer");
const FILE: (&str, &str) = (
    "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\offers\\offer.csv\"\r\nContent-Type: text/csv",
    "a,b\r\n1,2",
);

#[tokio::test]
async fn the_file_of_a_form_is_stored_with_its_name_and_type() {
    let world = world().await;
    let answer = store_form(&world, "", &[TITLE, FILE]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let view = answer.json();
    assert_eq!((view["name"].as_str(), view["media_type"].as_str()), (Some("offer.csv"), Some("text/csv")));
    let content = world.get(&format!("{}/content", answer.header("location").unwrap())).await;
    assert_eq!(content.text(), "a,b\r\n1,2");
    // The same as when it is sent as it is.
    let raw = store(&world, "?name=offer.csv", Some("text/csv"), content.body).await.json();
    assert_eq!(raw, view);
    assert_eq!(store_form(&world, "?name=other.csv", &[FILE]).await.json()["name"], "other.csv");
}

#[tokio::test]
async fn a_form_is_limited_while_it_comes_in() {
    let world = World::new(Limits { max_document_bytes: 1000, ..Limits::default() }).await;
    let file = |length| [(FILE.0, "x".repeat(length))];
    let send = async |length| {
        let [(headers, content)] = file(length);
        store_form(&world, "", &[(headers, &content)]).await
    };
    assert_eq!(send(1000).await.json()["size_bytes"], 1000);
    send(1001).await.assert_problem(413, "document_too_large");
    send(1 << 20).await.assert_problem(413, "document_too_large");
    let long = "x".repeat(1 << 20);
    store_form(&world, "", &[(TITLE.0, &long), FILE]).await.assert_problem(413, "document_too_large");
}

#[tokio::test]
async fn a_form_that_is_broken_or_has_not_one_file_is_refused() {
    let world = world().await;
    store_form(&world, "", &[TITLE]).await.assert_problem(422, "no_document");
    store_form(&world, "", &[FILE, FILE]).await.assert_problem(422, "many_documents");
    store_form(&world, "", &[(FILE.0, "")]).await.assert_problem(422, "empty_document");
    let form = Some("multipart/form-data; boundary=x");
    store(&world, "", form, b"--x\r\nnothing".to_vec()).await.assert_problem(400, "bad_form");
    store(&world, "", Some("multipart/form-data"), b"--x--".to_vec()).await.assert_problem(400, "bad_form");
}

#[tokio::test]
async fn unknown_documents_are_not_found() {
    let world = world().await;
    for id in ["doc_000000000000", "doc_1", "%ff"] {
        world.get(&format!("/v1/documents/{id}")).await.assert_problem(404, "not_found");
        world.get(&format!("/v1/documents/{id}/content")).await.assert_problem(404, "not_found");
    }
}
