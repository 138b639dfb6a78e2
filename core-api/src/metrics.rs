//! What this interface counts.

use axum::http::StatusCode;
use prometheus::{IntCounterVec, Opts, Registry};

use crate::problem::Problem;

/// Why something was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rejection {
    Full,
    Size,
    Invalid,
    Conflict,
    Unavailable,
    Unauthorized,
    Forbidden,
}

impl Rejection {
    const ALL: [Rejection; 7] = [
        Rejection::Full,
        Rejection::Size,
        Rejection::Invalid,
        Rejection::Conflict,
        Rejection::Unavailable,
        Rejection::Unauthorized,
        Rejection::Forbidden,
    ];

    fn of(status: u16) -> Rejection {
        match status {
            401 => Rejection::Unauthorized,
            403 => Rejection::Forbidden,
            409 => Rejection::Conflict,
            413 => Rejection::Size,
            429 => Rejection::Full,
            500.. => Rejection::Unavailable,
            _ => Rejection::Invalid,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Rejection::Full => "full",
            Rejection::Size => "size",
            Rejection::Invalid => "invalid",
            Rejection::Conflict => "conflict",
            Rejection::Unavailable => "unavailable",
            Rejection::Unauthorized => "unauthorized",
            Rejection::Forbidden => "forbidden",
        }
    }
}

/// Counters of the interface.
#[derive(Clone)]
pub(crate) struct ApiMetrics {
    rejected: IntCounterVec,
}

impl ApiMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Tasks that were not accepted, and requests of callers who were not let in, by reason";
        let rejected = IntCounterVec::new(Opts::new("openclaw_tasks_rejected_total", help), &["reason"])?;
        registry.register(Box::new(rejected.clone()))?;
        // From zero, so that an alert sees the first one.
        for reason in Rejection::ALL {
            rejected.with_label_values(&[reason.as_str()]);
        }
        Ok(ApiMetrics { rejected })
    }

    /// A task was not accepted.
    pub(crate) fn task_rejected(&self, problem: &Problem) {
        self.count(problem.status);
    }

    /// Whoever was not let in is counted, whatever was asked for.
    pub(crate) fn answered(&self, status: StatusCode) {
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.count(status.as_u16());
        }
    }

    fn count(&self, status: u16) {
        self.rejected.with_label_values(&[Rejection::of(status).as_str()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_a_reason() {
        for (status, reason) in
            [(429, "full"), (413, "size"), (400, "invalid"), (422, "invalid"), (409, "conflict"), (507, "unavailable")]
        {
            assert_eq!(Rejection::of(status).as_str(), reason);
        }
    }
}
