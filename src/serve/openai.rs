//! The routes in OpenAI's form: over the models of this process, or passed on to those behind HTTP.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use config::Authentication;
use inference_server::Options;
use types::TeamName;
use utoipa_axum::router::OpenApiRouter;

use super::site::Site;
use crate::failure::Failure;
use crate::models::Engines;
use crate::pass_on;

const CACHE_SALT: HeaderName = HeaderName::from_static("x-talon-cache-salt");

/// Over the models of this process.
pub(super) fn here(site: &Site, engines: Engines) -> OpenApiRouter {
    let options = Options { request_timeout: site.config.inference.request_timeout, ..Options::default() };
    salted(site, inference_server::router(engines, options))
}

/// Passed on to the models' servers.
pub(super) fn there(site: &Site) -> Result<OpenApiRouter, Failure> {
    Ok(salted(site, pass_on::router(&site.config)?))
}

/// Where callers are told apart, teams share no prefixes: how fast an answer begins would tell what others asked.
fn salted(site: &Site, router: OpenApiRouter) -> OpenApiRouter {
    match site.config.server.authentication {
        Authentication::None => router,
        Authentication::Keys => router.layer(from_fn(async |mut request: Request, next: Next| {
            let of_caller = request.headers().get(&CACHE_SALT).and_then(|salt| salt.to_str().ok()).unwrap_or_default();
            let team = request.extensions().get::<TeamName>().map_or("", TeamName::as_str);
            if let Ok(salt) = HeaderValue::try_from(format!("{team}/{of_caller}")) {
                request.headers_mut().insert(CACHE_SALT, salt);
            }
            next.run(request).await
        })),
    }
}
