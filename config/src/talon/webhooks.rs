//! `webhooks`: who may be told by POST that a task has ended.

use serde::Serialize;
use url::Url;

use super::models::variable_name;
use crate::endpoint::endpoint;
use crate::shape::{Fields, list, whole};

/// Who may be told that a task has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WebhookConfig {
    /// What a task's `callback_url` must begin with: scheme, host and port, and the beginning of the path. Without any,
    /// no task may have one.
    pub allow: Vec<String>,
    /// The variable of the environment that holds the secret with which messages are signed.
    pub secret_env: String,
    /// Tries after which a message is dead.
    pub max_attempts: u32,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        WebhookConfig { allow: Vec::new(), secret_env: "TALON_WEBHOOK_SECRET".to_owned(), max_attempts: 10 }
    }
}

impl WebhookConfig {
    /// Whether `url` is at one of the allowed places: the same scheme, host and port, and below its path.
    pub fn allows(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let carries_nobody = url.username().is_empty() && url.password().is_none();
        let places = self.allow.iter().filter_map(|place| Url::parse(place).ok());
        carries_nobody && places.into_iter().any(|place| is_below(&url, &place))
    }
}

fn is_below(url: &Url, place: &Url) -> bool {
    let path = place.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(path);
    url.origin() == place.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn webhooks(fields: &mut Fields<'_, '_>) -> Option<WebhookConfig> {
    let default = WebhookConfig::default();
    let allow = fields.optional(
        "allow",
        "what a task's callback_url must begin with, such as https://hooks.example; without any, no task may have one",
        list(endpoint()),
    );
    let about = "the variable of the environment that holds the secret with which messages are signed (whsec_…)";
    let secret_env = fields.or("secret_env", about, variable_name(), default.secret_env);
    let about = "tries after which a message is dead";
    let max_attempts = fields.or("max_attempts", about, whole(1..=50), default.max_attempts);
    Some(WebhookConfig { allow: allow.unwrap_or_default(), secret_env, max_attempts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: bool) {
        let allow = vec!["https://hooks.example".to_owned(), "http://10.0.0.5:8080/talon/".to_owned()];
        assert_eq!(WebhookConfig { allow, ..WebhookConfig::default() }.allows(url), expected, "{url}");
    }

    #[test]
    fn what_is_below_an_allowed_place_may_be_told() {
        check("https://hooks.example/any/path?id=1", true);
        check("https://HOOKS.example:443/", true);
        check("http://10.0.0.5:8080/talon", true);
        check("http://10.0.0.5:8080/talon/done", true);
    }

    #[test]
    fn what_only_looks_like_it_may_not() {
        for url in [
            "http://hooks.example/",
            "https://hooks.example:8443/",
            "https://hooks.example.evil.example/",
            "https://hooks.example@evil.example/",
            "https://user:pw@hooks.example/",
            "http://10.0.0.5:8080/talonic",
            "http://10.0.0.5:8080/talon/../admin",
            "http://10.0.0.5:8080/",
            "hooks.example",
            "",
        ] {
            check(url, false);
        }
    }

    #[test]
    fn nobody_may_be_told_by_default() {
        assert!(!WebhookConfig::default().allows("https://hooks.example/"));
    }
}
