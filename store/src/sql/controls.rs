//! Steering, each verb from its own file.

use async_trait::async_trait;
use types::TaskId;

use super::{Backend, SqlStore, concurrency, mirror, pause, place, process, prune};
use crate::audit::Actor;
use crate::controls::{
    Controls, DeadLetter, KeyHolder, Leadership, Pause, PlaceInLine, Process, ProcessBeat, Pruned, Retention, Scope,
};
use crate::error::StoreError;

#[allow(private_bounds, reason = "which databases there are is a matter of this crate")]
#[async_trait]
impl<B: Backend> Controls for SqlStore<B> {
    async fn pause(&self, scope: &Scope, reason: &str, actor: &Actor) -> Result<(), StoreError> {
        let (scope, reason, actor) = (scope.clone(), reason.to_owned(), actor.clone());
        self.writer.write(pause::Begin { scope, reason, actor }).await
    }

    async fn resume(&self, scope: &Scope, actor: &Actor) -> Result<bool, StoreError> {
        self.writer.write(pause::Finish { scope: scope.clone(), actor: actor.clone() }).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.during("read pauses", async { pause::pauses(&mut *self.reader().await?).await }).await
    }

    async fn beat(&self, beat: &ProcessBeat) -> Result<(), StoreError> {
        self.writer.write(process::Beat { beat: beat.clone() }).await
    }

    async fn processes(&self) -> Result<Vec<Process>, StoreError> {
        self.during("read processes", async { process::processes(&mut *self.reader().await?).await }).await
    }

    async fn lead(&self) -> Result<Leadership, StoreError> {
        self.during("ask who leads", self.backend.lead()).await
    }

    async fn prune(&self, retention: &Retention, limit: u32) -> Result<Pruned, StoreError> {
        self.writer.write(prune::Prune { retention: *retention, limit }).await
    }

    async fn unmirrored(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let reading = async { mirror::unmirrored(&mut *self.reader().await?, limit).await };
        self.during("read dead letters", reading).await
    }

    async fn mirrored(&self, seqs: &[i64]) -> Result<(), StoreError> {
        self.writer.write(mirror::Mirrored { seqs: seqs.to_vec() }).await
    }

    async fn running_keyed(&self) -> Result<Vec<KeyHolder>, StoreError> {
        let reading = async { concurrency::running_keyed(&mut *self.reader().await?).await };
        self.during("read running tasks", reading).await
    }

    async fn place_in_line(&self, task: TaskId) -> Result<Option<PlaceInLine>, StoreError> {
        let now = self.clock.now();
        let reading = async { place::place_in_line(&mut *self.reader().await?, task, now).await };
        self.during("find a task's place", reading).await
    }
}
