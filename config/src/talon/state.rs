//! `store`, `queue` and `retention`: where tasks are, how they wait, and how long they are kept.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::secret::SecretUrl;
use crate::shape::{Fields, Shape, Show, text, whole};
use crate::source::Report;
use crate::yaml::{Data, Node};

const DAY: Duration = Duration::from_secs(86_400);

/// The store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreConfig {
    /// The SQLite file; relative to `data_dir`.
    pub path: PathBuf,
    /// The PostgreSQL database that is used in place of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretUrl>,
}

/// Waiting tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueConfig {
    /// More than this many waiting tasks are refused with 429.
    pub max_queued: u64,
    /// The Redis through which tasks reach workers; within this process when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretUrl>,
    /// The certificate (PEM) of the authority that signed the server's, for `rediss://`; the system's authorities when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// Workers of each process that only interactive tasks may have.
    pub reserved_interactive_slots: usize,
}

/// How long what has ended is kept; absent: for ever.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetentionConfig {
    /// Tasks that succeeded.
    #[serde(rename = "succeeded_days", serialize_with = "days_of")]
    pub succeeded: Option<Duration>,
    /// Tasks that failed.
    #[serde(rename = "failed_days", serialize_with = "days_of")]
    pub failed: Option<Duration>,
    /// Tasks that were cancelled.
    #[serde(rename = "cancelled_days", serialize_with = "days_of")]
    pub cancelled: Option<Duration>,
    /// Dead letters.
    #[serde(rename = "dead_days", serialize_with = "days_of")]
    pub dead: Option<Duration>,
    /// Documents that no task refers to.
    #[serde(rename = "documents_days", serialize_with = "days_of")]
    pub documents: Option<Duration>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig { path: PathBuf::from("talon.db"), url: None }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        QueueConfig { max_queued: 100_000, url: None, authority: None, reserved_interactive_slots: 1 }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let days = |days| Some(DAY * days);
        RetentionConfig { succeeded: days(30), failed: days(90), cancelled: days(30), dead: None, documents: days(30) }
    }
}

pub(super) fn store(fields: &mut Fields<'_, '_>) -> Option<StoreConfig> {
    let path = fields.or("path", "the SQLite file; relative to data_dir", text(), "talon.db".to_owned()).into();
    let about = "the PostgreSQL database to use in place of the file; better TALON_DATABASE_URL, which overrides it";
    let url = fields.optional("url", about, database_url());
    warn_of_password(fields, url.as_ref(), "TALON_DATABASE_URL");
    Some(StoreConfig { path, url })
}

pub(super) fn queue(fields: &mut Fields<'_, '_>) -> Option<QueueConfig> {
    let default = QueueConfig::default();
    let about = "more than this many waiting tasks are refused with 429";
    let max_queued = fields.or("max_queued", about, whole(1..=100_000_000), default.max_queued);
    let about =
        "the Redis through which tasks reach workers of other processes; better TALON_REDIS_URL, which overrides it";
    let url = fields.optional("url", about, redis_url());
    warn_of_password(fields, url.as_ref(), "TALON_REDIS_URL");
    let about =
        "for rediss://, a PEM file with the certificate of who signed the server's; the system's authorities without";
    let authority = fields.optional("authority", about, text()).map(PathBuf::from);
    let about = "workers of each process that only interactive tasks may have; one at least is left to the others";
    let reserved_interactive_slots =
        fields.or("reserved_interactive_slots", about, whole(0..=511), default.reserved_interactive_slots);
    Some(QueueConfig { max_queued, url, authority, reserved_interactive_slots })
}

pub(super) fn retention(fields: &mut Fields<'_, '_>) -> Option<RetentionConfig> {
    let default = RetentionConfig::default();
    Some(RetentionConfig {
        succeeded: kept(fields, "succeeded_days", "tasks that succeeded", default.succeeded),
        failed: kept(fields, "failed_days", "tasks that failed", default.failed),
        cancelled: kept(fields, "cancelled_days", "tasks that were cancelled", default.cancelled),
        dead: kept(fields, "dead_days", "dead letters", default.dead),
        documents: kept(fields, "documents_days", "documents that no task refers to", default.documents),
    })
}

fn kept(fields: &mut Fields<'_, '_>, key: &'static str, what: &str, default: Option<Duration>) -> Option<Duration> {
    fields.or(key, &format!("days after which {what} are removed; null keeps them"), Days, default)
}

/// A number of days, or `null` for ever.
struct Days;

impl Shape for Days {
    type Out = Option<Duration>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Option<Duration>> {
        match node.data {
            Data::Null => Some(None),
            _ => whole(1..=36_500_u32).read(node, report).map(|days| Some(DAY * days)),
        }
    }

    fn schema(&self) -> Value {
        json!({"type": ["integer", "null"], "minimum": 1, "maximum": 36_500})
    }
}

impl Show for Days {
    fn show(&self, value: &Option<Duration>) -> Value {
        json!(value.map(|kept| kept.as_secs() / DAY.as_secs()))
    }
}

fn days_of<S: Serializer>(kept: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    kept.map(|kept| kept.as_secs() / DAY.as_secs()).serialize(serializer)
}

/// Where a PostgreSQL database is.
pub(super) fn database_url() -> ServerUrl {
    let example = "postgres://user@host:5432/database";
    ServerUrl { pattern: "^postgres(ql)?://", schemes: &["postgres", "postgresql"], example }
}

/// Where a Redis, the Sentinels of one, or a cluster is.
pub(super) fn redis_url() -> ServerUrl {
    ServerUrl {
        pattern: "^rediss?(\\+(sentinel|cluster))?://",
        schemes: &["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"],
        example: "redis://host:6379, rediss:// with TLS, redis+sentinel://host:26379,host:26379/name or \
                  redis+cluster://host,host",
    }
}

/// The address of a server. Mistakes in it are told without it: what is no address may still hold its password.
pub(super) struct ServerUrl {
    pattern: &'static str,
    schemes: &'static [&'static str],
    example: &'static str,
}

impl Shape for ServerUrl {
    type Out = SecretUrl;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<SecretUrl> {
        let url = text().read(node, report)?;
        let problem = match url.split_once("://") {
            None => "is not an address of a server".to_owned(),
            Some((scheme, _)) if !self.schemes.contains(&scheme) => {
                format!("has another scheme than {}", self.schemes.join(", "))
            }
            Some(_) if url.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                "has a character in it that no address has".to_owned()
            }
            Some((_, rest)) => {
                match rest.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit('@').next()) {
                    None | Some("") => "does not say which host".to_owned(),
                    Some(_) => return Some(SecretUrl::new(url)),
                }
            }
        };
        report.error(node.span, format!("{} {problem}", report.path()), format!("write it as {}", self.example));
        None
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "format": "uri", "pattern": self.pattern})
    }
}

/// The file is shared and versioned; the environment is not.
fn warn_of_password(fields: &mut Fields<'_, '_>, url: Option<&SecretUrl>, variable: &str) {
    if url.is_some_and(SecretUrl::has_password) {
        let message = |path: &str| format!("{path}.url has a password in it, and this file is shared and versioned");
        fields.warning("url", message, format!("take the key out and set {variable} instead"));
    }
}
