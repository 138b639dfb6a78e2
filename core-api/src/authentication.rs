//! Finds out who asks, before any route that is not open to all.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use store::{Actor, ApiKey};
use types::{ApiKeyId, Role, TeamName, Timestamp};

use crate::caller::Caller;
use crate::key::KeySecret;
use crate::problem::Problem;
use crate::state::ApiState;

/// How callers are told apart.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Not at all: everyone administers one team.
    Open {
        /// That team.
        team: TeamName,
        /// Serve only what names this machine: that is then all that keeps strangers' pages away.
        loopback_only: bool,
    },
    /// By API keys.
    Keys {
        /// A key that needs no store: for making the first ones.
        admin: Option<AdminKey>,
    },
}

/// An administrator's key from the environment: it never expires and cannot be revoked but by a restart without it.
#[derive(Clone, Debug)]
pub struct AdminKey {
    /// The key.
    pub secret: KeySecret,
    /// The team that its tasks belong to.
    pub team: TeamName,
}

/// Names the caller to all that follows: as [`Caller`], and its team for routes of other crates.
pub(crate) async fn authenticate(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let response = match caller(&state, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.team.clone());
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    state.runtime.metrics.answered(response.status());
    response
}

async fn caller(state: &ApiState, headers: &HeaderMap) -> Result<Caller, Problem> {
    let admin = match &state.settings.authentication {
        Authentication::Open { team, .. } => {
            return Ok(Caller { team: team.clone(), role: Role::Admin, actor: Actor::new("rest:unauthenticated") });
        }
        Authentication::Keys { admin } => admin,
    };
    let secret = bearer(headers).ok_or_else(|| {
        unauthenticated(
            "an API key is needed; send the header Authorization: Bearer talon_… (an administrator has one)",
        )
    })?;
    let digest = secret.digest();
    if let Some(admin) = admin
        && same(&admin.secret.digest(), &digest)
    {
        return Ok(Caller { team: admin.team.clone(), role: Role::Admin, actor: Actor::new("key:admin") });
    }
    let key = if secret.is_well_formed() { known(state, digest).await? } else { None };
    let key = key.ok_or_else(|| unauthenticated("the API key is not known here; ask an administrator for one"))?;
    if key.revoked_at.is_some() {
        return Err(unauthenticated(format!("the API key {} was revoked; ask an administrator for another", key.id)));
    }
    if let Some(expiry) = key.expires_at
        && expiry <= Timestamp::now()
    {
        return Err(unauthenticated(format!("the API key {} expired at {expiry}; ask for another", key.id)));
    }
    Ok(Caller { actor: Actor::new(format!("key:{}", key.id)), team: key.team, role: key.role })
}

/// The key's record, of the last seconds or from the store.
async fn known(state: &ApiState, digest: String) -> Result<Option<ApiKey>, Problem> {
    if let Some(key) = state.runtime.keys.recall(&digest, Instant::now()) {
        return Ok(Some(key));
    }
    let asked = state.runtime.keys.ask(Instant::now());
    let found = state.store.key_by_digest(&digest).await?;
    if let Some(key) = &found {
        state.runtime.keys.keep(digest, key.clone(), asked);
    }
    Ok(found)
}

/// The scheme's name has no case (RFC 9110).
fn bearer(headers: &HeaderMap) -> Option<KeySecret> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then(|| KeySecret::given(secret))
}

/// Takes the same time wherever two digests differ.
fn same(left: &str, right: &str) -> bool {
    let differences = left.bytes().zip(right.bytes()).fold(0, |found, (left, right)| found | (left ^ right));
    left.len() == right.len() && differences == 0
}

fn unauthenticated(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
}

/// Keys that the store knew a moment ago, so that a key costs no query per request. Keys it did not know are asked for
/// each time: a new one is good at once.
#[derive(Default)]
pub(crate) struct KeyCache {
    known: Mutex<KnownKeys>,
}

#[derive(Default)]
struct KnownKeys {
    by_digest: HashMap<String, Known>,
    /// How often a key was forgotten.
    revocations: u64,
}

struct Known {
    key: ApiKey,
    asked_at: Instant,
}

/// When the store was asked for a key, and after how many revocations.
#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    revocations: u64,
}

impl KeyCache {
    /// How long another process may take to hear that a key was revoked.
    const LIFE: Duration = Duration::from_secs(3);
    const MAX_KEYS: usize = 10_000;

    fn recall(&self, digest: &str, now: Instant) -> Option<ApiKey> {
        let known = self.known.lock().expect("key cache lock");
        let known = known.by_digest.get(digest).filter(|known| now < known.asked_at + Self::LIFE);
        known.map(|known| known.key.clone())
    }

    /// The store is about to be asked.
    fn ask(&self, now: Instant) -> Asked {
        Asked { at: now, revocations: self.known.lock().expect("key cache lock").revocations }
    }

    /// Keeps what the store answered, unless a key was revoked meanwhile: it may be this one as it was before.
    fn keep(&self, digest: String, key: ApiKey, asked: Asked) {
        let mut known = self.known.lock().expect("key cache lock");
        if asked.revocations != known.revocations {
            return;
        }
        if known.by_digest.len() >= Self::MAX_KEYS {
            known.by_digest.clear();
        }
        known.by_digest.insert(digest, Known { key, asked_at: asked.at });
    }

    /// What was revoked here is no longer good here.
    pub(crate) fn forget(&self, id: &ApiKeyId) {
        let mut known = self.known.lock().expect("key cache lock");
        known.revocations += 1;
        known.by_digest.retain(|_, known| known.key.id != *id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::random(),
            team: "sales".parse().unwrap(),
            role: Role::Submitter,
            name: "nightly".to_owned(),
            created_at: Timestamp::now(),
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_remembered_for_seconds_and_forgotten_when_revoked() {
        let (cache, key, start) = (KeyCache::default(), key(), Instant::now());
        cache.keep("digest".to_owned(), key.clone(), cache.ask(start));
        assert_eq!(cache.recall("digest", start + KeyCache::LIFE / 2), Some(key.clone()));
        assert_eq!(cache.recall("other", start), None);
        assert_eq!(cache.recall("digest", start + KeyCache::LIFE), None);
        cache.forget(&key.id);
        assert_eq!(cache.recall("digest", start), None);
    }

    #[test]
    fn what_was_looked_up_before_a_revocation_is_not_kept_after_it() {
        let (cache, key, start) = (KeyCache::default(), key(), Instant::now());
        let asked = cache.ask(start);
        cache.forget(&key.id);
        cache.keep("digest".to_owned(), key.clone(), asked);
        assert_eq!(cache.recall("digest", start), None);
        cache.keep("digest".to_owned(), key.clone(), cache.ask(start));
        assert_eq!(cache.recall("digest", start), Some(key));
    }

    #[test]
    fn the_cache_is_bounded() {
        let (cache, start) = (KeyCache::default(), Instant::now());
        for n in 0..=KeyCache::MAX_KEYS {
            cache.keep(n.to_string(), key(), cache.ask(start));
        }
        assert_eq!(cache.known.lock().unwrap().by_digest.len(), 1);
    }

    #[test]
    fn the_key_is_found_in_the_header() {
        for (header, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, header.parse().unwrap());
            assert_eq!(bearer(&headers).as_ref().map(KeySecret::as_str), expected, "{header:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn digests_are_compared_whole() {
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "abc") && !same("ab", ""));
    }
}
