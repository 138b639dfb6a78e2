//! Keys and teams.

use store::{NewApiKey, Team};
use types::{ApiKeyId, Role};

use crate::world::{Limits, SECOND, World, actor};

fn new_key(sha256: &str) -> NewApiKey {
    NewApiKey {
        id: ApiKeyId::random(),
        team: "sales".parse().unwrap(),
        role: Role::Operator,
        name: "billing's nightly run".to_owned(),
        sha256: sha256.to_owned(),
        expires_at: None,
    }
}

pub async fn a_key_is_found_by_its_digest_alone(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let asked = NewApiKey { expires_at: Some(world.now().after(SECOND)), ..new_key("0a") };
    let key = world.store.create_key(asked.clone(), &actor()).await.unwrap();
    assert_eq!((&key.id, &key.team, key.role, &key.name), (&asked.id, &asked.team, asked.role, &asked.name));
    assert_eq!((key.created_at, key.expires_at, key.revoked_at), (world.now(), asked.expires_at, None));
    assert_eq!(world.store.key_by_digest("0a").await.unwrap(), Some(key));
    for other in ["0A", "0", "", "%", "0a' OR '1'='1"] {
        assert_eq!(world.store.key_by_digest(other).await.unwrap(), None, "{other:?}");
    }
    assert_eq!(world.audit_actions().await, ["key.create"]);
}

pub async fn every_key_is_listed_oldest_first(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.store.create_key(new_key("0a"), &actor()).await.unwrap();
    world.clock.advance(SECOND);
    let second = world.store.create_key(new_key("0b"), &actor()).await.unwrap();
    let second = world.store.revoke_key(&second.id, &actor()).await.unwrap().unwrap();
    assert_eq!(world.store.keys().await.unwrap(), [first, second]);
}

pub async fn a_digest_belongs_to_one_key(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.store.create_key(new_key("0a"), &actor()).await.unwrap();
    assert!(world.store.create_key(new_key("0a"), &actor()).await.is_err());
    assert_eq!(world.store.keys().await.unwrap(), [first]);
    assert_eq!(world.audit_actions().await, ["key.create"], "what fails changes nothing");
}

pub async fn a_revoked_key_stays_as_it_is(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let key = world.store.create_key(new_key("0a"), &actor()).await.unwrap();
    let revoked = world.store.revoke_key(&key.id, &actor()).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(world.now()));
    world.clock.advance(SECOND);
    assert_eq!(world.store.revoke_key(&key.id, &actor()).await.unwrap(), Some(revoked.clone()));
    assert_eq!(world.store.key_by_digest("0a").await.unwrap(), Some(revoked));
    assert_eq!(world.store.revoke_key(&ApiKeyId::random(), &actor()).await.unwrap(), None);
    assert_eq!(world.audit_actions().await, ["key.create", "key.revoke"]);
}

pub async fn a_key_makes_its_team_and_leaves_a_known_one(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let legal = Team { name: "legal".parse().unwrap(), weight: 7 };
    world.store.put_team(legal.clone(), &actor()).await.unwrap();
    world.store.create_key(new_key("0a"), &actor()).await.unwrap();
    world.store.create_key(NewApiKey { team: legal.name.clone(), ..new_key("0b") }, &actor()).await.unwrap();
    let sales = Team { name: "sales".parse().unwrap(), weight: 1 };
    assert_eq!(world.store.teams().await.unwrap(), [legal, sales]);
}

pub async fn a_team_can_be_weighed_anew(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for weight in [1, 1000] {
        world.store.put_team(Team { name: "sales".parse().unwrap(), weight }, &actor()).await.unwrap();
    }
    assert_eq!(world.store.teams().await.unwrap()[0].weight, 1000);
    assert_eq!(world.audit_actions().await, ["team.put", "team.put"]);
}
