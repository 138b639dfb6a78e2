//! What only the programs that need it may read: shown, logged and serialized without its secret part.

use std::fmt;

use serde::{Serialize, Serializer};

/// A secret; everything that shows it shows stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, for who proves or checks it.
    pub fn exposed(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The address of a server, which may carry a password; everything that shows it shows stars in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        SecretUrl(url.into())
    }

    /// The address with its password, for who connects.
    pub fn exposed(&self) -> &str {
        &self.0
    }

    /// Whether there is a password in it.
    pub fn has_password(&self) -> bool {
        !passwords(&self.0).is_empty()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        for range in passwords(&self.0).into_iter().rev() {
            shown.replace_range(range, "***");
        }
        f.write_str(&shown)
    }
}

macro_rules! shown_as_displayed {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.to_string())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

shown_as_displayed!(Secret, SecretUrl);

/// Where in a line the passwords of addresses are: `scheme://user:HERE@host` and `password=HERE` of a query; in bytes.
pub(crate) fn passwords(line: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in line.match_indices("://") {
        let start = at + separator.len();
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        let end = line[start..].find(is_end).map_or(line.len(), |length| start + length);
        let address = &line[start..end];
        let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
        // A password with a slash in it is no address, but may be meant as one.
        let user_ends = address[..authority].rfind('@').or_else(|| address.rfind('@'));
        if let Some(user_ends) = user_ends
            && let Some(colon) = address[..user_ends].find(':')
            && colon + 1 < user_ends
        {
            found.push(start + colon + 1..start + user_ends);
        }
        for (key, name) in address.match_indices("password=") {
            let from = start + key + name.len();
            let to = line[from..end].find('&').map_or(end, |length| from + length);
            if from < to && found.iter().all(|other: &std::ops::Range<usize>| other.end <= from) {
                found.push(from..to);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        let url = SecretUrl::new(url);
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("{shown:?}"));
        assert_eq!(serde_json::json!(url), shown);
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        check("postgres://talon:hunter2@db:5432/talon", "postgres://talon:***@db:5432/talon");
        check("redis://:hunter2@cache", "redis://:***@cache");
        check("redis+sentinel://u:p@a:1,b:2/main", "redis+sentinel://u:***@a:1,b:2/main");
        check(
            "postgres://db/talon?user=u&password=p&sslmode=require",
            "postgres://db/talon?user=u&password=***&sslmode=require",
        );
        check("redis://u:a/b@host", "redis://u:***@host");
    }

    #[test]
    fn an_address_without_a_password_is_shown_as_it_is() {
        for url in ["postgres://db/talon", "redis://user@cache:6379/2", "redis://cache"] {
            check(url, url);
            assert!(!SecretUrl::new(url).has_password());
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!((secret.to_string().as_str(), format!("{secret:?}").as_str()), ("***", "\"***\""));
    }
}
