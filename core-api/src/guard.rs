//! Keeps browsers' pages away from an interface without authentication: a page of another site can make its visitor's
//! browser call 127.0.0.1, under the site's own name (DNS rebinding) or across origins.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Refuses requests whose `Host` is not this machine's loopback, or that another origin's page sent.
pub async fn loopback_only(request: Request, next: Next) -> Response {
    match check(request.headers(), request.uri().host()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(headers: &HeaderMap, uri_host: Option<&str>) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    // A host in the request line wins over the header.
    let host = uri_host.or_else(|| text(header::HOST)).unwrap_or_default();
    if !is_loopback(host) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_host",
            format!(
                "the request names host {host:?}; this server answers for 127.0.0.1, [::1] and localhost only: use \
                 one of them, or set server.dangerously_listen_beyond_loopback"
            ),
        ));
    }
    match text(header::ORIGIN) {
        Some(origin) if !origin.split_once("://").is_some_and(|(_, host)| is_loopback(host)) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            format!("a page of {origin:?} may not use this server; call it from a program on this machine"),
        )),
        _ => Ok(()),
    }
}

/// Whether a host, with or without a port, is this machine by a name that nobody else can have.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_headers(host: &str, origin: Option<&str>, expected: Result<(), &str>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        let result = check(&headers, None).map_err(|problem| problem.code);
        assert_eq!(result.as_ref().map_err(|code| code.as_str()).copied(), expected);
    }

    #[test]
    fn programs_on_this_machine_are_served() {
        check_headers("127.0.0.1:8400", None, Ok(()));
        check_headers("localhost:8400", None, Ok(()));
        check_headers("[::1]:8400", Some("http://localhost:8400"), Ok(()));
    }

    #[test]
    fn a_host_in_the_request_line_wins() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1"));
        assert_eq!(check(&headers, Some("localhost")), Ok(()));
        assert!(check(&headers, Some("evil.example")).is_err());
    }

    #[test]
    fn a_rebound_name_is_refused() {
        check_headers("evil.example:8400", None, Err("foreign_host"));
        check_headers("127.0.0.1.evil.example", None, Err("foreign_host"));
        check_headers("[::1].evil.example", None, Err("foreign_host"));
        check_headers("localhost.evil.example:8400", None, Err("foreign_host"));
        check_headers("", None, Err("foreign_host"));
    }

    #[test]
    fn another_sites_page_is_refused() {
        check_headers("127.0.0.1:8400", Some("https://evil.example"), Err("foreign_origin"));
        check_headers("127.0.0.1:8400", Some("null"), Err("foreign_origin"));
        check_headers("127.0.0.1:8400", Some("https://127.0.0.1.evil.example"), Err("foreign_origin"));
    }
}
