//! Waiting for a task's end: `?wait=S`, or `Prefer: wait=S` (RFC 7240).

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use serde::Deserialize;
use store::StoreError;
use tokio::time::sleep;
use utoipa::IntoParams;

use super::reject::Ask;
use crate::dto::TaskView;
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

/// Between two looks at a store that is about to close.
const CLOSING_LOOK: Duration = Duration::from_millis(200);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Wait up to this many seconds for the end, at most `server.max_wait_seconds`; the same as `Prefer: wait=S`.
    #[serde(default)]
    #[param(value_type = u64, required = false)]
    wait: Option<u64>,
}

/// How long the caller waits, no longer than the server allows; the query counts more than the header.
pub(crate) struct Wait {
    /// `None`: not at all.
    pub(crate) patience: Option<Duration>,
    /// Whether the header asked for it and has to hear so.
    preferred: bool,
}

impl FromRequestParts<ApiState> for Wait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Ask(query) = Ask::<WaitQuery>::from_request_parts(parts, state).await?;
        let seconds = match query.wait {
            Some(seconds) => Some(seconds),
            None => preferred_wait(&parts.headers)?,
        };
        let patience = seconds.map(|seconds| Duration::from_secs(seconds).min(state.settings.max_wait));
        Ok(Wait { patience, preferred: query.wait.is_none() })
    }
}

impl Wait {
    /// Says how long was waited at most, to who asked by header.
    pub(crate) fn applied_to(&self, mut response: Response) -> Response {
        if let (Some(patience), true) = (self.patience, self.preferred)
            && let Ok(value) = HeaderValue::try_from(format!("wait={}", patience.as_secs()))
        {
            response.headers_mut().insert("preference-applied", value);
        }
        response
    }

    /// The task when it has ended, or as it stands when the wait is over. A fault ends the wait early and costs nothing
    /// else: that the task was accepted must not be lost with it.
    pub(crate) async fn for_end_of(&self, task: TaskView, state: &ApiState) -> TaskView {
        let Some(patience) = self.patience.filter(|_| !task.state.is_terminal()) else { return task };
        let waited = tokio::select! {
            waited = store::wait(state.store.as_ref(), task.id, patience) => waited,
            () = closed(state) => Err(StoreError::Closed),
        };
        match waited {
            Ok(found) => found.map_or(task, TaskView::from),
            Err(error) => {
                tracing::warn!(task = %task.id, %error, "a wait ends early; its caller may ask again");
                task
            }
        }
    }
}

/// `wait=S` among the preferences. Others are ignored, as the RFC wants it.
fn preferred_wait(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = values.flat_map(|value| value.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    let not_seconds = |text: &str| {
        Problem::bad_request(
            "bad_prefer",
            format!("Prefer: wait={text} is no number of seconds; send one, as in wait=60"),
        )
    };
    wait.map(|text| text.parse().map_err(|_| not_seconds(text))).transpose()
}

/// Returns when the store is closed: who waits for its changes must not keep the process from ending.
pub(crate) async fn closed(state: &ApiState) {
    // Without its sender the process ends as well.
    let _ = state.readiness.clone().wait_for(|readiness| *readiness == Readiness::Draining).await;
    while !matches!(state.store.figures().await, Err(StoreError::Closed)) {
        sleep(CLOSING_LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefer: &[&'static str], expected: Result<Option<u64>, &str>) {
        let headers = prefer.iter().map(|text| ("prefer".parse().expect("a name"), HeaderValue::from_static(text)));
        let result = preferred_wait(&headers.collect()).map_err(|problem| problem.code);
        assert_eq!(result.as_ref().map_err(String::as_str).copied(), expected, "{prefer:?}");
    }

    #[test]
    fn the_wait_is_found_among_preferences() {
        check(&[], Ok(None));
        check(&["respond-async"], Ok(None));
        check(&["wait=10"], Ok(Some(10)));
        check(&["respond-async, WAIT = \"10\" ; x=1"], Ok(Some(10)));
        check(&["respond-async", "handling=lenient, wait=7"], Ok(Some(7)));
        check(&["waiter=3"], Ok(None));
    }

    #[test]
    fn a_wait_without_seconds_is_refused() {
        check(&["wait=soon"], Err("bad_prefer"));
        check(&["wait=-1"], Err("bad_prefer"));
    }
}
