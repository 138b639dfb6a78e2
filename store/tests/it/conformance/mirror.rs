//! Dead letters that another place has to hear of.

use store::{DeadLetter, Edit};

use crate::world::{Limits, World, actor};

async fn unmirrored(world: &World) -> Vec<DeadLetter> {
    world.store.unmirrored(10).await.unwrap()
}

pub async fn every_death_is_told_until_it_is_heard(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let dead = [world.dead().await, world.dead().await];
    world.held().await;
    let letters = unmirrored(&world).await;
    assert_eq!(letters.iter().map(|letter| letter.task.id).collect::<Vec<_>>(), dead);
    assert_eq!(*letters[0].task, world.task(dead[0]).await);
    assert_eq!(unmirrored(&world).await, letters);
    world.store.mirrored(&[letters[0].seq]).await.unwrap();
    assert_eq!(unmirrored(&world).await, letters[1..]);
    world.store.mirrored(&[letters[0].seq, letters[1].seq, 77]).await.unwrap();
    world.store.mirrored(&[]).await.unwrap();
    assert!(unmirrored(&world).await.is_empty());
}

pub async fn a_task_that_dies_again_is_told_again(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let dead = world.dead().await;
    let first = unmirrored(&world).await.remove(0).seq;
    world.store.mirrored(&[first]).await.unwrap();
    world.store.requeue(dead, &Edit::default(), &actor()).await.unwrap();
    let fence = world.open(dead).await;
    world.end(fence, store::Ending::Bury(crate::world::failure())).await;
    let second = unmirrored(&world).await.remove(0);
    assert!(second.task.id == dead && first < second.seq);
}

pub async fn one_that_was_put_back_or_purged_is_not_told(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (back, purged) = (world.dead().await, world.dead().await);
    world.store.requeue(back, &Edit::default(), &actor()).await.unwrap();
    world.store.purge(purged, &actor()).await.unwrap();
    assert!(unmirrored(&world).await.is_empty());
}
