//! `server`: where the REST interface listens, and whom it serves.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::secret::Secret;
use crate::shape::{Fields, Show, bytes, choice, flag, parsed, seconds};

/// What one value of either database surely holds.
const MAX_DOCUMENT_BYTES: u64 = 512 << 20;

/// The REST interface.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How callers are told apart.
    pub authentication: Authentication,
    /// `TALON_ADMIN_KEY`: an administrator's key that is always good, such as for making the first ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_key: Option<Secret>,
    /// Allows an address that other machines reach, though nobody is authenticated.
    pub dangerously_listen_beyond_loopback: bool,
    /// The largest document that is accepted.
    pub max_document_bytes: u64,
    /// The longest `Prefer: wait=S`.
    #[serde(rename = "max_wait_seconds", serialize_with = "crate::seconds::serialize")]
    pub max_wait: Duration,
    /// Runs the reference tools in this process, under the name by which agents' files know them.
    pub embedded_toolserver: bool,
}

/// How callers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// Not at all: whoever reaches the address administers the team `default`.
    None,
    /// By API keys, each of one team and role.
    Keys,
}

/// An address that other machines reach, where nobody is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}, which other machines can reach, and server.authentication is none: whoever reaches it can submit tasks and \
     read every result"
)]
pub struct Exposed(pub SocketAddr);

impl Exposed {
    /// What to do about it.
    pub const HINT: &str = "set server.authentication: keys, or listen on 127.0.0.1 behind a proxy that authenticates; if \
                            every machine that reaches the address may do all of this, set \
                            server.dangerously_listen_beyond_loopback: true";
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8400)),
            authentication: Authentication::None,
            admin_key: None,
            dangerously_listen_beyond_loopback: false,
            max_document_bytes: 20 * 1024 * 1024,
            max_wait: Duration::from_secs(300),
            embedded_toolserver: true,
        }
    }
}

impl ServerConfig {
    /// Refuses an address beyond this machine, unless callers are authenticated or that is allowed.
    ///
    /// # Errors
    /// The address.
    pub fn check_exposure(&self) -> Result<(), Exposed> {
        let allowed = self.listen.ip().is_loopback()
            || self.authentication == Authentication::Keys
            || self.dangerously_listen_beyond_loopback;
        if allowed { Ok(()) } else { Err(Exposed(self.listen)) }
    }
}

pub(super) fn server(fields: &mut Fields<'_, '_>) -> Option<ServerConfig> {
    const WAYS: &[(&str, Authentication)] = &[("none", Authentication::None), ("keys", Authentication::Keys)];
    let default = ServerConfig::default();
    let server = ServerConfig {
        listen: fields.or("listen", "address and port; 127.0.0.1 is this machine alone", address(), default.listen),
        authentication: fields.or(
            "authentication",
            "keys asks every caller for an API key; none takes whoever reaches the address for an administrator",
            choice(WAYS),
            default.authentication,
        ),
        admin_key: None,
        dangerously_listen_beyond_loopback: fields.or(
            "dangerously_listen_beyond_loopback",
            "allows an address that other machines reach, though nobody is authenticated",
            flag(),
            default.dangerously_listen_beyond_loopback,
        ),
        max_document_bytes: fields.or(
            "max_document_bytes",
            "the largest document that is accepted",
            bytes(1024..=MAX_DOCUMENT_BYTES),
            default.max_document_bytes,
        ),
        max_wait: fields.or(
            "max_wait_seconds",
            "the longest that a caller may wait for a result in one request",
            seconds(1..=3600),
            default.max_wait,
        ),
        embedded_toolserver: fields.or(
            "embedded_toolserver",
            "runs the reference tools in this process; agents know them as http://toolserver:9001",
            flag(),
            default.embedded_toolserver,
        ),
    };
    if let Err(exposed) = server.check_exposure() {
        fields.error("listen", |path: &str| format!("{path}.listen is {exposed}"), Exposed::HINT);
    }
    Some(server)
}

/// An address and a port.
fn address() -> impl Show<Out = SocketAddr> {
    parsed(json!({}), |text| {
        text.parse().map_err(|_| {
            ("not an IP address with a port".to_owned(), "write it as 127.0.0.1:8400 or [::1]:8400".to_owned())
        })
    })
}

/// A key that nobody guesses, or what is wrong with it.
pub(super) fn admin_key(text: &str) -> Result<Secret, String> {
    const LENGTH: usize = 32;
    match LENGTH <= text.len() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Secret::new(text)),
        false => Err(format!("it must have {LENGTH} characters or more, and no spaces")),
    }
}
