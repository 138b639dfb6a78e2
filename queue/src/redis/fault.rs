//! What can be wrong with Redis, in the words of operators.

use redis::{ErrorKind, RedisError};

/// The kind of an error, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The data was wiped, and the consumer group with it.
    NoGroup,
    /// The server forgot its scripts.
    NoScript,
    /// It still reads its data.
    Loading,
    /// It has become a replica.
    ReadOnly,
    /// The slot lies elsewhere, or the cluster is incomplete.
    Cluster,
    /// `maxmemory` is reached.
    OutOfMemory,
    /// Wrong password, unknown user, or one without the right.
    Refused,
    /// No answer in time.
    Timeout,
    /// No connection, or a broken one.
    Connection,
    /// Anything else, such as a key of another type.
    Other,
}

impl Fault {
    pub(crate) const ALL: [Fault; 10] = [
        Fault::NoGroup,
        Fault::NoScript,
        Fault::Loading,
        Fault::ReadOnly,
        Fault::Cluster,
        Fault::OutOfMemory,
        Fault::Refused,
        Fault::Timeout,
        Fault::Connection,
        Fault::Other,
    ];

    pub(crate) fn of(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Fault::Timeout;
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) => Fault::Refused,
            (_, Some(code)) => Fault::of_code(code),
            (ErrorKind::Io | ErrorKind::ClusterConnectionNotFound | ErrorKind::MasterNameNotFoundBySentinel, None) => {
                Fault::Connection
            }
            (_, None) => Fault::Other,
        }
    }

    /// The first word of an error that the server sent.
    fn of_code(code: &str) -> Self {
        match code {
            "NOGROUP" => Fault::NoGroup,
            "NOSCRIPT" => Fault::NoScript,
            "LOADING" | "MASTERDOWN" => Fault::Loading,
            "READONLY" => Fault::ReadOnly,
            "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "CROSSSLOT" => Fault::Cluster,
            "OOM" => Fault::OutOfMemory,
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Fault::Refused,
            _ => Fault::Other,
        }
    }

    /// Whether the connection is to be made anew: what it leads to may be the wrong server or none. A server that
    /// lacks memory still delivers.
    pub(crate) fn loses_the_server(self) -> bool {
        self != Fault::OutOfMemory
    }

    /// The label in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fault::NoGroup => "nogroup",
            Fault::NoScript => "noscript",
            Fault::Loading => "loading",
            Fault::ReadOnly => "readonly",
            Fault::Cluster => "cluster",
            Fault::OutOfMemory => "oom",
            Fault::Refused => "refused",
            Fault::Timeout => "timeout",
            Fault::Connection => "connection",
            Fault::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_server_are_told_apart() {
        for (code, fault) in [
            ("NOGROUP", Fault::NoGroup),
            ("READONLY", Fault::ReadOnly),
            ("CLUSTERDOWN", Fault::Cluster),
            ("OOM", Fault::OutOfMemory),
            ("WRONGPASS", Fault::Refused),
            ("WRONGTYPE", Fault::Other),
        ] {
            let error = redis::make_extension_error(code.to_owned(), None);
            assert_eq!(Fault::of(&error), fault, "{code}");
        }
    }

    #[test]
    fn a_silent_server_and_a_broken_connection_are_told_apart() {
        let error = |kind: std::io::ErrorKind| Fault::of(&RedisError::from(std::io::Error::from(kind)));
        assert_eq!(error(std::io::ErrorKind::TimedOut), Fault::Timeout);
        assert_eq!(error(std::io::ErrorKind::ConnectionReset), Fault::Connection);
    }
}
