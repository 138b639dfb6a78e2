//! Runs what reads a hostile document: on a thread of its own, with a panic guard and a time limit.
//!
//! A thread cannot be stopped from outside. Our own loops watch the deadline, but a library's may not; such a thread
//! keeps its place among the `parse_concurrency` until it ends, so a hostile document costs at most one place, and a
//! flood of them answers 503 instead of taking the process down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::problem::Problem;
use crate::unusable::Unusable;

/// Deep nesting is bounded by the parsers; this is many times what their bounds need. Untouched pages cost nothing.
const STACK_BYTES: usize = 64 << 20;

/// How long after the deadline a thread may take to notice it.
const GRACE: Duration = Duration::from_millis(500);

/// The places for reading documents.
#[derive(Clone)]
pub(crate) struct Readers {
    places: Arc<Semaphore>,
    limit: Duration,
}

impl Readers {
    pub(crate) fn new(places: usize, limit: Duration) -> Self {
        Readers { places: Arc::new(Semaphore::new(places.max(1))), limit }
    }

    /// Runs `read` as soon as there is a place.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(Instant) -> Result<T, Unusable> + Send + 'static,
    ) -> Result<T, Problem> {
        let waited = timeout(self.limit, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = waited else { return Err(Problem::busy()) };
        let (sender, receiver) = oneshot::channel();
        let deadline = Instant::now() + self.limit;
        let work = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| read(deadline)));
            drop(place);
            // Nobody listens when the caller went away.
            let _ = sender.send(outcome);
        };
        let thread = std::thread::Builder::new().name("document".to_owned()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(work) {
            tracing::error!(%error, "no thread could be started to read a document");
            return Err(Problem::busy());
        }
        match timeout(self.limit + GRACE, receiver).await {
            Ok(Ok(Ok(outcome))) => Ok(outcome?),
            Ok(Ok(Err(_panic))) => Err(Unusable::Unreadable("it is damaged".to_owned()).into()),
            Ok(Err(_gone)) => Err(Problem::internal()),
            Err(_) => {
                tracing::warn!(limit = ?self.limit, "a document is still being read past its time limit");
                Err(Unusable::TooSlow(self.limit).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_documents_fault() {
        let outcome = Readers::new(1, Duration::from_secs(30)).run::<()>(|_| panic!("a library gives up")).await;
        assert_eq!(outcome, Err(Unusable::Unreadable("it is damaged".to_owned()).into()));
    }

    #[tokio::test]
    async fn a_reader_that_never_ends_is_left_behind_and_keeps_its_place() {
        let readers = Readers::new(1, Duration::from_millis(50));
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let stuck = readers.run(move |_| Ok(gate.recv().is_ok())).await;
        assert_eq!(stuck, Err(Unusable::TooSlow(Duration::from_millis(50)).into()));
        assert_eq!(readers.run(|_| Ok(())).await, Err(Problem::busy()));
        drop(release);
        // The place comes back as soon as the thread ends.
        let _place = readers.places.acquire().await;
    }

    #[tokio::test]
    async fn deep_recursion_has_room() {
        fn depth(n: u32) -> u32 {
            let filler = std::hint::black_box([n; 256]);
            if n == 0 { filler[0] } else { depth(n - 1) + 1 }
        }
        let readers = Readers::new(1, Duration::from_secs(30));
        assert_eq!(readers.run(|_| Ok(depth(20_000))).await, Ok(20_000));
    }
}
