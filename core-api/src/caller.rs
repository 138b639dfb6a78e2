//! Who asks. A route says by its argument what role it needs: [`Caller`], [`Operator`] or [`Admin`].

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use store::Actor;
use types::{Role, TeamName};

use crate::problem::Problem;

/// Who sent a request, as the authentication found; also an extension of every request behind it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose tasks, documents and dead letters it may see; no others exist for it.
    pub team: TeamName,
    /// What it may do.
    pub role: Role,
    /// Its name in the audit log.
    pub actor: Actor,
}

impl Caller {
    fn at_least(self, needed: Role) -> Result<Caller, Problem> {
        if needed <= self.role {
            return Ok(self);
        }
        let detail = format!(
            "this needs the role {needed}, and {} has {}; ask an administrator for a key with that role",
            self.actor.as_str(),
            self.role
        );
        Err(Problem::new(StatusCode::FORBIDDEN, "role_needed", detail))
    }
}

/// Anyone who was let in.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::internal)
    }
}

/// A caller who operates the installation.
pub(crate) struct Operator(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Caller::from_request_parts(parts, state).await?.at_least(Role::Operator).map(Operator)
    }
}

/// A caller who gives out keys.
pub(crate) struct Admin(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Caller::from_request_parts(parts, state).await?.at_least(Role::Admin).map(Admin)
    }
}
