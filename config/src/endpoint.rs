//! Endpoints of tools: absolute URLs that name exactly one place.

use serde_json::json;
use url::{Host, Url};

use crate::shape::{Show, parsed};

/// An absolute `http` or `https` URL: scheme, host, port and path, which together are the grant.
pub(crate) fn endpoint() -> impl Show<Out = String> {
    parsed(json!({"format": "uri", "pattern": "^https?://[^\\s@?#]+$"}), |text| {
        check(text).map(|()| text.to_owned()).map_err(|(problem, hint)| (problem.to_owned(), hint.to_owned()))
    })
}

fn check(text: &str) -> Result<(), (&'static str, &'static str)> {
    const EXAMPLE: &str = "write it as http://host:port/path";
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(("a URL has no spaces or backslashes", EXAMPLE));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(("not an absolute URL", EXAMPLE));
    };
    if scheme != "http" && scheme != "https" {
        return Err(("the scheme must be http or https", EXAMPLE));
    }
    if rest.is_empty() || rest.starts_with('/') {
        return Err(("the host is missing", EXAMPLE));
    }
    let Ok(url) = Url::parse(text) else {
        return Err(("not a well-formed URL", EXAMPLE));
    };
    if !url.username().is_empty() || url.password().is_some() || rest.split('/').next().unwrap_or(rest).contains('@') {
        return Err(("a URL here must not carry a user or a password", "take out everything before the @"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((
            "an endpoint is scheme, host, port and path alone",
            "put what follows ? or # into fixed_arguments",
        ));
    }
    Ok(())
}

/// Whether the host by its looks is outside the perimeter: a public address, or a name with a public ending.
pub(crate) fn looks_external(endpoint: &str) -> bool {
    const PRIVATE_ENDINGS: [&str; 8] =
        [".internal", ".local", ".localhost", ".lan", ".corp", ".home.arpa", ".svc", ".test"];
    let Ok(url) = Url::parse(endpoint) else { return true };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.contains('.') && !PRIVATE_ENDINGS.iter().any(|ending| name.ends_with(ending))
        }
        Some(Host::Ipv4(address)) => {
            !(address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified())
        }
        Some(Host::Ipv6(address)) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_absolute_url_and_nothing_more() {
        for right in ["http://toolserver:9001/parse", "https://10.0.0.1", "http://[::1]:9001/x"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "toolserver:9001/parse",
            "/parse",
            "ftp://host/x",
            "HTTP:/host/x",
            "http:///x",
            "http://",
            "http://user:pw@host/",
            "http://@host/",
            "http://host/x?key=1",
            "http://host/#x",
            "http://ho st/",
            "http:\\\\host",
            "http://host:99999/",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn outside_hosts_are_recognised_by_their_looks() {
        for inside in
            ["http://toolserver:9001/", "http://127.0.0.1/", "http://10.1.2.3/", "http://db.svc/", "http://[fd00::1]/"]
        {
            assert!(!looks_external(inside), "{inside}");
        }
        for outside in ["https://api.example.com/", "http://8.8.8.8/", "http://[2606:4700::1]/"] {
            assert!(looks_external(outside), "{outside}");
        }
    }
}
