//! Documents.

use store::NewDocument;

use crate::world::{Limits, World, actor, new_document};

pub async fn a_document_comes_back_as_it_was_stored(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let asked = new_document(b"%PDF-1.7 \x00\xff");
    let stored = world.store.put_document(asked.clone(), &actor()).await.unwrap();
    assert_eq!((&stored.name, &stored.media_type, stored.size_bytes), (&asked.name, &asked.media_type, 11));
    assert_eq!(stored.sha256.len(), 64);
    assert_eq!(world.store.document(&stored.team, &stored.id).await.unwrap().as_ref(), Some(&stored));
    assert_eq!(world.store.document_bytes(&stored.team, &stored.id).await.unwrap(), Some(asked.bytes));
    assert_eq!(world.audit_actions().await, ["document.store"]);
}

pub async fn the_same_document_is_stored_once(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    let second = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    assert_eq!(first, second);
}

pub async fn the_same_bytes_under_another_name_are_another_document(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    let renamed = NewDocument { name: "copy.pdf".to_owned(), ..new_document(b"bytes") };
    let second = world.store.put_document(renamed, &actor()).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(first.sha256, second.sha256);
    assert_eq!(world.store.document_bytes(&second.team, &second.id).await.unwrap(), Some(b"bytes".to_vec()));
}

pub async fn another_team_does_not_see_it(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let ours = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    let legal = "legal".parse().unwrap();
    assert_eq!(world.store.document(&legal, &ours.id).await.unwrap(), None);
    assert_eq!(world.store.document_bytes(&legal, &ours.id).await.unwrap(), None);
    let theirs = world.store.put_document(NewDocument { team: legal, ..new_document(b"bytes") }, &actor()).await;
    assert_ne!(theirs.unwrap().id, ours.id);
}
