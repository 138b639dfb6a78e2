//! The routes in OpenAI's form over the models of this process.

use inference_server::Options;
use utoipa_axum::router::OpenApiRouter;

use super::site::Site;
use crate::models::Engines;

pub(super) fn router(site: &Site, engines: Engines) -> OpenApiRouter {
    let options = Options { request_timeout: site.config.inference.request_timeout, ..Options::default() };
    inference_server::router(engines, options)
}
