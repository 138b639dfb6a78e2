//! A few seeds of `make chaos`: some that are always the same, and one of each layout that is always another.
#![allow(clippy::unwrap_used)]

use std::time::{SystemTime, UNIX_EPOCH};

use chaos::{Settings, run};

async fn nothing_is_lost(layout: &str, fixed: &[u64]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let seeds = fixed.iter().copied().chain([now]).collect();
    let ran = run(Settings { seeds, layout: Some(layout.to_owned()), lanes: 1, keeps: false }).await;
    assert!(ran.is_good, "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_in_one_process() {
    nothing_is_lost("embedded", &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_between_processes() {
    nothing_is_lost("split", &[2, 3]).await;
}
