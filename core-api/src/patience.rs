//! How long a caller may be silent in the middle of a request. One that is half gone would keep its place for ever.

use std::time::Duration;

use axum::Error;
use axum::body::Body;
use axum::extract::Request;
use futures::StreamExt;
use futures::stream::unfold;
use tokio::time::timeout;

/// The longest silence in a body that is sent, and in the reading of answers to it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Gives up a request's body that stalls.
pub(crate) async fn patient(request: Request) -> Request {
    request.map(|body| within(body, PATIENCE))
}

/// The same body; it breaks off where nothing comes for longer than `patience`.
fn within(body: Body, patience: Duration) -> Body {
    Body::from_stream(unfold(Some(body.into_data_stream()), move |pieces| async move {
        let mut pieces = pieces?;
        match timeout(patience, pieces.next()).await {
            Ok(piece) => Some((piece?, Some(pieces))),
            Err(_) => Some((Err(Error::new(format!("nothing came for {} s", patience.as_secs()))), None)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures::stream::{iter, pending};

    use super::*;

    #[tokio::test]
    async fn a_body_that_stalls_breaks_off_and_no_other() {
        let piece = || iter([Ok::<_, Error>("piece")]);
        let whole = within(Body::from_stream(piece()), PATIENCE);
        assert_eq!(to_bytes(whole, 100).await.expect("it is whole"), "piece");
        let stalled = within(Body::from_stream(piece().chain(pending())), Duration::ZERO);
        let error = to_bytes(stalled, 100).await.expect_err("it has no end");
        assert!(error.to_string().contains("nothing came for 0 s"), "{error}");
    }
}
