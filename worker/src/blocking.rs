//! Work for the processor, on a thread where it holds nobody else up.

/// Does `work` on a thread for such work and waits for it; its panic is the caller's. Dropping the future does not end
/// the work.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::thread;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_work_is_not_done_on_the_callers_thread_and_its_panic_is_the_callers() {
        assert_ne!(blocking(|| thread::current().id()).await, thread::current().id());
        let panic = AssertUnwindSafe(blocking(|| panic!("gives up"))).catch_unwind().await;
        let panic: Box<dyn std::any::Any + Send> = panic.map(|(): ()| ()).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"gives up"));
    }
}
